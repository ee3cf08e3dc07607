//! The jobs of each kind, except those with locks or dependencies.

use chrono::{SecondsFormat, TimeDelta, Utc};
use domain::capacity::CapacityMap;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::actions::{ACTION, COUNTED, PACED, SWEPT_ACTION};
use crate::fleet::{NEEDS, SERIAL};

/// So few that most submissions find their key in use.
const UNIQUE_KEYS: u32 = 4;

/// A job whose command behaves like this and takes this long.
pub(super) fn job(behaviour: &str, ms: u64) -> Value {
    json!({"action": ACTION, "parameters": {"behaviour": behaviour, "ms": ms}, "stopTimeout": "1s"})
}

/// Adds fields to a job.
pub(super) fn with(mut job: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        job[name] = value.clone();
    }
    job
}

/// A need as the API expects it.
fn capacity_map(need: &str) -> Value {
    need.parse::<CapacityMap>().map_or(Value::Null, |map| json!(map))
}

/// The time in `ms` milliseconds.
pub(super) fn after(ms: i64) -> String {
    (Utc::now() + TimeDelta::milliseconds(ms)).to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn plain(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("succeed", rng.random_range(20..400))]
}

pub(super) fn with_capacity(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let need = capacity_map(NEEDS.choose(rng).copied().unwrap_or_default());
    let priorities = ["high", "normal", "normal", "low"];
    let priority = priorities.choose(rng).copied().unwrap_or("normal");
    let job = job("succeed", rng.random_range(20..500));
    vec![with(job, &json!({"capacityMap": need, "priority": priority}))]
}

/// A batch with a job for each need but the serial one.
pub(super) fn one_of_each_need() -> Vec<Value> {
    let one = |need| with(job("succeed", 20), &json!({"capacityMap": capacity_map(need)}));
    NEEDS.into_iter().map(one).collect()
}

pub(super) fn long(rng: &mut ChaCha8Rng) -> Vec<Value> {
    // Some take longer than the lease, so a run on a lost worker can overlap with its follow-up.
    let job = job("succeed", rng.random_range(2_000..11_000));
    vec![if rng.random_bool(0.5) { with(job, &json!({"capacityMap": {"cpu": 1}})) } else { job }]
}

pub(super) fn delayed(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let at = after(rng.random_range(200..6_000));
    vec![with(job("succeed", 20), &json!({"scheduledAt": at}))]
}

pub(super) fn due_later(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let at = after(rng.random_range(1_000..9_000));
    vec![with(job("succeed", 200), &json!({"scheduledAt": at}))]
}

pub(super) fn fails_once(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("fail-once", rng.random_range(20..200)), &json!({"retries": 3}))]
}

pub(super) fn checkpoints(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("save-checkpoints", rng.random_range(500..8_000))]
}

pub(super) fn checkpoints_and_fails_once(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let job = job("save-checkpoints-and-fail-once", rng.random_range(100..4_000));
    vec![with(job, &json!({"retries": 3}))]
}

pub(super) fn waits_for_signal(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("wait-for-signal", rng.random_range(20..1_500))]
}

pub(super) fn fails(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("fail", 20), &json!({"retries": rng.random_range(0..3)}))]
}

pub(super) fn fails_without_retry(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("fail", 20)]
}

pub(super) fn backoff(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let backoff = match rng.random_range(0..3) {
        0 => json!({"base": "300ms"}),
        1 => json!({"base": "200ms", "max": "500ms"}),
        _ => json!({"base": "800ms", "max": "800ms"}),
    };
    vec![with(job("fail", 20), &json!({"retries": 3, "backoff": backoff}))]
}

pub(super) fn slow(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("succeed", 30_000), &json!({"deadline": "400ms"}))]
}

pub(super) fn slow_and_stubborn(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("ignore-sigterm", 30_000), &json!({"deadline": "300ms", "stopTimeout": "200ms"}))]
}

pub(super) fn ignores_sigterm(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("ignore-sigterm", 6_000), &json!({"stopTimeout": "300ms"}))]
}

