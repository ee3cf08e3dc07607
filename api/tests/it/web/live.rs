//! Streams of pages: what they send and when, who may open one, and how many.

use domain::access_tokens::Role;
use reqwest::Response;
use serde_json::json;

use super::Visitor;
use crate::env::{TIMEOUT, TestEnv, eventually, with_env};
use crate::token_files::with_tokens;

/// A stream of a page.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(visitor: &Visitor<'_>, query: &str) -> Stream {
        let response = visitor.follow(query).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { response, text: String::new() }
    }

    /// Returns the next event; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                return Some(event);
            }
            let chunk = tokio::time::timeout(TIMEOUT, self.response.chunk()).await.unwrap();
            self.text += &String::from_utf8_lossy(&chunk.unwrap_or_default()?);
        }
    }

    /// Returns the next event that contains a text.
    async fn with(&mut self, text: &str) -> String {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("no event contains {text:?}"));
            if event.contains(text) {
                return event;
            }
        }
    }
}

fn id_of(event: &str) -> &str {
    event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap()
}

#[tokio::test]
async fn a_page_is_sent_when_it_has_changed() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let mut stream = Stream::open(&visitor, "page=/jobs").await;
        let first = stream.next().await.unwrap();
        assert!(first.starts_with("event: page\n"), "{first}");
        assert!(first.contains("data: <main id=\"main\"") && first.contains("No jobs yet."));
        assert!(!first.contains("<header"), "only the main part is sent");
        env.submit(&json!({"action": "scan"})).await;
        let second = stream.with("data-row").await;
        assert!(second.contains("data: ") && !id_of(&second).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_tab_that_has_seen_the_last_event_is_sent_nothing_until_the_next() {
    with_env(async |env| {
        env.submit(&json!({"action": "first"})).await;
        let visitor = Visitor::new(env);
        let mut stream = Stream::open(&visitor, "page=/jobs").await;
        stream.next().await.unwrap();
        env.submit(&json!({"action": "second"})).await;
        let seen = stream.with("second").await;
        let after = id_of(&seen).to_owned();
        drop(stream);
        env.submit(&json!({"action": "third"})).await;
        let mut resumed = Stream::open(&visitor, &format!("page=/jobs&after={after}")).await;
        let next = resumed.next().await.unwrap();
        assert!(next.contains("third"), "what happened meanwhile is sent at once: {next}");
    })
    .await;
}

#[tokio::test]
async fn only_a_page_can_be_followed() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        for (query, message) in [
            ("page=//evil.example", "page: it must be the path of a page"),
            ("page=http://evil.example/", "page: it must be the path of a page"),
            ("page=/jobs&after=x", "after:"),
            ("pages=/jobs", "did you mean page?"),
        ] {
            let answer = visitor.open(&format!("/live?{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.text.contains(message), "{query}: {}", answer.text);
        }
        // These are no pages, so the stream ends without an event.
        for path in ["/live", "/assets/page.css", "/login", "/api/v0/jobs", "/metrics"] {
            let mut stream = Stream::open(&visitor, &format!("page={path}")).await;
            assert_eq!(stream.next().await, None, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_shows_no_more_than_its_viewer_may_see() {
    with_tokens(async |env, tokens| {
        let vera = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        for path in ["/audit", "/subscriptions", "/subscriptions/ops"] {
            let mut stream = Stream::open(&vera, &format!("page={path}")).await;
            assert_eq!(stream.next().await, None, "{path}");
        }
        let mut stream = Stream::open(&vera, "page=/settings").await;
        let page = stream.next().await.unwrap();
        assert!(page.contains("Only admins see the tokens."), "{page}");
        let anna = Visitor::logged_in(env, tokens.of(Role::Admin)).await;
        let mut stream = Stream::open(&anna, "page=/audit").await;
        assert!(stream.next().await.unwrap().contains("<h1>Audit</h1>"));
        // An admin who becomes a viewer sees no more of it.
        let lines: Vec<String> =
            tokens.lines.iter().map(|line| line.replace("anna admin", "anna viewer")).collect();
        tokens.write(&lines);
        while stream.next().await.is_some() {}
        assert_eq!(Visitor::new(env).open("/live?page=/jobs").await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn the_number_of_streams_is_limited() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let mut open = Vec::new();
        for _ in 0..8 {
            open.push(Stream::open(&visitor, "page=/jobs").await);
        }
        let refused = visitor.open("/live?page=/jobs").await;
        assert_eq!(refused.status, 503);
        assert!(refused.text.contains("the limit of open pages is reached"));
        open.pop();
        is_open_again(env).await;
    })
    .await;
}

async fn is_open_again(env: &TestEnv) {
    let visitor = Visitor::new(env);
    let status = async || visitor.follow("page=/jobs").await.status().as_u16();
    eventually(status, |status| *status == 200).await;
}
