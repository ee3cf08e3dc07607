//! The reasons why a job waits for other jobs, locks and pauses.

mod workers;

use domain::job::{JobId, Outcome};
use serde_json::{Value, json};

use crate::env::{TestEnv, with_env};

async fn reason(env: &TestEnv, id: JobId) -> String {
    let job = env.show(id).await;
    let reason = &job["waitingFor"];
    let text = |name: &str| reason[name].as_str().unwrap_or("-").to_owned();
    format!("{}: {}", text("code"), text("message"))
}

#[tokio::test]
async fn a_job_waits_for_its_dependencies_and_for_their_retries() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let noop = json!({"action": "noop", "retries": 1});
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(env.submit(&noop).await);
        }
        let waits = json!({"action": "noop", "dependsOn": ids,
            "expiresAt": "2100-01-01T00:00:00Z"});
        let waits = env.submit(&waits).await;
        let named = |at: usize| format!("job {} ({}), which is", at + 1, ids[at]);
        let expires = "; it expires at 2100-01-01T00:00:00Z";
        let (a, b, c) = (named(0), named(1), named(2));
        let message = format!("it depends on {a} waiting; {b} waiting; {c} waiting; and 2 more");
        assert_eq!(reason(env, waits).await, format!("dependency: {message}{expires}"));

        let mut tokens = Vec::new();
        for id in &ids {
            tokens.push(env.claim(&worker, *id).await);
        }
        for at in [0, 2, 3] {
            env.finish(ids[at], tokens[at], None).await;
        }
        env.fail(ids[1], tokens[1]).await;
        let next: JobId = env.show(ids[1]).await["followUpID"].as_str().unwrap().parse().unwrap();
        let carries = format!("job 7 ({next}), which retries job 2 and is waiting");
        let message = format!("it depends on {carries}; {} running", named(4));
        assert_eq!(reason(env, waits).await, format!("dependency: {message}{expires}"));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_requires_finished_dependencies_does_not_wait_for_a_failed_one() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let noop = json!({"action": "noop"});
        let (fails, runs) = (env.submit(&noop).await, env.submit(&noop).await);
        let waits = json!({"action": "noop", "dependsOn": [fails, runs], "when": "finished"});
        let waits = env.submit(&waits).await;
        let token = env.claim(&worker, fails).await;
        env.fail(fails, token).await;
        env.claim(&worker, runs).await;
        let message = format!("dependency: it depends on job 2 ({runs}), which is running");
        assert_eq!(reason(env, waits).await, message);
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_dependency_has_a_taken_unique_key_waits_for_the_job_that_has_it() {
    with_env(async |env| {
        let unique = json!({"action": "noop", "uniqueKey": "u"});
        let first = env.submit(&unique).await;
        let jobs = [unique, json!({"action": "noop", "dependsOn": ["#0"]})];
        let jobs = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let waits = jobs["jobs"][1]["id"].as_str().unwrap().parse().unwrap();
        let message = format!("dependency: it depends on job 1 ({first}), which is waiting");
        assert_eq!(reason(env, waits).await, message);
    })
    .await;
}

#[tokio::test]
async fn a_parent_that_has_run_waits_for_its_children() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let parent = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, parent).await;
        let child = json!({"action": "noop", "parent": parent});
        let ids = [env.submit(&child).await, env.submit(&child).await];
        env.end(parent, token, Outcome::Await(None)).await;
        assert_eq!(reason(env, parent).await, "children: 2 of its children have not finished");
        let token = env.claim(&worker, ids[0]).await;
        env.finish(ids[0], token, None).await;
        assert_eq!(reason(env, parent).await, "children: 1 of its children has not finished");
    })
    .await;
}

#[tokio::test]
async fn a_job_waits_while_its_action_or_class_is_paused() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        env.command("/queues/default=1/pause").await;
        assert_eq!(reason(env, id).await, "paused: class default=1 is paused");
        env.command("/actions/noop/pause").await;
        assert_eq!(reason(env, id).await, "paused: action noop is paused");
        env.command("/queues/default=1/resume").await;
        env.command("/actions/noop/resume").await;
        assert_eq!(reason(env, id).await, "capacity: no live worker offers default=1");
    })
    .await;
}

