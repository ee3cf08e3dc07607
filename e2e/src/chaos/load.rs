//! Submits through the HTTP API, steadily and at random, and remembers what was acknowledged.

mod line;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::job::JobId;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, Method};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, Role};
use crate::history::History;
use crate::mix::{self, Kind, LOOKS};
pub(crate) use line::{Line, send};

/// A call ends within this time.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Calls under way at once; more would only pile up before an API that is away.
const UNDER_WAY: usize = 128;
/// How often a list is read.
const LOOKS_PER_REQUEST: f64 = 0.1;

/// What was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) kind: &'static Kind,
    pub(crate) retries: u32,
}

/// All that was acknowledged, and how many requests were not.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) jobs: HashMap<JobId, Asked>,
    /// When it was acknowledged first that a job is cancelled, or will be.
    pub(crate) cancelled_us: HashMap<JobId, i64>,
    pub(crate) deleted: HashSet<JobId>,
    pub(crate) refused: u64,
}

/// How the load is told what to do.
pub(crate) struct Orders {
    pub(crate) seed: u64,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Kinds that are to come next.
    pub(crate) wishes: UnboundedReceiver<&'static str>,
}

/// Submits until told to stop; returns when every call has ended.
pub(crate) async fn run(
    fleet: &Fleet,
    history: &History,
    mut orders: Orders,
    stop: &CancellationToken,
) -> anyhow::Result<Book> {
    let mut dice = ChaCha8Rng::seed_from_u64(orders.seed ^ 0x10ad);
    let client = client()?;
    let bases = bases(fleet);
    let mut calls = JoinSet::new();
    let mut book = Book::default();
    while !stop.is_cancelled() {
        let wish = orders.wishes.try_recv().ok().and_then(mix::named);
        let kind = wish.unwrap_or_else(|| mix::next(&mut dice));
        let jobs = (kind.make)(&mut dice);
        let first = dice.random_range(0..bases.len());
        let pause = Duration::from_secs_f64(dice.random_range(0.0..2.0) / orders.rate);
        let look = dice.random_bool(LOOKS_PER_REQUEST).then(|| LOOKS.choose(&mut dice)).flatten();
        let line = Line { client: client.clone(), bases: bases.clone(), first };
        if let Some(path) = look {
            let line = line.clone();
            calls.spawn(async move { line.call(Method::GET, path, &[200]).await });
        }
        if calls.len() < UNDER_WAY || wish.is_some() {
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

pub(crate) fn client() -> anyhow::Result<Client> {
    Ok(Client::builder().no_proxy().timeout(CALL_LIMIT).build()?)
}

/// Where the APIs are.
pub(crate) fn bases(fleet: &Fleet) -> Vec<String> {
    fleet.of(Role::Api).map(|api| format!("{}/api/v0", api.url)).collect()
}

/// What was answered to one job's calls, or to one look.
#[derive(Default)]
pub(crate) struct Answer {
    acknowledged: Vec<(JobId, Asked)>,
    cancelled: Vec<(JobId, i64)>,
    deleted: Vec<JobId>,
    /// The service was away, or said that it is. Whether the jobs are there is unknown.
    pub(crate) away: u64,
    pub(crate) wrong: Vec<String>,
}

impl Answer {
    fn add(&mut self, other: Answer) {
        let Answer { acknowledged, cancelled, deleted, away, wrong } = other;
        self.acknowledged.extend(acknowledged);
        self.cancelled.extend(cancelled);
        self.deleted.extend(deleted);
        self.away += away;
        self.wrong.extend(wrong);
    }
}

fn write_down(book: &mut Book, history: &History, answer: Answer) {
    book.jobs.extend(answer.acknowledged);
    for (id, at) in answer.cancelled {
        let first = book.cancelled_us.entry(id).or_insert(at);
        *first = at.min(*first);
    }
    book.deleted.extend(answer.deleted);
    book.refused += answer.away;
    for what in answer.wrong {
        history.violated("the API answers as documented", what);
    }
}
