//! Jobs reference other jobs: their dependencies and their parent.

use domain::job::{JobId, Outcome};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use store::JobFilter;
use tokio::task::JoinSet;

use crate::env::{TestEnv, id_of, send, with_env};

async fn batch(env: &TestEnv, jobs: &[Value]) -> Vec<Value> {
    let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["jobs"].as_array().unwrap().clone()
}

async fn count(env: &TestEnv) -> u64 {
    env.store.jobs(&JobFilter::default(), 0, 0).await.unwrap().total
}

#[tokio::test]
async fn the_jobs_of_a_batch_run_in_the_order_of_their_dependencies() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let jobs = batch(
            env,
            &[
                json!({"action": "noop"}),
                json!({"action": "noop", "dependsOn": ["#0"], "fairnessKey": "f"}),
                json!({"action": "noop", "dependsOn": ["#1", "#0", "#1"], "when": "finished"}),
            ],
        )
        .await;
        let ids: Vec<JobId> = jobs.iter().map(id_of).collect();
        assert_eq!((&jobs[0]["dependsOn"], &jobs[0]["when"]), (&json!([]), &json!("done")));
        assert_eq!(
            (&jobs[1]["dependsOn"], &jobs[1]["fairnessKey"]),
            (&json!([ids[0]]), &json!("f"))
        );
        assert_eq!(jobs[2]["dependsOn"], json!([ids[1], ids[0]]));
        assert_eq!(jobs[2]["when"], "finished");
        assert_eq!(env.show(ids[0]).await["next"], json!(ids[1]));

        let token = env.claim(&worker, ids[0]).await;
        assert_eq!(env.show(ids[1]).await["waitingFor"]["code"], "dependency");
        env.finish(ids[0], token, None).await;
        let token = env.claim(&worker, ids[1]).await;
        env.fail(ids[1], token).await;
        env.claim(&worker, ids[2]).await;
    })
    .await;
}

#[tokio::test]
async fn a_job_fails_when_its_dependency_fails() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let first = env.submit(&json!({"action": "noop"})).await;
        let second = env.submit(&json!({"action": "noop", "dependsOn": [first]})).await;
        let token = env.claim(&worker, first).await;
        env.fail(first, token).await;
        let second = env.show(second).await;
        assert_eq!(second["status"], "error");
        assert_eq!(second["exception"]["type"], "DependencyFailed");
    })
    .await;
}

#[tokio::test]
async fn a_parent_counts_its_open_and_failed_children() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let parent = env.submit(&json!({"action": "noop"})).await;
        assert_eq!(env.show(parent).await["children"], Value::Null);
        let token = env.claim(&worker, parent).await;
        let child = json!({"action": "noop", "parent": parent});
        let ids = [env.submit(&child).await, env.submit(&child).await];
        assert_eq!(env.show(ids[0]).await["parent"], json!(parent));
        assert_eq!(env.show(parent).await["children"], json!({"open": 2, "failed": 0}));
        env.end(parent, token, Outcome::Await(None)).await;
        let token = env.claim(&worker, ids[0]).await;
        env.fail(ids[0], token).await;
        assert_eq!(env.show(parent).await["children"], json!({"open": 1, "failed": 1}));
        let children = env.get(&format!("/jobs?parent={parent}")).await;
        assert_eq!(children.header("x-total-count"), Some("2"));

        let token = env.claim(&worker, ids[1]).await;
        env.finish(ids[1], token, None).await;
        let finished = env.show(parent).await;
        let found = (&finished["status"], &finished["children"]["open"]);
        assert_eq!(found, (&json!("error"), &json!(0)));
        let late = env.post("/jobs", &child).await;
        let why = format!("a parent must not be over or being stopped, as is job {parent}");
        assert_eq!(late.refusal(), format!("400 INVALID_PARAMETERS parent: {why}"));
        assert_eq!(late.detail(), json!({"field": "parent"}));
    })
    .await;
}

/// Returns invalid references: the field, the expected message and the job.
async fn invalid_references(env: &TestEnv) -> Vec<(&'static str, String, Value)> {
    let worker = env.worker("default=16", &["noop"]).await;
    let finished = env.submit(&json!({"action": "noop"})).await;
    let token = env.claim(&worker, finished).await;
    env.finish(finished, token, None).await;
    let (waiting, unknown) = (env.submit(&json!({"action": "noop"})).await, JobId::random());
    let depends = |on: JobId| json!({"action": "noop", "dependsOn": [waiting, on]});
    let child = |of: JobId| json!({"action": "noop", "parent": of});
    let ended = |id: JobId| format!("a parent must not be over or being stopped, as is job {id}");
    let foreign = json!({"action": "noop", "parent": waiting, "dependsOn": [finished, waiting]});
    let only = "a child may depend only on its siblings and on jobs that are over, not on job";
    vec![
        ("dependsOn", format!("there is no job {unknown}"), depends(unknown)),
        ("parent", format!("there is no job {unknown}"), child(unknown)),
        ("parent", ended(finished), child(finished)),
        ("dependsOn", format!("{only} {waiting}"), foreign),
    ]
}

