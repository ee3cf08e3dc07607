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
        let cases: [(&str, &[usize]); 29] = [
            ("", &[0, 1, 2, 3, 4, 5]),
            ("action=any&worker=any&running=any", &[0, 1, 2, 3, 4, 5]),
            ("action=gc", &[0, 2, 4]),
            ("sort=-scheduledAt&action=gc", &[0, 2, 4]),
            ("sort=scheduledAt", &[5, 4, 3, 2, 1, 0]),
            ("sort=-createdAt", &[5, 4, 3, 2, 1, 0]),
            ("sort=-createdAt&action=gc", &[4, 2, 0]),
            ("sort=-createdAt&status=done&since=2020-01-04T00:00:00Z", &[2]),
            ("scheduledBy=unknown&action=gc", &[0, 2, 4]),
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
async fn jobs_are_found_by_label_and_retries_keep_their_labels() {
    with_env(async |env| {
        let labels = json!({"team": "net", "tier": "1:a"});
        let job = json!({"action": "noop", "labels": labels, "fairnessKey": "t7"});
        let id = env.submit(&job).await;
        env.submit(&json!({"action": "noop", "labels": {"team": "web"}})).await;
        env.submit(&json!({"action": "noop"})).await;
        env.command(&format!("/jobs/{id}/cancel")).await;
        let retry = env.command(&format!("/jobs/{id}/retry")).await.json();
        assert_eq!(retry["labels"], labels);
        let found = async |query: &str| {
            let answer = env.get(&format!("/jobs?sort=-createdAt&{query}")).await.json();
            let jobs = answer["jobs"].as_array().unwrap();
            jobs.iter().map(|job| job["number"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(found("label=team:net").await, [4, 1]);
        assert_eq!(found("label=team:net&label=tier:1:a&status=waiting").await, [4]);
        assert_eq!(found("label=team:net&label=team:web").await, [] as [u64; 0]);
        assert_eq!(found("fairnessKey=t7").await, [4, 1]);
        assert_eq!(env.show(id).await["labels"], labels);
    })
    .await;
}

#[tokio::test]
async fn an_invalid_label_is_refused_by_name() {
    with_env(async |env| {
        let many: std::collections::BTreeMap<String, String> =
            (0..17).map(|index| (format!("n{index}"), String::new())).collect();
        let cases = [
            (json!({"a b": "x"}), "labels: \"a b\" is not a valid name of a label: it must be 1 to 63 characters of A-Z a-z 0-9 _ . - /"),
            (json!({"team": "x".repeat(64)}), "labels.team: it is longer than 63 characters"),
            (json!(many), "labels: 17 labels are more than the maximum of 16"),
            (json!({"team": 7}), "labels.team: invalid type: integer `7`, expected a string"),
        ];
        for (labels, why) in cases {
            let answer = env.post("/jobs", &json!({"action": "noop", "labels": labels})).await;
            assert_eq!(answer.refusal(), format!("400 INVALID_PARAMETERS {why}"));
        }
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
