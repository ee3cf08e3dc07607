//! The stream of events.

use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::env::{TIMEOUT, TestEnv, eventually, send, with_env, with_env_on};
use crate::redis_server::Redis;

/// A client that reads events one by one.
struct Stream {
    response: Response,
    headers: HeaderMap,
    text: String,
}

/// An event: its name, its id, its data.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    async fn open(env: &TestEnv, query: &str, last: Option<&str>) -> Stream {
        let request = env.client.get(env.at(&format!("/events{query}"))).timeout(TIMEOUT * 3);
        let request = last.into_iter().fold(request, |r, id| r.header("last-event-id", id));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let headers = response.headers().clone();
        Stream { response, headers, text: String::new() }
    }

    /// Returns the next block of text up to an empty line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = tokio::time::timeout(TIMEOUT, self.response.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("nothing followed {:?}", self.text));
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    async fn event(&mut self) -> Event {
        let block = self.block().await.expect("the stream has not ended");
        let line = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        let data = serde_json::from_str(&line("data: ")).unwrap_or_else(|_| panic!("{block:?}"));
        Event { name: line("event: "), id: line("id: "), data }
    }

    /// Returns summaries of the next events.
    async fn summaries(&mut self, count: usize) -> Vec<String> {
        let mut summaries = Vec::new();
        for _ in 0..count {
            let Event { name, data, .. } = self.event().await;
            let values = [&data["number"], &data["status"], &data["change"], &data["progress"]];
            let values: Vec<String> =
                values.iter().filter(|one| !one.is_null()).map(ToString::to_string).collect();
            summaries.push(format!("{name} {}", values.join(" ")));
        }
        summaries
    }
}