#[tokio::test]
async fn an_invalid_reference_is_refused_alone_and_in_batches_of_every_size() {
    with_env(async |env| {
        let invalid = invalid_references(env).await;
        let before = count(env).await;
        for (field, why, job) in &invalid {
            let answer = env.post("/jobs", job).await;
            assert_eq!(answer.refusal(), format!("400 INVALID_PARAMETERS {field}: {why}"));
            assert_eq!(answer.detail(), json!({"field": field}));
            for size in [3, 100, 101, 350] {
                let mut jobs = vec![json!({"action": "noop"}); size];
                jobs[size - 2] = job.clone();
                let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
                let index = size - 2;
                let message = format!("400 INVALID_PARAMETERS jobs[{index}].{field}: {why}");
                assert_eq!(answer.refusal(), message);
                assert_eq!(answer.detail(), json!({"field": field, "index": index}));
            }
        }
        assert_eq!(count(env).await, before, "a refused batch creates no job");
    })
    .await;
}

#[tokio::test]
async fn concurrent_submissions_are_refused_separately() {
    with_env(async |env| {
        let invalid = invalid_references(env).await;
        let before = count(env).await;
        let mut requests = JoinSet::new();
        for at in 0..120 {
            let (field, why, job) = invalid[at % invalid.len()].clone();
            let is_valid = at % 3 == 0;
            let job = if is_valid { json!({"action": "noop"}) } else { job };
            let request: RequestBuilder = env.client.post(env.at("/jobs")).json(&job);
            requests.spawn(async move { (is_valid, field, why, send(request).await) });
        }
        for (is_valid, field, why, answer) in requests.join_all().await {
            if is_valid {
                assert_eq!(answer.status, 202, "{}", answer.text);
            } else {
                assert_eq!(answer.refusal(), format!("400 INVALID_PARAMETERS {field}: {why}"));
                assert_eq!(answer.detail(), json!({"field": field}));
            }
        }
        assert_eq!(count(env).await, before + 40);
    })
    .await;
}

#[tokio::test]
async fn a_large_batch_can_reference_its_own_and_other_jobs_and_can_be_repeated_later() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let parent = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, parent).await;
        let mut jobs = vec![json!({"action": "noop", "parent": parent}); 250];
        for (at, job) in jobs.iter_mut().enumerate().skip(1) {
            job["dependsOn"] = json!([format!("#{}", at - 1)]);
        }
        let request = env.client.post(env.at("/jobs/batch")).header("Idempotency-Key", "k");
        let request = request.json(&json!({"jobs": jobs}));
        let first = send(request.try_clone().unwrap()).await;
        assert_eq!(first.status, 202, "{}", first.text);
        let answered = first.json();
        let last = &answered["jobs"][249];
        assert_eq!(last["dependsOn"], json!([answered["jobs"][248]["id"]]));
        assert_eq!(env.show(parent).await["children"]["open"], 250);

        env.finish(parent, token, None).await;
        let again = send(request).await;
        assert_eq!(again.status, 202, "{}", again.text);
        assert_eq!(again.json()["jobs"][249]["id"], last["id"]);
    })
    .await;
}

#[tokio::test]
async fn a_job_can_depend_on_at_most_a_thousand_others() {
    with_env(async |env| {
        let others = batch(env, &vec![json!({"action": "noop"}); 1_001]).await;
        let ids: Vec<JobId> = others.iter().map(id_of).collect();
        let depends = |on: &[JobId]| json!({"action": "noop", "dependsOn": on});
        let many = env.post("/jobs", &depends(&ids)).await;
        let why = "dependsOn: 1001 is more than the maximum of 1000";
        assert_eq!(many.refusal(), format!("400 INVALID_PARAMETERS {why}"));
        let job = env.show(env.submit(&depends(&ids[1..])).await).await;
        let message = job["waitingFor"]["message"].as_str().unwrap();
        assert!(message.starts_with("it depends on job 2 (") && message.ends_with("and 997 more"));

        // So many that they are checked in several steps. The last job is invalid.
        let mut jobs: Vec<Value> = ids.chunks(7).map(depends).collect();
        assert_eq!(batch(env, &jobs).await.len(), 143);
        jobs.push(depends(&[JobId::random()]));
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
        assert_eq!(answer.detail(), json!({"field": "dependsOn", "index": 143}));
    })
    .await;
}
