//! Jobs are aborted.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixtures::{error, numbers};
use crate::env::{send, with_env};

#[tokio::test]
async fn a_scheduled_job_is_aborted_at_once_and_a_running_one_is_aborting() {
    with_env(async |env| {
        env.submit(&json!({"action": "gc"})).await;
        let answer = env.put_v1(1, &json!({"action": "abort", "abort_reason": "no"})).await;
        assert_eq!(numbers(&answer), [1]);
        let job = answer.json()["data"]["jobs"][0].clone();
        assert_eq!(job["status"], "ABORTED");
        assert_eq!(job["result"], json!({"message": "no (aborted by unknown)"}));
        assert_eq!((&job["start_time"], job["finish_time"].is_string()), (&Value::Null, true));

        let (id, token) = env.submit_running("scan").await;
        let long = "x".repeat(300);
        let body = json!({"action": "ABORT", "abort_reason": long});
        let answer = env.put_v1(2, &body).await;
        assert_eq!(answer.json()["data"]["jobs"][0]["status"], "ABORTING");
        let again = env.put_v1(2, &json!({"action": "ABORT"})).await;
        let text =
            "400 Job id 2 is in state JobStatus.ABORTING, must be SCHEDULED or RUNNING to abort";
        assert_eq!(error(&again), text);
        env.finish_cancelled(id, token).await;
        let job = env.get_v1("/job/2").await.json()["data"]["jobs"][0].clone();
        let message = format!("{} (aborted by unknown)", "x".repeat(255));
        assert_eq!(
            (&job["status"], &job["result"]["message"]),
            (&json!("ABORTED"), &json!(message))
        );

        // A published client sends an empty body.
        env.submit(&json!({"action": "gc"})).await;
        let url = format!("{}/api/v1.0/job/3", env.url);
        let answer = send(env.client.put(url)).await;
        let result = &answer.json()["data"]["jobs"][0]["result"];
        assert_eq!(*result, json!({"message": "Aborted via API call (aborted by unknown)"}));
    })
    .await;
}

#[tokio::test]
async fn an_invalid_abort_is_refused_with_the_text_of_the_reference() {
    with_env(async |env| {
        let (id, token) = env.submit_running("scan").await;
        let cases = [
            (7, json!({}), "400 Action must be specified"),
            (7, json!({"action": "FOO"}), "400 No job with id 7 found"),
            (1, json!({"action": "foo"}), "400 Unknown action: FOO"),
            (1, json!({"action": null}), "400 Unknown action: NONE"),
            (1, json!({"action": 5}), "400 Unknown action: 5"),
            (1, json!([]), "400 Bad Request: body: it must be a JSON object"),
            (1, json!(null), "400 Bad Request: body: it must be a JSON object"),
        ];
        for (number, body, expected) in cases {
            assert_eq!(error(&env.put_v1(number, &body).await), expected, "{body}");
        }
        let put = |kind: &str, body: &str| {
            let url = format!("{}/api/v1.0/job/1", env.url);
            send(env.client.put(url).header("content-type", kind).body(body.to_owned()))
        };
        let form = put("application/x-www-form-urlencoded", "action=ABORT").await;
        assert!(error(&form).starts_with("415 Unsupported Media Type"), "{}", form.text);
        let broken = put("application/json", "{").await;
        assert!(error(&broken).starts_with("400 Bad Request: the body is not valid JSON"));
        let large = put("application/json", &" ".repeat(1024 * 1024 + 1)).await;
        assert!(error(&large).starts_with("413 Request Entity Too Large"));
        for method in [Method::POST, Method::DELETE, Method::PATCH] {
            let url = format!("{}/api/v1.0/job/1", env.url);
            let answer = send(env.client.request(method, url)).await;
            assert!(error(&answer).starts_with("405 Method Not Allowed"), "{}", answer.text);
        }
        assert_eq!(env.show(id).await["status"], "running");

        env.finish(id, token, None).await;
        let late = env.put_v1(1, &json!({"action": "ABORT"})).await;
        let text =
            "400 Job id 1 is in state JobStatus.FINISHED, must be SCHEDULED or RUNNING to abort";
        assert_eq!(error(&late), text);
    })
    .await;
}
