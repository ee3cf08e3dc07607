//! What is asked of the fleet while faults go on: a list of kinds of jobs, each with how often it comes, what it
//! looks like, and how it may end. A new feature is a new line of [`KINDS`].

use chrono::{SecondsFormat, TimeDelta, Utc};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
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
    /// How a chain of such a job may end. That its worker died once too often is always possible.
    pub(crate) ends: &'static [Status],
    /// The type of the exception that it ends with, if it must be a certain one.
    pub(crate) exception: Option<&'static str>,
}

const WELL: &[Status] = &[Status::Done];
const BADLY: &[Status] = &[Status::Error];

/// All kinds.
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "plain", weight: 20, make: plain, ends: WELL, exception: None },
    Kind { name: "capacity", weight: 35, make: needy, ends: WELL, exception: None },
    Kind { name: "long", weight: 5, make: long, ends: WELL, exception: None },
    Kind { name: "delayed", weight: 10, make: delayed, ends: WELL, exception: None },
    Kind { name: "fails once", weight: 6, make: fails_once, ends: WELL, exception: None },
    Kind { name: "fails", weight: 4, make: fails, ends: BADLY, exception: Some("ExitCode") },
    Kind { name: "late", weight: 4, make: late, ends: BADLY, exception: Some("DeadlineExceeded") },
    Kind {
        name: "stubborn",
        weight: 3,
        make: stubborn,
        ends: BADLY,
        exception: Some("DeadlineExceeded"),
    },
    Kind { name: "batch", weight: 3, make: batch, ends: WELL, exception: None },
    Kind { name: "large batch", weight: 1, make: large_batch, ends: WELL, exception: None },
    Kind { name: "built in", weight: 9, make: built_in, ends: WELL, exception: None },
];

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
    let job = job("well", dice.random_range(2_000..5_000));
    vec![with(job, &json!({"capacityMap": {"cpu": 1}}))]
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
