//! Jobs are cancelled in bulk, by filter.

use domain::job::Status;
use serde_json::json;
use store::JobFilter;

use crate::env::{TestEnv, with_env};

async fn cancelled(env: &TestEnv, query: &str) -> u64 {
    let answer = env.command(&format!("/jobs/cancel?{query}")).await;
    assert_eq!(answer.status, 202, "{query}: {}", answer.text);
    let json = answer.json();
    assert_eq!(json["more"], false, "{query}");
    json["cancelled"].as_u64().unwrap()
}

async fn count(env: &TestEnv, status: Status) -> u64 {
    let filter = JobFilter { statuses: vec![status], ..JobFilter::default() };
    env.store.jobs(&filter, 0, 0).await.unwrap().total
}

#[tokio::test]
async fn matching_unfinished_jobs_are_cancelled_and_counted_once() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["gc", "scan"]).await;
        let mut ids = Vec::new();
        for at in 1..=6 {
            let action = if at % 2 == 0 { "gc" } else { "scan" };
            let at = format!("2020-01-0{at}T00:00:00Z");
            ids.push(env.submit(&json!({"action": action, "scheduledAt": at})).await);
        }
        let later = json!({"action": "later", "scheduledAt": "2100-01-01T00:00:00Z"});
        env.submit(&later).await;
        let done = env.claim(&worker, ids[0]).await;
        env.finish(ids[0], done, None).await;
        env.claim(&worker, ids[1]).await;

        assert_eq!(cancelled(env, "status=done").await, 0);
        assert_eq!(cancelled(env, "action=none").await, 0);
        assert_eq!(
            cancelled(env, "since=2020-01-06T00:00:00Z&until=2021-01-01T00:00:00Z").await,
            1
        );
        assert_eq!(cancelled(env, "action=scan&status=waiting,done,error").await, 2);
        assert_eq!(cancelled(env, &format!("worker={worker}&running=true")).await, 1);
        assert_eq!(cancelled(env, &format!("worker={worker}")).await, 0);
        assert_eq!(cancelled(env, "all=true").await, 2);
        assert_eq!(cancelled(env, "all=true").await, 0);
        assert_eq!(count(env, Status::CancelRequest).await, 1);
        assert_eq!(count(env, Status::Cancel).await, 5);
        assert_eq!(env.show(ids[0]).await["status"], "done");
    })
    .await;
}

#[tokio::test]
async fn all_matching_jobs_are_cancelled_with_many_others_between_them() {
    with_env(async |env| {
        let mut jobs = vec![json!({"action": "noop"}); 2_000];
        jobs.extend(vec![json!({"action": "other"}); 2_000]);
        jobs.extend(vec![json!({"action": "noop"}); 2_000]);
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let mut all = 0;
        loop {
            let answer = env.command("/jobs/cancel?action=noop").await.json();
            all += answer["cancelled"].as_u64().unwrap();
            // A slow machine may need a second request.
            if answer["more"] == false {
                break;
            }
        }
        assert_eq!((all, count(env, Status::Cancel).await), (4_000, 4_000));
    })
    .await;
}
