//! Jobs are submitted, one by one and in batches.

use std::collections::HashSet;

use domain::job::{ActionName, Status};
use serde_json::{Value, json};
use store::{ActionDefaults, JobFilter};
use tokio::task::JoinSet;

use crate::env::{Answer, TestEnv, eventually, send, with_env};

async fn count(env: &TestEnv) -> u64 {
    env.store.jobs(&JobFilter::default(), 0, 0).await.unwrap().total
}

#[tokio::test]
async fn a_submitted_job_has_its_values_and_is_stored() {
    with_env(async |env| {
        let submission = json!({
            "action": "scan", "parameters": {"a": [1, {"b": null}]}, "retries": 2,
            "capacityMap": {"scan": 1}, "deadline": "15m", "stopTimeout": "5s",
            "scheduledAt": "2100-01-01T00:00:00Z", "priority": "high", "comment": "c",
            "ticketRef": "t", "uniqueKey": "u", "expiresAt": "2100-01-01T00:00:01Z",
            "backoff": {"base": "2s", "max": "1m"}, "onWorkerLost": "fail", "strictLease": true,
            "labels": {"team": "network"},
        });
        let answer = env.post("/jobs", &submission).await;
        assert_eq!(answer.status, 202);
        let job = answer.json();
        for (name, value) in submission.as_object().unwrap() {
            if name != "retries" {
                assert_eq!(job[name], *value, "{name}");
            }
        }
        assert_eq!(job["retriesLeft"], 2);
        assert_eq!(job["retriesTotal"], 2);
        assert_eq!(job["retryFromID"], job["id"]);
        assert_eq!(job["scheduledBy"], "unknown");
        assert_eq!(job["number"], 1);

        let mut shown = env.get(&format!("/jobs/{}", job["id"].as_str().unwrap())).await.json();
        for detail in ["checkpoint", "signal", "waitingFor", "children"] {
            shown.as_object_mut().unwrap().remove(detail);
        }
        assert_eq!(shown, job, "the response equals the stored job");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_has_expired_already_is_refused_unless_the_request_is_a_repeat() {
    with_env(async |env| {
        let past = json!({"action": "noop", "expiresAt": "2020-01-01T00:00:00Z"});
        let answer = env.post("/jobs", &past).await;
        assert_eq!(answer.refusal(), "400 INVALID_PARAMETERS expiresAt: it is in the past");
        let batch = json!({"jobs": [{"action": "noop"}, past]});
        let answer = env.post("/jobs/batch", &batch).await;
        assert_eq!(answer.refusal(), "400 INVALID_PARAMETERS jobs[1].expiresAt: it is in the past");
        assert_eq!(count(env).await, 0);

        // The time is still in the future when the request is sent first.
        let soon = env.store.now().await.unwrap().ms() + 2_000;
        let soon = domain::job::Timestamp::from_ms(soon).to_string();
        let expiring = json!({"action": "noop", "expiresAt": soon});
        let submit = async || {
            let request = env.client.post(env.at("/jobs")).header("Idempotency-Key", "once");
            send(request.json(&expiring)).await
        };
        let first = submit().await;
        assert_eq!(first.status, 202, "{}", first.text);
        let passed = async || env.store.now().await.unwrap().to_string() > soon;
        eventually(passed, |passed| *passed).await;
        let second = submit().await;
        assert_eq!((second.status, &second.json()["id"]), (202, &first.json()["id"]));
    })
    .await;
}

#[tokio::test]
async fn a_body_needs_no_content_type_and_can_have_a_character_set() {
    with_env(async |env| {
        let types = [None, Some("application/json; charset=utf-8"), Some("application/x+json")];
        for kind in types {
            let request = env.client.post(env.at("/jobs")).body(r#"{"action":"noop"}"#);
            let request = kind.into_iter().fold(request, |r, kind| r.header("content-type", kind));
            assert_eq!(send(request).await.status, 202, "{kind:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_defaults_of_the_action_apply_unless_the_job_sets_a_value() {
    with_env(async |env| {
        let action: ActionName = "scan".parse().unwrap();
        let defaults: ActionDefaults = serde_json::from_value(json!({
            "capacityMap": {"scan": 1}, "retries": 3, "deadline": "1m", "stopTimeout": "2s",
        }))
        .unwrap();
        env.store.announce(&[(action, defaults)]).await.unwrap();

        let job = env.post("/jobs", &json!({"action": "scan"})).await.json();
        let id = job["id"].as_str().unwrap().parse().unwrap();
        let kept = env.store.job(id).await.unwrap().unwrap();
        assert_eq!(kept.class.as_str(), "scan=1");
        assert_eq!(job["capacityMap"], Value::Null, "the submitted value is shown");
        assert_eq!((&job["retriesTotal"], &job["deadline"]), (&json!(3), &json!("1m")));
        assert_eq!(job["stopTimeout"], "2s");

        let own = json!({
            "action": "scan", "capacityMap": {}, "retries": 0, "deadline": "5m",
            "stopTimeout": "9s",
        });
        let job = env.post("/jobs", &own).await.json();
        let id = job["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(env.store.job(id).await.unwrap().unwrap().class.as_str(), "default=1");
        assert_eq!((&job["retriesTotal"], &job["deadline"]), (&json!(0), &json!("5m")));
        assert_eq!(job["stopTimeout"], "9s");
    })
    .await;
}

#[tokio::test]
async fn concurrent_submissions_each_get_their_own_job() {
    with_env(async |env| {
        let mut requests: JoinSet<(usize, Answer)> = JoinSet::new();
        for at in 0..200 {
            let body = json!({"action": "noop", "parameters": {"at": at}});
            let request = env.client.post(env.at("/jobs")).json(&body);
            requests.spawn(async move { (at, send(request).await) });
        }
        let mut numbers = HashSet::new();
        for (at, answer) in requests.join_all().await {
            assert_eq!(answer.status, 202);
            let job = answer.json();
            assert_eq!(job["parameters"], json!({"at": at}));
            numbers.insert(job["number"].as_u64().unwrap());
        }
        assert_eq!(numbers, (1..=200).collect());
        assert_eq!(count(env).await, 200);
    })
    .await;
}

#[tokio::test]
async fn one_class_too_many_is_refused_and_other_submissions_succeed() {
    with_env(async |env| {
        let of_type = |at: u32| json!({"action": "noop", "capacityMap": {(format!("t{at}")): 1}});
        let allowed: Vec<Value> = (0..256).map(of_type).collect();
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": allowed})).await.status, 202);

        let mut requests = JoinSet::new();
        for at in 246..266 {
            let request = env.client.post(env.at("/jobs")).json(&of_type(at));
            requests.spawn(async move { (at, send(request).await) });
        }
        for (at, answer) in requests.join_all().await {
            if at < 256 {
                assert_eq!(answer.status, 202, "{}", answer.text);
            } else {
                assert_eq!(answer.code(), "409 CONFLICT");
            }
        }
        assert_eq!(count(env).await, 256 + 10);
    })
    .await;
}

#[tokio::test]
async fn the_jobs_of_a_batch_are_returned_in_order() {
    with_env(async |env| {
        let job = |at: u32| json!({"action": "noop", "parameters": {"at": at}});
        let jobs: Vec<Value> = (0..2_345).map(job).collect();
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
        assert_eq!(answer.status, 202);
        let answered = answer.json();
        let answered = answered["jobs"].as_array().unwrap();
        for (at, job) in answered.iter().enumerate() {
            assert_eq!(job["parameters"]["at"], at);
            assert_eq!(job["number"], at + 1);
        }
        assert_eq!(answered.len(), 2_345);
        let counts = env.store.counts().await.unwrap();
        assert_eq!(counts[0], (Status::Waiting, 2_345));
    })
    .await;
}

#[tokio::test]
async fn a_batch_can_be_empty_or_have_ten_thousand_jobs() {
    with_env(async |env| {
        let answer = env.post("/jobs/batch", &json!({"jobs": []})).await;
        assert_eq!((answer.status, answer.json()), (202, json!({"jobs": []})));
        let jobs = vec![json!({"action": "noop"}); 10_000];
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        assert_eq!(count(env).await, 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_batch_with_one_invalid_job_creates_nothing() {
    with_env(async |env| {
        let mut jobs = vec![json!({"action": "noop"}); 150];
        jobs[123] = json!({"action": "noop", "retries": 101});
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
        let refusal = answer.refusal();
        let message = "jobs[123].retries: it must be a whole number from 0 to 100";
        assert_eq!(refusal, format!("400 INVALID_PARAMETERS {message}"));
        let detail = &answer.json()["errors"][0]["detail"];
        assert_eq!(*detail, json!({"index": 123, "field": "retries"}));
        assert_eq!(count(env).await, 0);
        assert_eq!(env.keys_of_requests().await, Vec::<String>::new());
    })
    .await;
}