#[tokio::test]
async fn every_change_is_sent_once_and_in_order() {
    with_env(async |env| {
        let mut all = Stream::open(env, "", None).await;
        assert_eq!(all.headers["content-type"], "text/event-stream");
        assert_eq!(all.headers["cache-control"], "no-store");
        let mut gc = Stream::open(env, "/?action=gc&kind=job", None).await;
        let mut fleet = Stream::open(env, "?kind=worker,cron", None).await;

        let worker = env.worker("default=16", &["gc", "scan"]).await;
        let first = env.submit(&json!({"action": "gc"})).await;
        let second = env.submit(&json!({"action": "scan"})).await;
        let token = env.claim(&worker, first).await;
        let progress = json!({"percent": 50});
        env.store.progress(first, token, &progress).await.unwrap();
        env.finish(first, token, None).await;
        env.command(&format!("/jobs/{second}/cancel")).await;
        let cron = json!({"action": "gc", "schedule": "@yearly", "name": "c"});
        assert_eq!(env.post("/crons", &cron).await.status, 202);

        let expected = [
            "worker \"running\"",
            "job 1 \"waiting\"",
            "job 2 \"waiting\"",
            "job 1 \"running\"",
            "job 1 {\"percent\":50}",
            "job 1 \"done\"",
            "job 2 \"cancel\"",
            "cron \"created\"",
        ];
        assert_eq!(all.summaries(8).await, expected);
        let of_gc = [1, 3, 4, 5].map(|at: usize| expected[at]);
        assert_eq!(gc.summaries(4).await, of_gc);
        assert_eq!(fleet.summaries(2).await, [expected[0], expected[7]]);
        let mut one = Stream::open(env, &format!("?job={second}"), Some("0-0")).await;
        let event = one.event().await;
        assert_eq!(event.data["jobID"], json!(second));
        assert_eq!(event.data["kind"], "job");
        assert_eq!(event.data["workerID"], Value::Null);
        assert_eq!(one.summaries(1).await, ["job 2 \"cancel\""]);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reconnects_resumes_after_its_last_event() {
    with_env(async |env| {
        let jobs = vec![json!({"action": "noop"}); 1_000];
        let mut stream = Stream::open(env, "", None).await;
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let mut ids = Vec::new();
        for number in 1..=337 {
            let event = stream.event().await;
            assert_eq!(event.data["number"], json!(number));
            ids.push(event.id);
        }
        drop(stream);
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let mut stream = Stream::open(env, "", ids.last().map(String::as_str)).await;
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        for number in 338..=3_000 {
            let event = stream.event().await;
            assert_eq!((event.name.as_str(), &event.data["number"]), ("job", &json!(number)));
        }
        // Resuming at the end of the stream loses nothing.
        let last = env.store.last_event().await.unwrap().to_string();
        let mut stream = Stream::open(env, "", Some(&last)).await;
        env.submit(&json!({"action": "noop"})).await;
        assert_eq!(stream.event().await.data["number"], json!(3_001));
    })
    .await;
}

#[tokio::test]
async fn resuming_after_an_event_that_is_no_longer_kept_is_reported_as_lost() {
    with_env(async |env| {
        env.submit(&json!({"action": "noop"})).await;
        let first = env.store.event_list("", 1).await.unwrap().remove(0).id.to_string();
        let jobs = vec![json!({"action": "noop"}); 1_000];
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        env.redis("xtrim", "events", &["maxlen", "10"]).await;
        let mut stream = Stream::open(env, "", Some(&first)).await;
        let lost = stream.event().await;
        assert_eq!((lost.name.as_str(), &lost.data), ("lost", &json!({"since": first})));
        let kept = env.store.event_list("", 1).await.unwrap().remove(0).id.to_string();
        assert_eq!(stream.event().await.id, kept);

        // An id from another store is lost too.
        let mut stream = Stream::open(env, "", Some("99999999999999-0")).await;
        assert_eq!(stream.event().await.name, "lost");
        env.submit(&json!({"action": "noop"})).await;
        assert_eq!(stream.event().await.data["number"], json!(1_002));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    with_env(async |env| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let address = env.url.trim_start_matches("http://").parse().unwrap();
        let mut slow = socket.connect(address).await.unwrap();
        slow.write_all(b"GET /api/v0/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
        let mut first = [0; 15];
        slow.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");

        let jobs = vec![json!({"action": "noop"}); 10_000];
        for _ in 0..2 {
            assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
            while env.command("/jobs/cancel?all=true").await.json()["more"] == json!(true) {}
        }
        env.redis("xtrim", "events", &["maxlen", "100"]).await;
        let mut rest = Vec::new();
        let reading = tokio::time::timeout(TIMEOUT, async {
            let mut bytes = vec![0; 65536];
            while !rest.ends_with(b"0\r\n\r\n") {
                let count = slow.read(&mut bytes).await.unwrap();
                assert!(count > 0, "the response is incomplete");
                rest.extend_from_slice(&bytes[..count]);
            }
        });
        assert!(reading.await.is_ok(), "the stream continues after {} bytes", rest.len());
        let events = rest.windows(4).filter(|part| part == b"id: ").count();
        assert!(events < 40_000, "{events} events were sent");
    })
    .await;
}

#[tokio::test]
async fn the_number_of_streams_is_limited() {
    with_env(async |env| {
        let mut open = Vec::new();
        for _ in 0..8 {
            open.push(Stream::open(env, "", None).await);
        }
        let answer = env.get("/events").await;
        assert_eq!(answer.code(), "503 UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), Some("1"));
        open.pop();
        let status = async || env.client.get(env.at("/events")).send().await.unwrap().status();
        eventually(status, |status| status.is_success()).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_continues_after_an_outage_of_redis() {
    let redis = Redis::start().await;
    with_env_on(&redis.url(), async |env| {
        let mut stream = Stream::open(env, "", None).await;
        env.submit(&json!({"action": "noop"})).await;
        assert_eq!(stream.summaries(1).await, ["job 1 \"waiting\""]);
        redis.freeze().await;
        let ready = async || send(env.client.get(format!("{}/readyz", env.admin))).await.status;
        eventually(ready, |status| *status == 503).await;
        redis.thaw().await;
        let submit = async || env.post("/jobs", &json!({"action": "noop"})).await.status;
        eventually(submit, |status| *status == 202).await;
        assert!(stream.summaries(1).await[0].ends_with("\"waiting\""));
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_when_the_service_shuts_down() {
    with_env(async |env| {
        let mut stream = Stream::open(env, "", None).await;
        env.shutdown.cancel();
        assert_eq!(stream.block().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_comment_keeps_an_idle_stream_open() {
    with_env(async |env| {
        let mut stream = Stream::open(env, "?kind=cron", None).await;
        let worker = env.worker("default=1", &["noop"]).await;
        env.heartbeat(&worker, "default=1", &["noop"]).await;
        assert_eq!(stream.block().await.as_deref(), Some(": still here"));
    })
    .await;
}

#[tokio::test]
async fn an_invalid_parameter_or_event_id_is_named() {
    with_env(async |env| {
        let cases = [
            ("?kind=jobs", "400 INVALID_PARAMETERS kind: unknown event kind; did you mean job?"),
            ("?kind=job,", "400 INVALID_PARAMETERS kind: unknown event kind"),
            ("?job=1", "400 INVALID_PARAMETERS job: \"1\" is not a valid job id"),
            ("?jobs=1", "400 INVALID_PARAMETERS jobs: unknown query parameter"),
        ];
        for (query, expected) in cases {
            let refused = env.get(&format!("/events{query}")).await.refusal();
            assert!(refused.starts_with(expected), "{refused}");
        }
        for id in ["x", "1", "1-", "-1-0", "1-2-3", "1-+2"] {
            let request = env.client.get(env.at("/events")).header("last-event-id", id);
            let refused = send(request).await.refusal();
            assert!(refused.starts_with("400 INVALID_PARAMETERS Last-Event-ID"), "{refused}");
        }
    })
    .await;
}
