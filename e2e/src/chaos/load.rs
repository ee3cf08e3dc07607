//! Submits through the HTTP API, steadily and at random, and remembers every job that was acknowledged.

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::job::JobId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, Role};
use crate::history::History;
use crate::mix::{self, Kind, LOOKS, Then};

/// A call ends within this time.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Calls under way at once; more would only pile up before an API that is away.
const UNDER_WAY: usize = 128;
/// How often a list is read.
const LOOKS_PER_REQUEST: f64 = 0.1;

/// What was acknowledged.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) kind: &'static Kind,
    pub(crate) retries: u32,
}

/// Every acknowledged job, and how many requests were not.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) jobs: HashMap<JobId, Asked>,
    pub(crate) refused: u64,
}

/// Submits until told to stop; returns when every call has ended.
pub(crate) async fn run(
    fleet: &Fleet,
    history: &History,
    (seed, rate): (u64, f64),
    stop: &CancellationToken,
) -> anyhow::Result<Book> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x10ad);
    let client = Client::builder().no_proxy().timeout(CALL_LIMIT).build()?;
    let urls: Vec<&str> = fleet.of(Role::Api).map(|api| api.url.as_str()).collect();
    let mut calls = JoinSet::new();
    let mut book = Book::default();
    while !stop.is_cancelled() {
        let kind = mix::next(&mut dice);
        let jobs = (kind.make)(&mut dice);
        let url = urls[dice.random_range(0..urls.len())];
        let pause = Duration::from_secs_f64(dice.random_range(0.0..2.0) / rate);
        let look = dice.random_bool(LOOKS_PER_REQUEST).then(|| LOOKS.choose(&mut dice)).flatten();
        let line = Line { client: client.clone(), base: format!("{url}/api/v0") };
        if let Some(path) = look {
            calls.spawn(async move { line.call(Method::GET, path, &[200]).await });
        }
        let line = Line { client: client.clone(), base: format!("{url}/api/v0") };
        if calls.len() < UNDER_WAY {
            let seed = dice.random();
            calls
                .spawn(async move { line.live(kind, jobs, ChaCha8Rng::seed_from_u64(seed)).await });
        }
        tokio::time::sleep(pause).await;
        while let Some(answered) = calls.try_join_next() {
            write_down(&mut book, history, answered?);
        }
    }
    while let Some(answered) = calls.join_next().await {
        write_down(&mut book, history, answered?);
    }
    Ok(book)
}

/// What was answered to one job's calls, or to one look.
#[derive(Default)]
struct Answer {
    acknowledged: Vec<(JobId, Asked)>,
    /// The service was away, or said that it is. Whether the jobs are there is unknown.
    away: u64,
    wrong: Vec<String>,
}

fn write_down(book: &mut Book, history: &History, answer: Answer) {
    book.jobs.extend(answer.acknowledged);
    book.refused += answer.away;
    for what in answer.wrong {
        history.violated("the API answers as documented", what);
    }
}

/// One of the APIs.
struct Line {
    client: Client,
    base: String,
}

impl Line {
    /// Submits a request's jobs, and asks of them what their kind has asked of it later.
    async fn live(&self, kind: &'static Kind, jobs: Vec<Value>, mut dice: ChaCha8Rng) -> Answer {
        let retries = jobs.first().and_then(|job| job["retries"].as_u64()).unwrap_or(0) as u32;
        let asked = Asked { kind, retries };
        let mut answer = self.submit(asked, jobs).await;
        for Then { after_ms, method, path, answers } in kind.then {
            tokio::time::sleep(Duration::from_millis(dice.random_range(after_ms.clone()))).await;
            for (id, _) in answer.acknowledged.clone() {
                let path = format!("/jobs/{id}{path}");
                let url = format!("{}{path}", self.base);
                let request = self.client.request(method.clone(), url);
                let (later, text) = send(request, answers, &path).await;
                answer.away += later.away;
                answer.wrong.extend(later.wrong);
                if method == Method::POST {
                    let made = text.as_deref().map(ids_in).unwrap_or_default();
                    answer.acknowledged.extend(made.into_iter().map(|id| (id, asked)));
                }
            }
        }
        answer
    }

    async fn submit(&self, asked: Asked, jobs: Vec<Value>) -> Answer {
        let (path, body) = match &jobs[..] {
            [one] => ("/jobs", one.clone()),
            _ => ("/jobs/batch", json!({"jobs": jobs})),
        };
        let request = self.client.post(format!("{}{path}", self.base)).json(&body);
        let (answer, text) = send(request, &[202], path).await;
        let Some(text) = text else { return answer };
        let acknowledged: Vec<(JobId, Asked)> =
            ids_in(&text).into_iter().map(|id| (id, asked)).collect();
        if acknowledged.len() != jobs.len() {
            return Answer {
                wrong: vec![format!("{} was answered {text}", asked.kind.name)],
                ..answer
            };
        }
        Answer { acknowledged, ..answer }
    }

    async fn call(&self, method: Method, path: &str, answers: &[u16]) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.base));
        send(request, answers, path).await.0
    }
}

/// Sends a request; the text of an answer that is as it should be.
async fn send(request: RequestBuilder, answers: &[u16], path: &str) -> (Answer, Option<String>) {
    let away = || (Answer { away: 1, ..Answer::default() }, None);
    let Ok(response) = request.send().await else { return away() };
    let status = response.status();
    let Ok(text) = response.text().await else { return away() };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return away();
    }
    if !answers.contains(&status.as_u16()) {
        let wrong = vec![format!("{path} was answered {status}: {text}")];
        return (Answer { wrong, ..Answer::default() }, None);
    }
    (Answer::default(), Some(text))
}

fn ids_in(text: &str) -> Vec<JobId> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let made = match document["jobs"].as_array() {
        Some(all) => all.clone(),
        None => vec![document],
    };
    made.iter().filter_map(|job| job["id"].as_str()?.parse().ok()).collect()
}