#[tokio::test]
async fn the_reason_names_the_holder_of_a_lock_and_counts_the_jobs_ahead() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let mut ids = Vec::new();
        for day in 1..=3 {
            // The wait queue has the order of the due times.
            let due = format!("2020-01-0{day}T00:00:00Z");
            let job = json!({"action": "noop", "locks": ["devices"], "scheduledAt": due});
            ids.push(env.submit(&job).await);
        }
        let token = env.claim(&worker, ids[0]).await;
        let held = format!("lock: lock devices is held by job 1 ({})", ids[0]);
        assert_eq!(reason(env, ids[1]).await, held, "the job is offered, but its lock is held");
        env.park(&worker, ids[1]).await;
        env.park(&worker, ids[2]).await;
        assert_eq!(reason(env, ids[1]).await, held);
        assert_eq!(reason(env, ids[2]).await, format!("{held}; 1 ahead of it in the wait queue"));
        env.command(&format!("/jobs/{}/cancel", ids[0])).await;
        assert_eq!(reason(env, ids[1]).await, format!("{held}, which is stopping"));
        env.finish(ids[0], token, None).await;
        assert_eq!(reason(env, ids[1]).await, "queue: 0 ahead of it");
        let free = "lock: lock devices is free; 1 ahead of it in the wait queue";
        assert_eq!(reason(env, ids[2]).await, free);
    })
    .await;
}

async fn permits(env: &TestEnv, name: &str, permits: Value) {
    let answer = env.post("/locks", &json!({"name": name, "permits": permits})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn the_reason_counts_the_permits_of_a_lock() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        permits(env, "licences", json!(3)).await;
        let needs = |need: u32| json!({"action": "noop", "locks": {"licences": need}});
        let (two, also) = (env.submit(&needs(2)).await, env.submit(&needs(2)).await);
        env.claim(&worker, two).await;
        env.park(&worker, also).await;
        let message = "it needs 2 permits: 2 of the 3 permits of lock licences are held by";
        assert_eq!(reason(env, also).await, format!("lock: {message} job 1 ({two})"));
        let offered = env.submit(&needs(3)).await;
        let held = message.replace("it needs 2", "it needs 3");
        let held = format!("lock: {held} job 1 ({two}); 1 ahead of it in the wait queue");
        assert_eq!(
            reason(env, offered).await,
            held,
            "the job is offered, and will wait for the other"
        );
        permits(env, "licences", Value::Null).await;
        let message = "lock: it needs 2 permits of lock licences, which has 1 permit";
        assert_eq!(reason(env, also).await, message);
        assert_eq!(reason(env, offered).await, message.replace("needs 2", "needs 3"));
    })
    .await;
}

#[tokio::test]
async fn the_reason_names_the_limit_of_the_action() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        permits(env, "action:noop", json!(1)).await;
        let noop = json!({"action": "noop"});
        let (runs, waits) = (env.submit(&noop).await, env.submit(&noop).await);
        env.claim(&worker, runs).await;
        let message = format!("lock: the limit of action noop is held by job 1 ({runs})");
        assert_eq!(reason(env, waits).await, message);
        env.park(&worker, waits).await;
        assert_eq!(reason(env, waits).await, message);
    })
    .await;
}

#[tokio::test]
async fn the_reason_is_the_fairness_group_unless_no_worker_could_run_the_job() {
    with_env(async |env| {
        let jobs = vec![json!({"action": "noop", "fairnessKey": "a"}); 66];
        let jobs = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let others = env.submit(&json!({"action": "noop", "fairnessKey": "b"})).await;
        let id = |at: usize| jobs["jobs"][at]["id"].as_str().unwrap().parse::<JobId>().unwrap();
        let no_worker = "capacity: no live worker offers default=1";
        assert_eq!(reason(env, id(65)).await, no_worker);
        env.worker("default=16", &["noop"]).await;
        let mut behind = Vec::new();
        for at in 0..66 {
            let reason = reason(env, id(at)).await;
            behind.extend(reason.starts_with("fairness").then_some(reason));
        }
        behind.sort();
        let fairness = |ahead: u32| format!("fairness: {ahead} ahead of it in its fairness group");
        assert_eq!(behind, [fairness(64), fairness(65)]);
        assert_eq!(reason(env, others).await, "queue: 64 ahead of it");
    })
    .await;
}
