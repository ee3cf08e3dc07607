//! The values of a webhook's headers, which may be credentials, are in no answer and no event. The
//! store keeps them for the worker.

use domain::job::JobId;
use reqwest::Response;
use serde_json::{Value, json};

use crate::env::{Answer, TestEnv, id_of, with_env};

const SECRET: &str = "hunter2";

fn parameters(headers: &Value) -> Value {
    json!({"url": "https://example.org", "headers": headers, "body": {"a": 1}})
}

/// Checks an answer that contains the parameters at this path.
fn check(answer: &Answer, path: &str) -> Value {
    let json = answer.json();
    assert!(answer.status < 300, "{}", answer.text);
    assert!(!answer.text.contains(SECRET), "{}", answer.text);
    let shown = json.pointer(path).unwrap_or_else(|| panic!("no {path}: {}", answer.text));
    assert_eq!(*shown, parameters(&json!({"authorization": "***"})));
    json
}

async fn stored_headers(env: &TestEnv, id: JobId) -> Value {
    let job = env.store.job(id).await.unwrap().unwrap();
    job.spec.parameters.unwrap()["headers"].clone()
}

/// Reads events until the one of a job of the action `last`.
async fn events_until(mut events: Response, last: &str) -> String {
    let mut text = String::new();
    while !text.contains(&format!(r#""action":"{last}""#)) {
        let chunk = events.chunk().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[tokio::test]
async fn the_values_of_headers_are_in_no_answer_and_no_event_but_in_each_attempt() {
    with_env(async |env| {
        let events = env.client.get(env.at("/events")).send().await.unwrap();
        let headers = json!({"authorization": format!("Bearer {SECRET}")});
        let job = json!({"action": "webhook", "parameters": parameters(&headers)});
        let submitted = check(&env.post("/jobs", &job).await, "/parameters");
        let id = id_of(&submitted);
        let batch = env.post("/jobs/batch", &json!({"jobs": [job]})).await;
        assert!(!batch.text.contains(SECRET), "{}", batch.text);
        check(&env.get(&format!("/jobs/{id}")).await, "/parameters");
        check(&env.get("/jobs?limit=5").await, "/jobs/0/parameters");
        let change = json!({"priority": "high"});
        check(&env.patch(&format!("/jobs/{id}"), &change).await, "/parameters");
        check(&env.get_v1("/jobs").await, "/data/jobs/0/start_arguments");
        let number = &submitted["number"];
        check(&env.get_v1(&format!("/job/{number}")).await, "/data/jobs/0/start_arguments");

        let worker = env.worker("default=16", &["webhook"]).await;
        let token = env.claim(&worker, id).await;
        env.fail(id, token).await;
        let retried = check(&env.command(&format!("/jobs/{id}/retry")).await, "/parameters");
        for id in [id, id_of(&retried)] {
            assert_eq!(stored_headers(env, id).await, headers);
        }
        env.submit(&json!({"action": "last"})).await;
        let events = events_until(events, "last").await;
        assert!(events.contains(&id.to_string()) && !events.contains(SECRET), "{events}");
    })
    .await;
}

#[tokio::test]
async fn the_values_of_headers_are_not_shown_of_crons_and_action_configurations() {
    with_env(async |env| {
        let headers = json!({"authorization": SECRET});
        let cron = json!({
            "action": "webhook", "schedule": "@yearly", "parameters": parameters(&headers),
        });
        check(&env.post("/crons", &cron).await, "/parameters");
        check(&env.get("/crons").await, "/crons/0/parameters");
        check(&env.get("/crons/webhook").await, "/parameters");
        check(&env.command("/crons/webhook/pause").await, "/parameters");
        let fired = check(&env.command("/crons/webhook/run").await, "/parameters");
        assert_eq!(stored_headers(env, id_of(&fired)).await, headers);

        let config = json!({"action": "webhook", "parameters": parameters(&headers)});
        check(&env.post("/action_configs", &config).await, "/parameters");
        check(&env.get("/action_configs").await, "/actionConfigs/0/parameters");
        check(&env.get("/action_configs/webhook").await, "/parameters");
        let job = check(&env.post("/jobs", &json!({"action": "webhook"})).await, "/parameters");
        assert_eq!(stored_headers(env, id_of(&job)).await, headers);
    })
    .await;
}
