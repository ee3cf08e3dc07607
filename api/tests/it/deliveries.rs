//! Only admins can keep the messages of subscriptions from being sent.

use domain::access_tokens::Role;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::env::{TestEnv, id_of, send};
use crate::token_files::{Tokens, with_tokens};

/// Creates a message of a subscription, and returns its job.
async fn message(env: &TestEnv, tokens: &Tokens) -> Value {
    let (anna, otto) = (tokens.of(Role::Admin), tokens.of(Role::Operator));
    let ops = json!({"name": "ops", "url": "http://127.0.0.1:9/"});
    assert_eq!(send(env.request_as("POST", "/subscriptions", anna).json(&ops)).await.status, 202);
    let answer = env.send_as("POST", "/subscriptions/ops/test", otto).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

/// Returns every request that could stop this job, or start one like it.
fn requests(env: &TestEnv, token: &str, job: &Value) -> Vec<RequestBuilder> {
    let request = |method: &str, path: &str| env.request_as(method, path, token);
    let of_job = format!("/jobs/{}", job["id"].as_str().unwrap());
    let forged = json!({"action": "deliver", "parameters": job["parameters"]});
    let v1 = env.client.put(format!("{}/api/v1.0/job/{}", env.url, job["number"]));
    vec![
        request("POST", "/jobs").json(&forged),
        request("POST", "/jobs/batch").json(&json!({"jobs": [{"action": "noop"}, forged]})),
        request("PATCH", &of_job).json(&json!({"scheduledAt": "2100-01-01T00:00:00Z"})),
        request("POST", &format!("{of_job}/retry")),
        v1.bearer_auth(token).json(&json!({"action": "ABORT"})),
        request("POST", &format!("{of_job}/cancel")),
        request("POST", "/jobs/cancel?action=deliver"),
        request("DELETE", &of_job),
        request("POST", "/actions/deliver/pause"),
        request("POST", "/actions/deliver/resume"),
    ]
}

#[tokio::test]
async fn an_operator_cannot_stop_or_forge_messages() {
    with_tokens(async |env, tokens| {
        let job = message(env, tokens).await;
        for (at, request) in requests(env, tokens.of(Role::Operator), &job).into_iter().enumerate()
        {
            let answer = send(request).await;
            assert_eq!(answer.status, 403, "{at}: {}", answer.text);
        }
        let shown = env.send_as("GET", "/jobs", tokens.of(Role::Viewer)).await;
        assert_eq!(shown.header("x-total-count"), Some("1"));
        for field in ["id", "status", "scheduledAt"] {
            assert_eq!(shown.json()["jobs"][0][field], job[field], "{field}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_admin_can_stop_messages() {
    with_tokens(async |env, tokens| {
        let job = message(env, tokens).await;
        for (at, request) in requests(env, tokens.of(Role::Admin), &job).into_iter().enumerate() {
            let answer = send(request).await;
            // A waiting job is not retried.
            let expected: &[u16] = if at == 3 { &[409] } else { &[200, 202, 204] };
            assert!(expected.contains(&answer.status), "{at}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn an_operator_cancels_all_jobs_but_messages() {
    with_tokens(async |env, tokens| {
        let message = message(env, tokens).await;
        let (anna, otto) = (tokens.of(Role::Admin), tokens.of(Role::Operator));
        let jobs = json!({"jobs": vec![json!({"action": "noop"}); 300]});
        assert_eq!(send(env.request_as("POST", "/jobs/batch", otto).json(&jobs)).await.status, 202);
        let mut cancelled = 0;
        loop {
            let answer = env.send_as("POST", "/jobs/cancel?all=true", otto).await.json();
            cancelled += answer["cancelled"].as_u64().unwrap();
            // A slow machine may need a second request.
            if answer["more"] == false {
                break;
            }
        }
        assert_eq!(cancelled, 300);
        let path = format!("/jobs/{}", id_of(&message));
        assert_eq!(env.send_as("GET", &path, otto).await.json()["status"], "waiting");
        let answer = env.send_as("POST", "/jobs/cancel?all=true", anna).await.json();
        assert_eq!(answer["cancelled"], 1);
    })
    .await;
}
