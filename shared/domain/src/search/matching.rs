//! Whether a job satisfies a term.

use serde_json::{Map, Value};

use super::condition::Condition;
use super::term::Term;
use crate::failure::{FAILED, FailureKind};
use crate::job::Job;
use crate::time::Timestamp;

impl Term {
    /// Returns true if a job belongs to the result of a search at `now`. Searches what the job
    /// contains, so values that the caller may not see must have been removed from it.
    #[must_use]
    pub fn matches(&self, job: &Job, now: Timestamp) -> bool {
        self.condition.holds(job, now) != self.is_excluded
    }
}

impl Condition {
    fn holds(&self, job: &Job, now: Timestamp) -> bool {
        let spec = &job.spec;
        let is = |value: &Option<String>, expected: &String| value.as_ref() == Some(expected);
        match self {
            Condition::Status(statuses) => statuses.contains(&job.status),
            Condition::Action(action) => spec.action == *action,
            Condition::Worker(worker) => job.worker.as_ref() == Some(worker),
            Condition::Parent(parent) => spec.parent == Some(*parent),
            Condition::Cron(cron) => spec.cron.as_ref().is_some_and(|one| one.cron == *cron),
            Condition::By(name) => is(&spec.scheduled_by, name),
            Condition::FairnessKey(key) => is(&spec.fairness_key, key),
            Condition::UniqueKey(key) => is(&spec.unique_key, key),
            Condition::Priority(priority) => spec.priority == *priority,
            Condition::Lock(lock) => {
                spec.locks.iter().chain(job.held_locks.iter()).any(|(name, _)| name == lock)
            }
            Condition::Ticket(ticket) => is(&spec.ticket_ref, ticket),
            Condition::Label(label) => spec.labels.has(label),
            Condition::Fingerprint(fingerprint) => {
                FAILED.contains(&job.status)
                    && FailureKind::of(&spec.action, job.exception.as_ref()).fingerprint()
                        == *fingerprint
            }
            Condition::Since(time) => job.scheduled_at >= time.resolve(now),
            Condition::Until(time) => job.scheduled_at <= time.resolve(now),
            Condition::Parameter(path, value) => {
                spec.parameters.as_ref().is_some_and(|all| has_parameter(all, path, value))
            }
            Condition::Text(text) => contains(job, &text.to_lowercase()),
        }
    }
}

/// Returns true if the value at a path is `expected`, or an array that contains it. A name that
/// itself contains dots is found, too.
fn has_parameter(all: &Map<String, Value>, path: &str, expected: &str) -> bool {
    let is_value = |value: &Value| match value.as_array() {
        Some(values) => values.iter().any(|one| is_text(one, expected)),
        None => is_text(value, expected),
    };
    if all.get(path).is_some_and(is_value) {
        return true;
    }
    let Some((first, rest)) = path.split_once('.') else { return false };
    let inner = all.get(first).and_then(Value::as_object);
    inner.is_some_and(|inner| has_parameter(inner, rest, expected))
}

/// Returns true if a value is written like this: a text as it is, another value as in JSON.
fn is_text(value: &Value, expected: &str) -> bool {
    match value {
        Value::String(text) => text == expected,
        Value::Null => expected == "null",
        Value::Bool(truth) => expected == if *truth { "true" } else { "false" },
        Value::Number(number) => expected == number.to_string(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Returns true if a text in lower case occurs in what people read of a job.
fn contains(job: &Job, text: &str) -> bool {
    let has = |one: &str| one.to_lowercase().contains(text);
    let has_some = |one: &Option<String>| one.as_deref().is_some_and(has);
    let spec = &job.spec;
    has(spec.action.as_str())
        || has_some(&spec.comment)
        || has_some(&spec.ticket_ref)
        || job.exception.as_ref().is_some_and(|one| has(&one.kind) || has(&one.message))
        || job.cancelled.as_ref().is_some_and(|one| has(&one.reason))
        || spec.parameters.as_ref().is_some_and(|all| all.values().any(|one| any_leaf(one, &has)))
        || job.result.as_ref().is_some_and(|one| any_leaf(one, &has))
        || job
            .exception
            .as_ref()
            .and_then(|one| one.detail.as_ref())
            .is_some_and(|one| any_leaf(one, &has))
}

/// Returns true if a value that is not an object or an array satisfies a condition.
fn any_leaf(value: &Value, has: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(all) => all.values().any(|one| any_leaf(one, has)),
        Value::Array(all) => all.iter().any(|one| any_leaf(one, has)),
        Value::String(text) => has(text),
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => has(&value.to_string()),
    }
}
