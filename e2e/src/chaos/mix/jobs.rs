//! What the jobs of each kind look like.

use chrono::{SecondsFormat, TimeDelta, Utc};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::trace::{ACTION, SWEPT};

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
/// So few that most submissions find their key taken.
const UNIQUE_KEYS: u32 = 4;

pub(super) fn job(how: &str, ms: u64) -> Value {
    json!({"action": ACTION, "parameters": {"how": how, "ms": ms}, "stopTimeout": "1s"})
}

pub(super) fn with(mut job: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        job[name] = value.clone();
    }
    job
}

pub(super) fn after(ms: i64) -> String {
    (Utc::now() + TimeDelta::milliseconds(ms)).to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn plain(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("well", dice.random_range(20..400))]
}

pub(super) fn needy(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let need = NEEDS.choose(dice).copied().unwrap_or_default();
    let need: serde_json::Map<String, Value> =
        need.iter().map(|(name, units)| ((*name).to_owned(), json!(units))).collect();
    let bands = ["high", "normal", "normal", "low"];
    let band = bands.choose(dice).copied().unwrap_or("normal");
    let job = job("well", dice.random_range(20..500));
    vec![with(job, &json!({"capacityMap": need, "priority": band}))]
}

pub(super) fn long(dice: &mut ChaCha8Rng) -> Vec<Value> {
    // Some longer than the lease: what a lost worker leaves running then overlaps with what carries it on.
    let job = job("well", dice.random_range(2_000..11_000));
    vec![if dice.random_bool(0.5) { with(job, &json!({"capacityMap": {"cpu": 1}})) } else { job }]
}

pub(super) fn delayed(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let at = after(dice.random_range(200..6_000));
    vec![with(job("well", 20), &json!({"scheduledAt": at}))]
}

pub(super) fn due_later(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let at = after(dice.random_range(1_000..9_000));
    vec![with(job("well", 200), &json!({"scheduledAt": at}))]
}

pub(super) fn fails_once(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("fail-once", dice.random_range(20..200)), &json!({"retries": 3}))]
}

pub(super) fn fails(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("fail", 20), &json!({"retries": dice.random_range(0..3)}))]
}

pub(super) fn fails_at_once(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("fail", 20)]
}

pub(super) fn backs_off(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let backoff = match dice.random_range(0..3) {
        0 => json!({"base": "300ms"}),
        1 => json!({"base": "200ms", "max": "500ms"}),
        _ => json!({"base": "800ms", "max": "800ms"}),
    };
    vec![with(job("fail", 20), &json!({"retries": 3, "backoff": backoff}))]
}

pub(super) fn late(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("well", 30_000), &json!({"deadline": "400ms"}))]
}

pub(super) fn stubborn(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("stubborn", 30_000), &json!({"deadline": "300ms", "stopTimeout": "200ms"}))]
}

pub(super) fn stubborn_to_the_end(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("stubborn", 6_000), &json!({"stopTimeout": "300ms"}))]
}

pub(super) fn expires(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let job = needy(dice).remove(0);
    let due = dice.random_range(0..1_500);
    let soon = after(due + dice.random_range(1..200));
    let late = after(due + 20_000);
    let expires = if dice.random_bool(0.7) { soon } else { late };
    let scheduled = if due > 500 { after(due) } else { String::new() };
    vec![with(job, &json!({"expiresAt": expires, "scheduledAt": scheduled}))]
}

pub(super) fn batch(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let count = dice.random_range(2..12);
    (0..count).map(|_| job("well", dice.random_range(10..60))).collect()
}

pub(super) fn large_batch(dice: &mut ChaCha8Rng) -> Vec<Value> {
    (0..dice.random_range(101..150)).map(|_| json!({"action": "noop"})).collect()
}

pub(super) fn built_in(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let sleep = json!({"action": "sleep", "parameters": {"seconds": "0.1"}});
    vec![if dice.random_bool(0.5) { sleep } else { json!({"action": "noop"}) }]
}

pub(super) fn swept(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let job = match dice.random_range(0..3) {
        0 => due_later(dice),
        1 => long(dice),
        _ => needy(dice),
    };
    job.into_iter().map(|job| with(job, &json!({"action": SWEPT}))).collect()
}

pub(super) fn unique(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let key = format!("key {}", dice.random_range(0..UNIQUE_KEYS));
    vec![with(job("well", dice.random_range(100..1_500)), &json!({"uniqueKey": key}))]
}

/// Each carries a comment that no other job has, so that those which are there twice are found.
pub(super) fn marked(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let count = if dice.random_bool(0.7) { 1 } else { dice.random_range(2..130) };
    let mark: u64 = dice.random();
    let comment = |at: usize| json!({"comment": format!("once {mark:016x} {at}")});
    let one = || if count == 1 { job("well", 50) } else { json!({"action": "noop"}) };
    (0..count).map(|at| with(one(), &comment(at))).collect()
}

pub(super) fn not_twice(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("well", dice.random_range(200..6_000)), &json!({"onWorkerLost": "fail"}))]
}

pub(super) fn strict(dice: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("well", dice.random_range(4_000..12_000)), &json!({"strictLease": true}))]
}

pub(super) fn kills(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("kill", 20)]
}
