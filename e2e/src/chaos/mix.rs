//! What is asked of the fleet while faults go on: a list of kinds of jobs, each with how often it comes, what it
//! looks like, what is asked of it later, and how it may end. A new feature is a new line of [`KINDS`].

use std::ops::Range;

use chrono::{SecondsFormat, TimeDelta, Utc};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use reqwest::Method;
use serde_json::{Value, json};
use shared::job::Status;

use crate::trace::ACTION;

/// A kind of job.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// How often it comes, beside the others.
    weight: u32,
    /// Makes the submissions of one request; several go as a batch.
    pub(crate) make: fn(&mut ChaCha8Rng) -> Vec<Value>,
    /// What is asked of each such job later: to read it, to cancel it, to retry it.
    pub(crate) then: &'static [Then],
    /// How a chain of such a job may end. That its worker died once too often is always possible.
    pub(crate) ends: &'static [Status],
    /// The type of the exception that it ends with, if it must be a certain one.
    pub(crate) exception: Option<&'static str>,
}

/// A call about a job, some time after it was acknowledged. What it answers with 202 is an acknowledged job too.
pub(crate) struct Then {
    pub(crate) after_ms: Range<u64>,
    pub(crate) method: Method,
    /// Behind `/jobs/{id}`.
    pub(crate) path: &'static str,
    /// What it may be answered, beside that the service is away.
    pub(crate) answers: &'static [u16],
}

/// Lists that are read now and then: whatever is broken, they answer 200 or that the service is away.
pub(crate) const LOOKS: [&str; 5] = [
    "/jobs?limit=50",
    "/jobs?status=running,waiting&limit=10",
    "/jobs?action=trace&worker=any&running=true&limit=1000",
    "/workers",
    "/docs.json",
];

const NOTHING: &[Then] = &[];
const READ: &[Then] = &[
    Then { after_ms: 0..300, method: Method::GET, path: "/logs", answers: &[200] },
    Then { after_ms: 0..9_000, method: Method::GET, path: "", answers: &[200] },
];
const WELL: &[Status] = &[Status::Done];
const BADLY: &[Status] = &[Status::Error];

/// All kinds.
pub(crate) const KINDS: &[Kind] = &[
    kind("plain", 20, plain, NOTHING, WELL, None),
    kind("capacity", 35, needy, NOTHING, WELL, None),
    kind("long", 10, long, READ, WELL, None),
    kind("delayed", 10, delayed, NOTHING, WELL, None),
    kind("fails once", 6, fails_once, READ, WELL, None),
    kind("fails", 4, fails, NOTHING, BADLY, Some("ExitCode")),
    kind("late", 4, late, NOTHING, BADLY, Some("DeadlineExceeded")),
    kind("stubborn", 3, stubborn, NOTHING, BADLY, Some("DeadlineExceeded")),
    kind("batch", 3, batch, NOTHING, WELL, None),
    kind("large batch", 1, large_batch, NOTHING, WELL, None),
    kind("built in", 9, built_in, NOTHING, WELL, None),
];

const fn kind(
    name: &'static str,
    weight: u32,
    make: fn(&mut ChaCha8Rng) -> Vec<Value>,
    then: &'static [Then],
    ends: &'static [Status],
    exception: Option<&'static str>,
) -> Kind {
    Kind { name, weight, make, then, ends, exception }
}

/// What a job may need. Few, because each is a queue of each band; each fits on two workers at least.
const NEEDS: [&[(&str, u32)]; 7] = [
    &[("scan", 1)],
    &[("scan", 2)],
    &[("cpu", 1)],
    &[("cpu", 3)],
    &[("gpu", 1)],
    &[("cpu", 1), ("scan", 1)],
    &[("net", 1), ("cpu", 1)],
];

/// The next kind.
pub(crate) fn next(dice: &mut ChaCha8Rng) -> &'static Kind {
    let mut at = dice.random_range(0..KINDS.iter().map(|kind| kind.weight).sum());
    KINDS
        .iter()
        .find(|kind| {
            let found = at < kind.weight;
            at = at.saturating_sub(kind.weight);
            found
        })
        .unwrap_or(&KINDS[0])
}

fn job(how: &str, ms: u64) -> Value {
    json!({"action": ACTION, "parameters": {"how": how, "ms": ms}, "stopTimeout": "1s"})
}

fn with(mut job: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        job[name] = value.clone();
    }
    job
}

fn plain(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("well", dice.random_range(20..400))]
}

fn needy(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let need = NEEDS.choose(dice).copied().unwrap_or_default();
    let need: serde_json::Map<String, Value> =
        need.iter().map(|(name, units)| ((*name).to_owned(), json!(units))).collect();
    let bands = ["high", "normal", "normal", "low"];
    let band = bands.choose(dice).copied().unwrap_or("normal");
    let job = job("well", dice.random_range(20..500));
    vec![with(job, &json!({"capacityMap": need, "priority": band}))]
}

fn long(dice: &mut ChaCha8Rng) -> Vec<Value> {
    // Some longer than the lease: what a lost worker leaves running then overlaps with what carries it on.
    let job = job("well", dice.random_range(2_000..8_000));
    vec![if dice.random_bool(0.5) { with(job, &json!({"capacityMap": {"cpu": 1}})) } else { job }]
}

fn delayed(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let at = Utc::now() + TimeDelta::milliseconds(dice.random_range(200..6_000));
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    vec![with(job("well", 20), &json!({"scheduledAt": at}))]
}

fn fails_once(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("fail-once", dice.random_range(20..200)), &json!({"retries": 3}))]
}

fn fails(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("fail", 20), &json!({"retries": dice.random_range(0..3)}))]
}

fn late(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("well", 30_000), &json!({"deadline": "400ms"}))]
}

fn stubborn(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("stubborn", 30_000), &json!({"deadline": "300ms", "stopTimeout": "200ms"}))]
}

fn batch(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let count = dice.random_range(2..12);
    (0..count).map(|_| job("well", dice.random_range(10..60))).collect()
}

fn large_batch(dice: &mut ChaCha8Rng) -> Vec<Value> {
    (0..dice.random_range(101..150)).map(|_| json!({"action": "noop"})).collect()
}

fn built_in(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let sleep = json!({"action": "sleep", "parameters": {"seconds": "0.1"}});
    vec![if dice.random_bool(0.5) { sleep } else { json!({"action": "noop"}) }]
}
