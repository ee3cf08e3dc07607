//! Jobs are listed with filters, pages and totals.

use domain::job::{JobId, WorkerId};
use serde_json::json;

use crate::env::{TestEnv, with_env};

/// Six jobs of two actions in four statuses, latest first, and the worker that claimed four.
struct SixJobs {
    worker: WorkerId,
    ids: Vec<JobId>,
}

async fn submit_six(env: &TestEnv) -> SixJobs {
    let worker = env.worker("default=16", &["gc", "scan"]).await;
    let mut ids = Vec::new();
    let actions = ["gc", "scan", "gc", "scan", "gc", "scan"];
    for (at, action) in actions.into_iter().enumerate() {
        let at = format!("2020-01-0{}T00:00:00Z", 6 - at);
        ids.push(env.submit(&json!({"action": action, "scheduledAt": at})).await);
    }
    for (at, end) in ["", "", "done", "done", "error", "running"].into_iter().enumerate() {
        if end.is_empty() {
            continue;
        }
        let token = env.claim(&worker, ids[at]).await;
        match end {
            "done" => env.finish(ids[at], token, None).await,
            "error" => env.fail(ids[at], token).await,
            _ => {}
        }
    }
    SixJobs { worker, ids }
}

#[tokio::test]
async fn each_filter_lists_the_matching_jobs_latest_first_with_the_total() {
    with_env(async |env| {
        let six = submit_six(env).await;
        let worker = six.worker.as_str();
        let cases: [(&str, &[usize]); 26] = [
            ("", &[0, 1, 2, 3, 4, 5]),
            ("action=any&worker=any&running=any", &[0, 1, 2, 3, 4, 5]),
            ("action=gc", &[0, 2, 4]),
            ("sort=-scheduledAt&action=gc", &[0, 2, 4]),
            ("sort=scheduledAt", &[5, 4, 3, 2, 1, 0]),
            ("sort=-createdAt", &[5, 4, 3, 2, 1, 0]),
            ("sort=scheduledAt&action=gc&status=waiting,done", &[2, 0]),
            ("sort=scheduledAt&status=waiting,done", &[3, 2, 1, 0]),
            ("action=none", &[]),
            ("worker=0123456789ab", &[]),
            ("running=true", &[5]),
            ("running=T", &[5]),
            ("running=1", &[5]),
            ("running=false", &[0, 1, 2, 3, 4]),
            ("running=0", &[0, 1, 2, 3, 4]),
            ("running=f&action=scan", &[1, 3]),
            ("status=done", &[2, 3]),
            ("status=done,error", &[2, 3, 4]),
            ("status=deleted", &[]),
            ("status=done&running=true", &[]),
            ("status=waiting,running&running=true", &[5]),
            ("action=gc&status=done", &[2]),
            ("since=2020-01-03T00:00:00Z", &[0, 1, 2, 3]),
            ("until=2020-01-03T00:00:00Z", &[3, 4, 5]),
            ("since=2020-01-03T00:00:00Z&until=2020-01-04T00:00:00Z", &[2, 3]),
            ("since=2020-01-03T00:00:00Z&action=gc&status=done,error", &[2]),
        ];
        for (query, expected) in cases {
            check(env, &six, query, expected, expected.len()).await;
        }
        check(env, &six, &format!("worker={worker}"), &[2, 3, 4, 5], 4).await;
        check(env, &six, &format!("worker={worker}&action=scan"), &[3, 5], 2).await;
        check(env, &six, &format!("worker={worker}&running=true"), &[5], 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_page_has_the_total_of_all_pages() {
    with_env(async |env| {
        let six = submit_six(env).await;
        check(env, &six, "limit=2", &[0, 1], 6).await;
        check(env, &six, "start=4&limit=2", &[4, 5], 6).await;
        check(env, &six, "start=5&limit=1000", &[5], 6).await;
        check(env, &six, "start=6", &[], 6).await;
        check(env, &six, "limit=0", &[], 6).await;
        check(env, &six, "start=1&limit=1&action=gc", &[2], 3).await;
        check(env, &six, "start=1&limit=2&status=done,error,running", &[3, 4], 4).await;
        check(env, &six, "start=1&limit=1&status=done&action=gc", &[], 1).await;
    })
    .await;
}

#[tokio::test]
async fn ten_jobs_are_listed_by_default() {
    with_env(async |env| {
        let jobs = vec![json!({"action": "noop"}); 12];
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let answer = env.get("/jobs").await;
        assert_eq!(answer.json()["jobs"].as_array().unwrap().len(), 10);
        assert_eq!(answer.header("x-total-count"), Some("12"));
    })
    .await;
}

async fn check(env: &TestEnv, six: &SixJobs, query: &str, expected: &[usize], total: usize) {
    let answer = env.get(&format!("/jobs?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let json = answer.json();
    let found = json["jobs"].as_array().unwrap().iter().map(|job| {
        assert_eq!(job.get("waitingFor"), None, "a list has no wait reasons");
        let id: JobId = job["id"].as_str().unwrap().parse().unwrap();
        six.ids.iter().position(|one| *one == id).unwrap()
    });
    assert_eq!(found.collect::<Vec<_>>(), expected, "{query}");
    let total = total.to_string();
    assert_eq!(answer.header("x-total-count"), Some(total.as_str()), "{query}");
}
