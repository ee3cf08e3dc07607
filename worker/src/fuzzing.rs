//! Properties of the parsers of actions files and of what commands write; see [`domain::fuzzing`].

use std::collections::HashMap;
use std::time::Duration;

use domain::fuzzing::{Check, accepted, assert_json_round_trip};
use domain::job::{ActionName, JobId, JobSpec, NewJob};
use reqwest::header::{HeaderValue, RETRY_AFTER};
use serde_json::Value;
use store::AllDefaults;

use crate::actions::{ChildRequest, parse_file, requested_pause};
use crate::context::checkpoint::{CHECKPOINT_BYTES, Checkpoint};
use crate::context::child::{Child, InvalidChild, ParentJob};
use crate::context::progress::{self, PROGRESS_BYTES, Progress};
use crate::context::rate_limits::RetryAfter;

/// The checks by name.
pub const CHECKS: [Check; 5] = [
    ("actions_file", actions_file),
    ("checkpoint", checkpoint),
    ("child", child),
    ("progress", progress),
    ("retry_after", retry_after),
];

/// Parses an actions file; every name in it is a valid action name.
pub fn actions_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(actions) = parse_file(text) else { return };
    assert!(actions.keys().all(|name| name.as_str().parse::<ActionName>().as_ref() == Ok(name)));
}

/// Parses a checkpoint; its text is kept, within its bounds, and can be read again.
pub fn checkpoint(bytes: &[u8]) {
    let Some(checkpoint) = accepted(Checkpoint::parse(bytes)) else { return };
    let json = checkpoint.json();
    assert_eq!(json.as_bytes(), bytes);
    assert!(json.len() <= CHECKPOINT_BYTES);
    assert!(serde_json::from_str::<Value>(json).is_ok());
    assert_eq!(Checkpoint::parse(json.as_bytes()), Ok(checkpoint.clone()));
}

/// Parses a request for a child; the same request has the same id.
pub fn child(bytes: &[u8]) {
    let Some(ChildRequest::Spawn(child)) = accepted(ChildRequest::parse(bytes)) else { return };
    let Ok(action) = "parent".parse() else { return };
    let spec = JobSpec::of(action);
    let id = JobId::random();
    let parent = ParentJob { id, root: id, spec: &spec };
    let job = |child| accepted(job_of(child, &parent));
    let (first, second) = (job((*child).clone()), job(*child));
    assert_eq!(first.as_ref().map(|job| job.id), second.map(|job| job.id));
    if let Some(first) = first {
        assert_eq!(first.spec.parent, Some(id));
        assert_json_round_trip(&first.spec);
    }
}

fn job_of(child: Child, parent: &ParentJob<'_>) -> Result<NewJob, InvalidChild> {
    child.job(parent, &mut HashMap::new(), &[], &AllDefaults::default())
}

/// Parses lines of progress; the current progress stays within its bounds.
pub fn progress(bytes: &[u8]) {
    let (reporter, reported) = progress::channel();
    for line in bytes.split(|byte| *byte == b'\n') {
        accepted(Progress::parse(line).and_then(|parsed| reporter.report(parsed)));
    }
    let current = reported.borrow().clone();
    assert_json_round_trip(&current);
    assert!(current.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    assert!(serde_json::to_vec(&current).is_ok_and(|json| json.len() <= PROGRESS_BYTES));
}

/// Parses a request for a pause: a line of progress, and the header of a response.
pub fn retry_after(bytes: &[u8]) {
    if let Ok(asked) = serde_json::from_slice::<RetryAfter>(bytes) {
        let hours = asked.retry_after.duration().map(|time| time.as_secs() / 3_600);
        assert!(hours.is_none_or(|hours| hours <= 8_760));
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let text = value.to_str().unwrap_or_default().trim().to_owned();
    let pause = requested_pause(&[(RETRY_AFTER, value)].into_iter().collect());
    if let Ok(seconds) = text.parse() {
        assert_eq!(pause, Duration::from_secs(seconds));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checks_hold_for_seeds_and_for_earlier_findings() {
        domain::fuzzing::run_seeds(&super::CHECKS);
    }
}
