//! Invalid requests are refused in the shape of the surface.

use domain::job::JobId;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use crate::env::{TestEnv, send, with_env};

async fn post(env: &TestEnv, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> String {
    let request = env.client.post(env.at(path)).header("content-type", kind).body(body);
    send(request).await.refusal()
}

const JSON: &str = "application/json";

#[tokio::test]
async fn a_body_that_is_not_valid_json_is_answered_400() {
    with_env(async |env| {
        let deep = "[".repeat(100_000);
        let bodies: [&[u8]; 7] =
            [b"", b"{", b"nonsense", b"{\"\xff\":1}", b"\xef\xbb\xbf{}", b"{}}", &[0]];
        for path in ["/jobs", "/jobs/batch"] {
            for body in bodies.into_iter().chain([deep.as_bytes()]) {
                let answer = post(env, path, JSON, body.to_vec()).await;
                let at = String::from_utf8_lossy(&body[..body.len().min(20)]);
                let expected = ["400 INVALID_JSON", "400 INVALID_PARAMETERS body"];
                assert!(expected.iter().any(|one| answer.starts_with(one)), "{at}: {answer}");
            }
        }
        // A word of the wrong type is named only in valid JSON.
        let answer = post(env, "/jobs", JSON, b"{\"priority\":5".to_vec()).await;
        assert!(answer.starts_with("400 INVALID_JSON"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_or_unknown_field_is_named() {
    with_env(async |env| {
        let cases = [
            (r#"{"action":5}"#, "action: invalid type: integer `5`, expected a string"),
            (r#"{"action":"a","priority":5}"#, "priority: invalid type, expected a string"),
            (
                r#"{"action":"a","onWorkerLost":[{"a":"}"}]}"#,
                "onWorkerLost: invalid type, expected a string",
            ),
            ("{}", "action: it is required"),
            ("[]", "body: invalid type: array, expected an object"),
            (
                r#"{"action":"a","retries":99999999999999999999}"#,
                "retries: invalid type: floating point `1e+20`, \
                 expected a non-negative whole number",
            ),
        ];
        for (body, message) in cases {
            let expected = format!("400 INVALID_PARAMETERS {message}");
            assert_eq!(post(env, "/jobs", JSON, body).await, expected);
        }
        for field in ["lock", "depends_on", "scheduledBy", "Idempotency-Key"] {
            let answer = env.post("/jobs", &json!({"action": "noop", (field): null})).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{field}");
            assert_eq!(answer.json()["errors"][0]["detail"], json!({"field": field}));
        }
    })
    .await;
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_refused_with_the_name_of_the_header() {
    with_env(async |env| {
        let long = "x".repeat(256);
        for path in ["/jobs", "/jobs/batch"] {
            for key in ["".as_bytes(), long.as_bytes(), "ü".as_bytes(), b"a\tb", b"\xff"] {
                let request = env.client.post(env.at(path)).json(&json!({"action": "noop"}));
                let key = HeaderValue::from_bytes(key).unwrap();
                let answer = send(request.header("Idempotency-Key", key)).await;
                assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{path}");
                let detail = &answer.json()["errors"][0]["detail"];
                assert_eq!(*detail, json!({"field": "Idempotency-Key"}), "{path}");
            }
            let request = env.client.post(env.at(path)).json(&json!({"action": "noop"}));
            let request = request.header("Idempotency-Key", "a").header("Idempotency-Key", "b");
            let message = "400 INVALID_PARAMETERS Idempotency-Key: it must not be given twice";
            assert_eq!(send(request).await.refusal(), message);
        }
    })
    .await;
}

#[tokio::test]
async fn a_command_to_an_unknown_object_is_answered_404_and_an_invalid_one_400() {
    with_env(async |env| {
        let unknown = JobId::random();
        for id in [unknown.to_string().as_str(), "no-uuid", "%ff", "batch"] {
            for command in ["cancel", "retry"] {
                let answer = env.command(&format!("/jobs/{id}/{command}")).await;
                assert_eq!(answer.code(), "404 NO_SUCH_JOB", "{id} {command}");
            }
            assert_eq!(env.delete(&format!("/jobs/{id}")).await.status / 100, 4, "{id}");
            for command in ["drain", "resume", "capacity"] {
                let path = format!("/workers/{id}/{command}");
                let answer = env.post(&path, &json!({"capacityMap": {}})).await;
                assert_eq!(answer.code(), "404 NO_SUCH_WORKER", "{id} {command}");
            }
        }
        assert_eq!(env.delete(&format!("/jobs/{unknown}")).await.code(), "404 NO_SUCH_JOB");
        let cases = [
            ("/workers/0123456789ab/capacity", "{}", "capacityMap"),
            ("/workers/0123456789ab/capacity", r#"{"capacityMap":null}"#, "capacityMap"),
            ("/workers/0123456789ab/capacity", r#"{"capacityMap":{"a b":1}}"#, "capacityMap"),
            ("/workers/0123456789ab/capacity", r#"{"capacityMap":{},"x":1}"#, "x"),
            ("/meta/settings", r#"{"jobHistoryToKeep":-1}"#, "jobHistoryToKeep"),
            ("/meta/settings", r#"{"jobHistoryMaxAge":"2 months"}"#, "jobHistoryMaxAge"),
            ("/meta/settings", r#"{"scanningEnabled":true}"#, "scanningEnabled"),
            ("/jobs/cancel", "", "all"),
            ("/jobs/cancel?all=false", "", "all"),
            ("/jobs/cancel?status=finished", "", "status"),
            ("/jobs/cancel?limit=1", "", "limit"),
        ];
        for (path, body, field) in cases {
            let answer = send(env.client.post(env.at(path)).body(body)).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{path} {body}");
            let detail = &answer.json()["errors"][0]["detail"];
            assert_eq!(*detail, json!({"field": field}), "{path} {body}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_or_field_that_is_too_large_is_answered_413_with_the_limit() {
    with_env(async |env| {
        let spaces = |mebibytes: usize| " ".repeat(mebibytes * 1024 * 1024 + 1);
        let cases = [("/jobs", 1, 1_048_576), ("/jobs/batch", 10, 10_485_760)];
        for (path, mebibytes, limit) in cases {
            let answer = post(env, path, JSON, spaces(mebibytes)).await;
            let message = format!("body: larger than the limit of {limit} bytes");
            assert_eq!(answer, format!("413 INVALID_PARAMETERS {message}"));
        }
        let large = json!({"action": "noop", "parameters": {"a": "x".repeat(64 * 1024)}});
        let answer = env.post("/jobs", &large).await;
        assert_eq!(answer.code(), "413 INVALID_PARAMETERS");
        let jobs = json!({"jobs": [{"action": "noop"}, large]});
        let answer = env.post("/jobs/batch", &jobs).await;
        assert_eq!(answer.code(), "413 INVALID_PARAMETERS");
        let detail = json!({"field": "parameters", "index": 1, "limitBytes": 65_536});
        assert_eq!(answer.json()["errors"][0]["detail"], detail);
    })
    .await;
}

#[tokio::test]
async fn a_body_with_another_content_type_is_answered_415() {
    with_env(async |env| {
        for path in ["/jobs", "/jobs/batch"] {
            for kind in ["text/plain", "application/x-www-form-urlencoded", "nonsense", "json"] {
                let answer = post(env, path, kind, r#"{"action":"noop"}"#).await;
                assert!(answer.starts_with("415 UNSUPPORTED_MEDIA_TYPE"), "{kind}: {answer}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_or_invalid_id_is_answered_404() {
    with_env(async |env| {
        let unknown = JobId::random().to_string();
        let long = "x".repeat(2_000);
        let ids = [&unknown, "1", "no-uuid", "%ff", "%zz", "%00", "ä", &long];
        for id in ids {
            for path in [format!("/jobs/{id}"), format!("/jobs/{id}/logs")] {
                assert_eq!(env.get(&path).await.code(), "404 NO_SUCH_JOB", "{path}");
            }
            let answer = env.get(&format!("/workers/{id}")).await;
            assert_eq!(answer.code(), "404 NO_SUCH_WORKER", "{id}");
        }
        assert_eq!(env.get("/workers/0123456789ab").await.code(), "404 NO_SUCH_WORKER");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_path_is_answered_404() {
    with_env(async |env| {
        let paths = ["/nowhere", "/api", "/api/v0", "/api/v0/job", "/api/v0/jobs/1/logs/2", "/%ff"];
        let admin = ["/livez", "/readyz", "/metrics"];
        for path in paths.into_iter().chain(admin) {
            let answer = send(env.client.get(format!("{}{path}", env.url))).await;
            assert_eq!(answer.code(), "404 NO_SUCH_ROUTE", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_method_that_a_route_does_not_support_is_answered_405_with_those_it_does() {
    with_env(async |env| {
        let cases = [
            ("/jobs", "PUT", "GET,HEAD,POST"),
            ("/jobs", "DELETE", "GET,HEAD,POST"),
            ("/jobs/batch", "GET", "POST"),
            ("/jobs/1", "POST", "PATCH,GET,HEAD,DELETE"),
            ("/locks", "PUT", "GET,HEAD,POST"),
            ("/locks/a", "POST", "GET,HEAD,DELETE"),
            ("/queues/default=1/pause", "GET", "POST"),
            ("/actions/noop/resume", "DELETE", "POST"),
            ("/jobs/cancel", "GET", "POST"),
            ("/jobs/1/cancel", "DELETE", "POST"),
            ("/workers/1/drain", "GET", "POST"),
            ("/meta/settings", "PUT", "GET,HEAD,POST"),
            ("/workers", "PATCH", "GET,HEAD"),
            ("/docs.json", "POST", "GET,HEAD"),
            ("/jobs", "NONSENSE", "GET,HEAD,POST"),
        ];
        for (path, method, allowed) in cases {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = send(env.client.request(method.clone(), env.at(path))).await;
            assert_eq!(answer.code(), "405 NOT_ALLOWED", "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_invalid_query_is_refused_with_the_name_of_the_parameter() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        let logs = format!("/jobs/{id}/logs");
        let cases = [
            ("/jobs", "limit=1001", "limit"),
            ("/jobs", "limit=-1", "limit"),
            ("/jobs", "start=18446744073709551616", "start"),
            ("/jobs", "start=2147483648", "start"),
            ("/jobs", "running=perhaps", "running"),
            ("/jobs", "status=finished", "status"),
            ("/jobs", "worker=me", "worker"),
            ("/jobs", "action=a%20b", "action"),
            ("/jobs", "action=%ff", "action"),
            ("/jobs", "since=0", "since"),
            ("/jobs", "until=now", "until"),
            ("/jobs", "parent=1", "parent"),
            ("/jobs", "sort=action", "sort"),
            ("/jobs", "start=1&start=1", "start"),
            (&logs, "offset=x", "offset"),
            (&logs, "limit=99999999999", "limit"),
            (&logs, "stream=perhaps", "stream"),
            (&logs, "follow=true", "follow"),
        ];
        for (path, query, field) in cases {
            let answer = env.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{query}");
            let detail = &answer.json()["errors"][0]["detail"];
            assert_eq!(*detail, json!({"field": field}), "{query}");
        }
        for start in ["2147483647", ""] {
            assert_eq!(env.get(&format!("/jobs?start={start}")).await.status, 200);
        }
    })
    .await;
}
