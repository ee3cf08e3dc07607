//! Jobs that affect each other: through locks, dependencies, children and fairness groups.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::jobs::{after, job, with};

/// Locks with one permit each.
const LOCKS: [&str; 3] = ["devices", "site/1", "site/2"];

fn any_priority(rng: &mut ChaCha8Rng) -> &'static str {
    ["high", "normal", "normal", "low"].choose(rng).copied().unwrap_or("normal")
}

pub(super) fn locked(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let locks = if rng.random_bool(0.6) {
        json!([LOCKS.choose(rng)])
    } else {
        json!({"licence": rng.random_range(1..=2)})
    };
    let job = job("succeed", rng.random_range(10..120));
    vec![with(job, &json!({"locks": locks, "priority": any_priority(rng)}))]
}

pub(super) fn several_locks(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let (one, other) = (LOCKS.choose(rng), LOCKS.choose(rng));
    let mut locks = json!({"licence": 1});
    for name in [one, other].into_iter().flatten() {
        locks[*name] = json!(1);
    }
    vec![with(job("succeed", rng.random_range(10..120)), &json!({"locks": locks}))]
}

/// Long enough to be cancelled or deleted while they run.
pub(super) fn locked_for_long(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let job = job("succeed", rng.random_range(200..2_500));
    vec![with(job, &json!({"locks": ["device-{{ms}}", "site/2"]}))]
}

pub(super) fn locked_and_fails(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let more = json!({"locks": [LOCKS.choose(rng)], "retries": rng.random_range(0..2)});
    vec![with(job("fail", 20), &more)]
}

pub(super) fn changeable(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let at = after(rng.random_range(1_000..5_000));
    let later = if rng.random_bool(0.5) { at } else { String::new() };
    let more =
        json!({"scheduledAt": later, "locks": [LOCKS.choose(rng)], "priority": any_priority(rng)});
    vec![with(job("succeed", 50), &more)]
}

pub(super) fn chain(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = rng.random_range(2..8);
    let one = |at: usize| {
        let before = if at == 0 { json!([]) } else { json!([format!("#{}", at - 1)]) };
        with(job("succeed", 20), &json!({"dependsOn": before, "retries": 0}))
    };
    (0..count).map(one).collect()
}

pub(super) fn fan_in(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = rng.random_range(3..20);
    let mut jobs: Vec<Value> =
        (0..count).map(|_| job("succeed", rng.random_range(10..200))).collect();
    let all: Vec<String> = (0..count).map(|at| format!("#{at}")).collect();
    jobs.push(with(job("succeed", 20), &json!({"dependsOn": all})));
    jobs
}

/// The first fails, so the second cannot run. The third runs in any case.
pub(super) fn after_a_failure(_: &mut ChaCha8Rng) -> Vec<Value> {
    vec![
        job("fail", 20),
        with(job("succeed", 20), &json!({"dependsOn": ["#0"]})),
        with(job("succeed", 20), &json!({"dependsOn": ["#1"], "when": "finished"})),
    ]
}

/// A parent that does not wait for its children, which depend on each other.
pub(super) fn children(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let mut jobs = vec![job("succeed", rng.random_range(500..2_000))];
    for at in 1..rng.random_range(3..8) {
        let before = if at == 1 { json!([]) } else { json!([format!("#{}", at - 1)]) };
        jobs.push(with(job("succeed", 20), &json!({"parent": "#0", "dependsOn": before})));
    }
    jobs
}

/// More jobs than a fairness group may have offered at a time.
pub(super) fn large_fairness_group(rng: &mut ChaCha8Rng) -> Vec<Value> {
    let count = rng.random_range(80..200);
    (0..count).map(|_| json!({"action": "noop", "fairnessKey": "large"})).collect()
}
