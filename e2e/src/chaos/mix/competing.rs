//! Jobs that compete: for locks, behind others, for a share.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::jobs::{after, job, with};

/// Locks with one permit each.
const NAMES: [&str; 3] = ["devices", "site/1", "site/2"];

fn band(dice: &mut ChaCha8Rng) -> &'static str {
    ["high", "normal", "normal", "low"].choose(dice).copied().unwrap_or("normal")
}

pub(super) fn locked(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let locks = if dice.random_bool(0.6) {
        json!([NAMES.choose(dice)])
    } else {
        json!({"licence": dice.random_range(1..=2)})
    };
    let job = job("well", dice.random_range(10..120));
    vec![with(job, &json!({"locks": locks, "priority": band(dice)}))]
}

pub(super) fn several_locks(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let (one, other) = (NAMES.choose(dice), NAMES.choose(dice));
    let mut locks = json!({"licence": 1});
    for name in [one, other].into_iter().flatten() {
        locks[*name] = json!(1);
    }
    vec![with(job("well", dice.random_range(10..120)), &json!({"locks": locks}))]
}

/// Longer than the lease, some of them, so that workers are lost under them.
pub(super) fn locked_for_long(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let job = job("well", dice.random_range(200..2_500));
    vec![with(job, &json!({"locks": ["device-{{ms}}", "site/2"]}))]
}

pub(super) fn locked_and_fails(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let more = json!({"locks": [NAMES.choose(dice)], "retries": dice.random_range(0..2)});
    vec![with(job("fail", 20), &more)]
}

pub(super) fn movable(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let at = after(dice.random_range(1_000..5_000));
    let later = if dice.random_bool(0.5) { at } else { String::new() };
    let more = json!({"scheduledAt": later, "locks": [NAMES.choose(dice)], "priority": band(dice)});
    vec![with(job("well", 50), &more)]
}

pub(super) fn chain(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let count = dice.random_range(2..8);
    let one = |at: usize| {
        let before = if at == 0 { json!([]) } else { json!([format!("#{}", at - 1)]) };
        with(job("well", 20), &json!({"dependsOn": before, "retries": 0}))
    };
    (0..count).map(one).collect()
}

pub(super) fn fan_in(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let count = dice.random_range(3..20);
    let mut jobs: Vec<Value> =
        (0..count).map(|_| job("well", dice.random_range(10..200))).collect();
    let all: Vec<String> = (0..count).map(|at| format!("#{at}")).collect();
    jobs.push(with(job("well", 20), &json!({"dependsOn": all})));
    jobs
}

/// The second can never run, the third runs whatever comes of it.
pub(super) fn after_a_failure(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![
        job("fail", 20),
        with(job("well", 20), &json!({"dependsOn": ["#0"]})),
        with(job("well", 20), &json!({"dependsOn": ["#1"], "when": "finished"})),
    ]
}

/// A parent, which does not wait for them, with children that wait for each other.
pub(super) fn children(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let mut jobs = vec![job("well", dice.random_range(500..2_000))];
    for at in 1..dice.random_range(3..8) {
        let before = if at == 1 { json!([]) } else { json!([format!("#{}", at - 1)]) };
        jobs.push(with(job("well", 20), &json!({"parent": "#0", "dependsOn": before})));
    }
    jobs
}

/// More than a share has offered at a time.
pub(super) fn flood(dice: &mut ChaCha8Rng) -> Vec<Value> {
    let count = dice.random_range(80..200);
    (0..count).map(|_| json!({"action": "noop", "fairnessKey": "flood"})).collect()
}
