//! Submits through the HTTP API, steadily and at random, and remembers every job that was acknowledged.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use shared::job::JobId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, Role};
use crate::history::History;
use crate::mix::{self, Kind};

/// A call ends within this time.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Calls under way at once; more would only pile up before an API that is away.
const UNDER_WAY: usize = 64;

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
    let book = Mutex::new(Book::default());
    while !stop.is_cancelled() {
        let kind = mix::next(&mut dice);
        let jobs = (kind.make)(&mut dice);
        let url = urls[dice.random_range(0..urls.len())];
        let pause = Duration::from_secs_f64(dice.random_range(0.0..2.0) / rate);
        if calls.len() < UNDER_WAY {
            calls.spawn(submit(client.clone(), format!("{url}/api/v0/jobs"), kind, jobs));
        }
        tokio::time::sleep(pause).await;
        while let Some(answered) = calls.try_join_next() {
            write_down(&book, history, answered?);
        }
    }
    while let Some(answered) = calls.join_next().await {
        write_down(&book, history, answered?);
    }
    Ok(book.into_inner().unwrap_or_else(PoisonError::into_inner))
}

enum Answer {
    Acknowledged(Vec<(JobId, Asked)>),
    /// The service was away, or said that it is. Whether the jobs are there is unknown.
    Away,
    Wrong(String),
}

fn write_down(book: &Mutex<Book>, history: &History, answer: Answer) {
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Answer::Acknowledged(jobs) => book.jobs.extend(jobs),
        Answer::Away => book.refused += 1,
        Answer::Wrong(what) => history.violated("the API answers as documented", what),
    }
}

async fn submit(client: Client, url: String, kind: &'static Kind, jobs: Vec<Value>) -> Answer {
    let retries = jobs.first().and_then(|job| job["retries"].as_u64()).unwrap_or(0) as u32;
    let (url, body) = match &jobs[..] {
        [one] => (url, one.clone()),
        _ => (format!("{url}/batch"), json!({"jobs": jobs})),
    };
    let Ok(response) = client.post(url).json(&body).send().await else { return Answer::Away };
    let status = response.status();
    let Ok(text) = response.text().await else { return Answer::Away };
    match status {
        StatusCode::ACCEPTED => {}
        StatusCode::SERVICE_UNAVAILABLE => return Answer::Away,
        _ => return Answer::Wrong(format!("{} was answered {status}: {text}", kind.name)),
    }
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let made = match document["jobs"].as_array() {
        Some(all) => all.clone(),
        None => vec![document],
    };
    let ids = made.iter().filter_map(|job| job["id"].as_str()?.parse().ok());
    let asked = Asked { kind, retries };
    let acknowledged: Vec<(JobId, Asked)> = ids.map(|id| (id, asked)).collect();
    if acknowledged.len() != jobs.len() {
        return Answer::Wrong(format!("{} was answered {text}", kind.name));
    }
    Answer::Acknowledged(acknowledged)
}