pub(super) fn expires(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let job = with_capacity(rng).remove(0);
    // The API refuses a time in the past, so the submission gets time to arrive.
    let due = rng.random_range(1_000..2_500);
    let soon = after(due + rng.random_range(1..200));
    let late = after(due + 20_000);
    let expires = if rng.random_bool(0.7) { soon } else { late };
    let scheduled = if due > 1_500 { after(due) } else { String::new() };
    vec![with(job, &json!({"expiresAt": expires, "scheduledAt": scheduled}))]
}

pub(super) fn batch(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = rng.random_range(2..12);
    (0..count).map(|_| job("succeed", rng.random_range(10..60))).collect()
}

pub(super) fn large_batch(rng: &mut ChaCha8Rng) -> Vec<Value> {
    (0..rng.random_range(101..150)).map(|_| json!({"action": "noop"})).collect()
}

/// More jobs than the rate limit allows at once.
pub(super) fn paced(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = rng.random_range(1..5);
    (0..count).map(|_| with(job("succeed", 20), &json!({"rates": [PACED.0]}))).collect()
}

/// Jobs of which only a number may start in each minute.
pub(super) fn counted(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = rng.random_range(1..6);
    (0..count).map(|_| with(job("succeed", 20), &json!({"rates": [COUNTED.0]}))).collect()
}

pub(super) fn built_in(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let sleep = json!({"action": "sleep", "parameters": {"seconds": "0.1"}});
    vec![if rng.random_bool(0.5) { sleep } else { json!({"action": "noop"}) }]
}

pub(super) fn swept(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let job = match rng.random_range(0..3) {
        0 => due_later(rng),
        1 => long(rng),
        _ => with_capacity(rng),
    };
    job.into_iter().map(|job| with(job, &json!({"action": SWEPT_ACTION}))).collect()
}

/// Jobs of one fairness group that are due at one moment and run one after the other. They are
/// fewer than a group may have offered at a time.
pub(super) fn in_order(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let more = json!({
        "scheduledAt": after(rng.random_range(0..2_000)),
        "capacityMap": capacity_map(SERIAL),
        "fairnessKey": format!("{:016x}", rng.random::<u64>()),
    });
    let action = if rng.random_bool(0.5) { ACTION } else { "noop" };
    let one = with(with(job("succeed", 1), &more), &json!({"action": action}));
    vec![one; rng.random_range(3..8)]
}

pub(super) fn unique(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let key = format!("key {}", rng.random_range(0..UNIQUE_KEYS));
    vec![with(job("succeed", rng.random_range(100..1_500)), &json!({"uniqueKey": key}))]
}

pub(super) fn debounced(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let key = format!("debounced {}", rng.random_range(0..UNIQUE_KEYS));
    let debounce = json!({"uniqueKey": key, "debounce": "600ms", "debounceMax": "3s"});
    vec![with(job("succeed", rng.random_range(20..400)), &debounce)]
}

/// Submissions that join one of few batches. Each has a mark, by which it is found.
pub(super) fn batched(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = if rng.random_bool(0.8) { 1 } else { rng.random_range(2..120) };
    let key = format!("batched {}", rng.random_range(0..2));
    let batch = json!({"action": "noop", "batchKey": key, "batchSize": 8, "batchWait": "1s"});
    let marked = |_| with(batch.clone(), &json!({"parameters": {"mark": rng.random::<u64>()}}));
    (0..count).map(marked).collect()
}

/// Jobs with unique comments, by which duplicates are found.
pub(super) fn marked(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = if rng.random_bool(0.7) { 1 } else { rng.random_range(2..130) };
    let mark: u64 = rng.random();
    let comment = |at: usize| json!({"comment": format!("once {mark:016x} {at}")});
    let one = || if count == 1 { job("succeed", 50) } else { json!({"action": "noop"}) };
    (0..count).map(|at| with(one(), &comment(at))).collect()
}

pub(super) fn fails_with_its_worker(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("succeed", rng.random_range(200..6_000)), &json!({"onWorkerLost": "fail"}))]
}

pub(super) fn strict_lease(rng: &mut ChaCha8Rng) -> Vec<Value> {
    vec![with(job("succeed", rng.random_range(4_000..12_000)), &json!({"strictLease": true}))]
}

pub(super) fn kills_its_worker(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![job("kill-worker", 20)]
}
