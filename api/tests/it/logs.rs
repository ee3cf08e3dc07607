//! Logs are read as a whole, in part and as a stream.

use domain::job::{FencingToken, JobId};
use serde_json::{Value, json};

use crate::env::{TIMEOUT, TestEnv, send, with_env};

async fn running_job(env: &TestEnv) -> (JobId, FencingToken) {
    let worker = env.worker("default=16", &["noop"]).await;
    let id = env.submit(&json!({"action": "noop"})).await;
    (id, env.claim(&worker, id).await)
}

/// Reads a stream until it has `count` lines of text.
async fn read_lines(response: &mut reqwest::Response, text: &mut String, count: usize) {
    while text.lines().count() < count {
        let chunk = tokio::time::timeout(TIMEOUT, response.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("nothing followed {text:?}"));
        let chunk = chunk.unwrap().unwrap_or_else(|| panic!("the stream ended after {text:?}"));
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn a_log_is_an_array_of_its_lines() {
    with_env(async |env| {
        let (id, token) = running_job(env).await;
        let path = format!("/jobs/{id}/logs");
        let answer = env.get(&path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]"));
        assert_eq!(answer.header("content-type"), Some("application/json"));

        env.log(id, token, 0, &["a", "b \"quoted\"", ""]).await;
        let lines = env.get(&path).await.json();
        let line = &lines[1];
        assert_eq!((&line["data"], &line["lineNum"]), (&json!("b \"quoted\""), &json!(1)));
        assert_eq!(line["source"], "stdout");
        assert!(line["at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(lines.as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_long_log_is_read_as_a_whole_or_from_any_line() {
    with_env(async |env| {
        let (id, token) = running_job(env).await;
        let texts: Vec<String> = (0..2_500).map(|at| format!("line {at}")).collect();
        for (at, some) in texts.chunks(500).enumerate() {
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            env.log(id, token, at as u64 * 500, &some).await;
        }
        let cases = [
            ("", 0..2_500),
            ("offset=0&limit=0", 0..2_500),
            ("stream=false&limit=", 0..2_500),
            ("limit=1000", 0..1_000),
            ("limit=1001", 0..1_001),
            ("offset=999&limit=1002", 999..2_001),
            ("offset=2499", 2_499..2_500),
            ("offset=2500", 2_500..2_500),
            ("offset=2147483647&limit=2147483647", 0..0),
        ];
        for (query, expected) in cases {
            let lines = env.get(&format!("/jobs/{id}/logs?{query}")).await.json();
            let lines = lines.as_array().unwrap();
            assert_eq!(lines.len(), expected.len(), "{query}");
            for (line, at) in lines.iter().zip(expected) {
                assert_eq!((&line["lineNum"], &line["data"]), (&json!(at), &json!(texts[at])));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_sends_lines_as_they_are_written_and_ends_with_the_job() {
    with_env(async |env| {
        let (id, token) = running_job(env).await;
        env.log(id, token, 0, &["first"]).await;
        let url = env.at(&format!("/jobs/{id}/logs/?stream=t"));
        let mut response = env.client.get(url).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        assert_eq!(response.headers()["x-accel-buffering"], "no", "proxies must not buffer");
        let mut text = String::new();
        read_lines(&mut response, &mut text, 1).await;
        env.log(id, token, 1, &["second", "third"]).await;
        read_lines(&mut response, &mut text, 3).await;
        env.log(id, token, 3, &["last"]).await;
        env.finish(id, token, None).await;
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<String> =
            lines.map(|line| format!("{} {}", line["lineNum"], line["data"])).collect();
        assert_eq!(lines, ["0 \"first\"", "1 \"second\"", "2 \"third\"", "3 \"last\""]);
    })
    .await;
}

#[tokio::test]
async fn each_line_of_a_stream_matches_the_openapi_document() {
    with_env(async |env| {
        let (id, token) = running_job(env).await;
        env.log(id, token, 0, &["a", "\u{1f600} \"quoted\" \\ \u{1}\r", ""]).await;
        env.finish(id, token, None).await;
        let document = env.get("/docs.json").await.json();
        let content = &document["paths"]["/api/v0/jobs/{id}/logs"]["get"]["responses"]["200"];
        let schema = &content["content"]["application/x-ndjson"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/LogLine");
        let schema = &document["components"]["schemas"]["LogLine"];
        let properties = schema["properties"].as_object().unwrap();

        let text = env.get(&format!("/jobs/{id}/logs?stream=true")).await.text;
        let lines: Vec<Value> =
            text.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        for line in lines {
            let line = line.as_object().unwrap();
            assert!(line.keys().eq(properties.keys()), "{line:?}");
            for (name, value) in line {
                let kind = if value.is_u64() { "integer" } else { "string" };
                assert_eq!(properties[name]["type"], kind, "{name}");
                assert!(schema["required"].as_array().unwrap().contains(&json!(name)), "{name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_waits_for_a_job_that_has_not_started() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        let url = env.at(&format!("/jobs/{id}/logs?stream=1"));
        let mut response = env.client.get(url).send().await.unwrap();
        let token = env.claim(&worker, id).await;
        env.log(id, token, 0, &["started"]).await;
        let mut text = String::new();
        read_lines(&mut response, &mut text, 1).await;
        assert!(text.contains("started"));
    })
    .await;
}

#[tokio::test]
async fn an_event_stream_numbers_its_lines_and_ends_with_the_status() {
    with_env(async |env| {
        let (id, token) = running_job(env).await;
        let texts: Vec<String> = (0..1_200).map(|at| at.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        env.log(id, token, 0, &texts).await;
        env.finish(id, token, None).await;
        let events = async |query: &str, last: Option<&str>| {
            let url = env.at(&format!("/jobs/{id}/logs?stream=true{query}"));
            let request = env.client.get(url).header("accept", "text/html, text/event-stream");
            let request = last.into_iter().fold(request, |r, id| r.header("last-event-id", id));
            send(request).await
        };
        let answer = events("", None).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        let all: Vec<&str> = answer.text.split_terminator("\n\n").collect();
        assert_eq!(all.len(), 1_201);
        for (at, event) in all[..1_200].iter().enumerate() {
            let start = format!("id: {at}\ndata: {{\"data\":\"{at}\",\"lineNum\":{at},");
            assert!(event.starts_with(&start), "{event}");
        }
        assert_eq!(all[1_200], "event: end\ndata: {\"status\":\"done\"}");

        let rest = events("", Some("1197")).await.text;
        assert!(rest.starts_with("id: 1198\n"), "{rest}");
        let part = events("&offset=5&limit=2", Some("nonsense")).await.text;
        assert!(part.starts_with("id: 5\n") && part.matches("id: ").count() == 2, "{part}");
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_when_the_service_shuts_down() {
    with_env(async |env| {
        let (id, token) = running_job(env).await;
        env.log(id, token, 0, &["only"]).await;
        let url = env.at(&format!("/jobs/{id}/logs?stream=true"));
        let mut response = env.client.get(url).send().await.unwrap();
        let mut text = String::new();
        read_lines(&mut response, &mut text, 1).await;
        env.shutdown.cancel();
        let end = response.chunk().await;
        assert!(matches!(end, Ok(None)), "{end:?}");
    })
    .await;
}

#[tokio::test]
async fn the_number_of_streams_is_limited() {
    with_env(async |env| {
        let (id, _) = running_job(env).await;
        let url = env.at(&format!("/jobs/{id}/logs?stream=true"));
        let mut streams = Vec::new();
        for _ in 0..256 {
            let response = env.client.get(&url).send().await.unwrap();
            assert_eq!(response.status(), 200);
            streams.push(response);
        }
        let answer = send(env.client.get(&url)).await;
        assert_eq!(answer.code(), "503 UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(env.get(&format!("/jobs/{id}/logs")).await.status, 200);
    })
    .await;
}
