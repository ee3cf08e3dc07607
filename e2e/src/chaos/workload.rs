//! The workload: submits jobs through the HTTP API at a steady average rate, with kinds and times
//! drawn from the seed, and records what is acknowledged.

mod client;
mod jobs;
mod kinds;
mod ledger;
mod probe;
mod related_jobs;

use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::actions::{ACTION, SWEPT_ACTION};
use crate::fleet::Fleet;
use crate::history::History;
pub(crate) use client::ApiClient;
pub(crate) use kinds::{KILLS_ITS_WORKER, OF_A_CRON, named};
pub(crate) use ledger::{Expectation, Ledger};
pub(crate) use probe::{PROBE, probe};

/// More concurrent calls would only pile up before an API that does not answer.
const MAX_CONCURRENT_CALLS: usize = 128;
/// How many lists are read per submission.
const LISTS_PER_SUBMISSION: f64 = 0.1;
/// How many of the jobs keep the usual action.
const USUAL_ACTION: f64 = 0.5;

/// How the workload is generated.
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// The average number of submissions per second.
    pub(crate) rate: f64,
    /// Names of kinds to submit next, instead of drawing one.
    pub(crate) requested_kinds: UnboundedReceiver<&'static str>,
}

/// Submits jobs until `stop`; returns when every call has ended.
pub(crate) async fn run(
    fleet: &Fleet,
    history: &History,
    mut settings: Settings,
    stop: &CancellationToken,
) -> anyhow::Result<Ledger> {
    // Different from the numbers of the fault plan.
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed ^ 0x10ad);
    let client = ApiClient::new(fleet)?;
    let mut calls = JoinSet::new();
    let mut ledger = Ledger::default();
    while !stop.is_cancelled() {
        let requested = settings.requested_kinds.try_recv().ok().and_then(named);
        let kind = requested.unwrap_or_else(|| kinds::draw(&mut rng));
        let mut jobs = (kind.make)(&mut rng);
        if requested.is_none() {
            mix_actions(&mut jobs, kind.one_action, &fleet.actions_in_use(), &mut rng);
        }
        let client = client.starting_at(rng.random_range(0..client.api_count()));
        let pause = Duration::from_secs_f64(rng.random_range(0.0..2.0) / settings.rate);
        if rng.random_bool(LISTS_PER_SUBMISSION)
            && let Some(path) = kinds::LISTS.choose(&mut rng)
        {
            let client = client.clone();
            calls.spawn(async move { client.call(Method::GET, path, &[200]).await });
        }
        if calls.len() < MAX_CONCURRENT_CALLS || requested.is_some() {
            let rng = ChaCha8Rng::seed_from_u64(rng.random());
            calls.spawn(async move { client.submit_and_follow(kind, jobs, rng).await });
        }
        tokio::time::sleep(pause).await;
        while let Some(result) = calls.try_join_next() {
            ledger.add(result?, history);
        }
    }
    while let Some(result) = calls.join_next().await {
        ledger.add(result?, history);
    }
    Ok(ledger)
}

/// Gives some of the jobs that have the usual action another one: each for itself, or all the same.
fn mix_actions(jobs: &mut [Value], one_action: bool, in_use: &[&str], rng: &mut ChaCha8Rng) {
    let others: Vec<&&str> =
        in_use.iter().filter(|name| ![ACTION, SWEPT_ACTION].contains(name)).collect();
    let draw = |rng: &mut ChaCha8Rng| {
        let other = others.choose(rng).map_or(ACTION, |name| name);
        if rng.random_bool(USUAL_ACTION) { ACTION } else { other }
    };
    let shared = draw(rng);
    for job in jobs.iter_mut().filter(|job| job["action"] == ACTION) {
        job["action"] = json!(if one_action { shared } else { draw(rng) });
    }
}
