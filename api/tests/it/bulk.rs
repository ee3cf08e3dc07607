//! Bulk operations: dry runs, what they change and refuse, and that no death of an API loses any.

use domain::job::Status;
use serde_json::{Value, json};
use store::{BulkState, JobFilter, JobIndex};

use crate::api_process::Process;
use crate::env::{TestEnv, eventually, with_env};

async fn dry_run(env: &TestEnv, operation: &str, filter: Value) -> Value {
    let body = json!({"operation": operation, "filter": filter, "dryRun": true});
    let answer = env.post("/bulk", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Runs an operation to its end and returns it.
async fn done(env: &TestEnv, operation: &str, filter: Value) -> Value {
    let answer = env.post("/bulk", &json!({"operation": operation, "filter": filter})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let path = format!("/bulk/{}", answer.json()["id"].as_str().unwrap());
    let poll = async || env.get(&path).await.json();
    eventually(poll, |operation| operation["state"] != "running").await
}

async fn count(env: &TestEnv, status: Status) -> u64 {
    let filter = JobFilter { statuses: vec![status], ..JobFilter::default() };
    env.store.jobs(&filter, 0, 0).await.unwrap().total
}

async fn submit(env: &TestEnv, action: &str, jobs: usize) {
    let jobs = vec![json!({"action": action}); jobs];
    let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn a_dry_run_counts_what_the_operation_then_does() {
    with_env(async |env| {
        submit(env, "scan", 3).await;
        submit(env, "other", 2).await;
        let worker = env.worker("default=16", &["scan"]).await;
        let id = env.submit(&json!({"action": "scan"})).await;
        let token = env.claim(&worker, id).await;
        env.finish(id, token, None).await;

        let scans = json!({"action": "scan", "status": ["waiting", "done"]});
        let expected = json!({"eligible": 3, "refused": {"finished": 1}, "more": false});
        assert_eq!(dry_run(env, "cancel", scans.clone()).await, expected);
        assert_eq!(count(env, Status::Waiting).await, 5, "a dry run changes nothing");
        let cancelled = done(env, "cancel", scans).await;
        assert_eq!((&cancelled["state"], &cancelled["changed"]), (&json!("done"), &json!(3)));
        assert_eq!(cancelled["refused"], json!({"finished": 1}));
        assert_eq!(count(env, Status::Cancel).await, 3);

        // Jobs that are done are retried only if the filter says so.
        let scans = json!({"action": "scan"});
        let expected = json!({"eligible": 3, "refused": {}, "more": false});
        assert_eq!(dry_run(env, "retry", scans.clone()).await, expected);
        assert_eq!(done(env, "retry", scans.clone()).await["changed"], 3);
        let expected = json!({"eligible": 0, "refused": {"alreadyRetried": 3}, "more": false});
        assert_eq!(dry_run(env, "retry", scans).await, expected);
        assert_eq!(count(env, Status::Waiting).await, 5);

        let finished = json!({"status": ["done", "cancel"]});
        assert_eq!(done(env, "delete", finished).await["changed"], 4);
        assert_eq!(done(env, "delete", json!({"all": true})).await["changed"], 5);
        assert_eq!(count(env, Status::Waiting).await, 0);
        let listed = env.get("/bulk").await.json();
        assert_eq!(listed["operations"].as_array().unwrap().len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_filter_or_with_an_invalid_one_is_refused_by_field() {
    with_env(async |env| {
        let cases = [
            (json!({}), "400 INVALID_PARAMETERS operation: it is required"),
            (
                json!({"operation": "cancel"}),
                "400 INVALID_PARAMETERS filter: set all to true to select every job, or give a \
                 condition",
            ),
            (
                json!({"operation": "cancel", "filter": {"all": false, "action": "any"}}),
                "400 INVALID_PARAMETERS filter: set all to true to select every job, or give a \
                 condition",
            ),
            (
                json!({"operation": "retry", "filter": {"action": "a b"}}),
                "400 INVALID_PARAMETERS filter.action: \"a b\" is not a valid action name: it must \
                 be 1 to 64 characters of A-Z a-z 0-9 _ . -",
            ),
            (
                json!({"operation": "retry", "filter": {"running": true, "status": ["done"]}}),
                "400 INVALID_PARAMETERS filter.status: no job has one of these statuses and this \
                 running",
            ),
            (
                json!({"operation": "retry", "filter": {"status": []}}),
                "400 INVALID_PARAMETERS filter.status: it must name at least one status",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(env.post("/bulk", &body).await.refusal(), expected, "{body}");
        }
        let unknown = env.get("/bulk/8e5c4a0a-9a55-4d29-9dd5-0a4a8e9b7a11").await;
        assert_eq!(unknown.code(), "404 NO_SUCH_BULK_OPERATION");
        assert_eq!(env.command("/bulk/me/stop").await.code(), "404 NO_SUCH_BULK_OPERATION");
        assert_eq!(env.get("/bulk").await.json(), json!({"operations": []}));
    })
    .await;
}

/// The process is killed while the operation runs; the next one completes it.
#[tokio::test]
async fn an_operation_of_a_killed_api_is_completed_by_another() {
    let process = Process::start(&[]).await;
    let (store, client) = (process.store(), reqwest::Client::new());
    let submit = async |process: &Process, jobs: usize| {
        let body = json!({"jobs": vec![json!({"action": "noop"}); jobs]});
        let answer = client.post(process.at("/jobs/batch")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    };
    let status = async |status| store.count(&JobIndex::Statuses(vec![status])).await.unwrap();
    submit(&process, 8_000).await;
    let body = json!({"operation": "cancel", "filter": {"action": "noop"}});
    let begun = client.post(process.at("/bulk")).json(&body).send().await.unwrap();
    let begun: Value = begun.json().await.unwrap();
    let id = begun["id"].as_str().unwrap();
    eventually(async || status(Status::Cancel).await, |cancelled| *cancelled > 0).await;
    let process = process.kill_and_start_again().await;
    let cancelled = status(Status::Cancel).await;
    assert!(cancelled < 8_000, "the operation had ended before the process was killed");
    submit(&process, 1).await;
    // As if the claim of the killed process had been made a while ago.
    process.redis("hset", &format!("bulk:{id}"), &["claimedUntil", "1"]).await;

    let poll = async || store.bulk_operation(id.parse().unwrap()).await.unwrap().unwrap();
    let operation = eventually(poll, |one| one.state == BulkState::Done).await;
    assert_eq!((operation.progress.changed, operation.progress.refused.len()), (8_000, 0));
    assert_eq!(status(Status::Cancel).await, 8_000);
    assert_eq!(status(Status::Waiting).await, 1, "a job that was submitted later is not touched");
    process.remove_jobs().await;
}

#[tokio::test]
async fn a_stopped_operation_leaves_the_other_jobs_alone() {
    with_env(async |env| {
        for _ in 0..4 {
            submit(env, "noop", 2_000).await;
        }
        let body = json!({"operation": "delete", "filter": {"action": "noop"}});
        let begun = env.post("/bulk", &body).await.json();
        let path = format!("/bulk/{}", begun["id"].as_str().unwrap());
        let waiting = async || count(env, Status::Waiting).await;
        eventually(waiting, |waiting| *waiting < 8_000).await;
        let stopped = env.command(&format!("{path}/stop")).await;
        assert_eq!((stopped.status, &stopped.json()["state"]), (202, &json!("stopped")));
        // The step that was running ends and saves its counts.
        let all = async || {
            let changed = env.get(&path).await.json()["changed"].as_u64().unwrap();
            (changed, changed + count(env, Status::Waiting).await)
        };
        let (changed, _) = eventually(all, |(_, all)| *all == 8_000).await;
        assert!((1..8_000).contains(&changed), "{changed}");
        let again = env.command(&format!("{path}/stop")).await;
        assert_eq!((again.status, &again.json()["stoppedBy"]), (202, &json!("unknown")));
    })
    .await;
}
