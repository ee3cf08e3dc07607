//! The names by which the API is reached. A page whose host name is changed to resolve to a
//! loopback address (DNS rebinding) has the origin of the API, but sends its own name.

use api::Exposure;
use reqwest::header::HOST;
use serde_json::json;

use crate::env::{Answer, TestEnv, redis_url, send, with_env, with_env_exposed};
use crate::token_files::with_tokens;

async fn submit(env: &TestEnv, host: &str) -> Answer {
    let request = env.client.post(env.at("/jobs")).json(&json!({"action": "noop"}));
    send(request.header(HOST, host).header("sec-fetch-site", "same-origin")).await
}

#[tokio::test]
async fn without_tokens_a_loopback_address_is_not_reached_by_another_name() {
    with_env(async |env| {
        let own = env.url.trim_start_matches("http://");
        for host in ["localhost:8080", "127.0.0.1", "[::1]:8080", own] {
            assert_eq!(submit(env, host).await.status, 202, "{host}");
        }
        for host in ["rebound.example", "rebound.example:8080", "localhost.rebound.example"] {
            let refused = submit(env, host).await;
            assert_eq!(refused.code(), "421 WRONG_HOST", "{host}");
            assert!(refused.refusal().contains("CAPSTAN_HOSTS"), "{}", refused.text);
            assert_eq!(refused.detail(), json!({"host": host}));
            let read = env.client.get(env.at("/jobs")).header(HOST, host);
            assert_eq!(send(read).await.code(), "421 WRONG_HOST", "{host}");
        }
        let v1 = env.client.get(format!("{}/api/v1.0/jobs", env.url)).header(HOST, "a.example");
        let answer = send(v1).await;
        assert_eq!((answer.status, &answer.json()["status"]), (421, &json!("error")));
    })
    .await;
}

#[tokio::test]
async fn configured_names_are_accepted_and_no_others() {
    let exposure = Exposure { hosts: "jobs.example".parse().unwrap(), ..Exposure::default() };
    with_env_exposed(&redis_url(), exposure, async |env| {
        for (host, status) in [("jobs.example:8080", 202), ("localhost", 202), ("a.example", 421)] {
            assert_eq!(submit(env, host).await.status, status, "{host}");
        }
    })
    .await;
}

#[tokio::test]
async fn with_tokens_any_name_is_accepted() {
    with_tokens(async |env, _| {
        assert_eq!(submit(env, "behind-a-proxy.example").await.code(), "401 NOT_AUTHENTICATED");
    })
    .await;
}
