//! What must hold for any file of actions, and for any line that a command says; see [`domain::fuzzing`].

use std::collections::HashMap;

use domain::fuzzing::{Check, same_as_json, told};
use domain::job::{ActionName, JobId, Spec, Token};

use super::exec::spawning::{Said, said};
use super::file;
use crate::child::Parent;
use crate::progress::{PROGRESS_BYTES, Progress, progress_of};

/// The checks by their names.
pub const CHECKS: [Check; 3] =
    [("actions_file", actions_file), ("child", child), ("progress", progress)];

/// A file of actions.
pub fn actions_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(actions) = file::parse(text) else { return };
    assert!(actions.keys().all(|name| name.as_str().parse::<ActionName>().as_ref() == Ok(name)));
}

/// A line that asks for a child: the same again is the same child.
pub fn child(bytes: &[u8]) {
    let Some(Said::Child(child)) = told(said(bytes)) else { return };
    let Ok(action) = "parent".parse() else { return };
    let spec = Spec::of(action);
    let id = JobId::random();
    let parent = Parent { id, root: id, spec: &spec };
    let job = |child| told(child_of(child, &parent));
    let (first, again) = (job((*child).clone()), job(*child));
    assert_eq!(first.as_ref().map(|job| job.id), again.map(|job| job.id));
    if let Some(first) = first {
        assert_eq!(first.spec.parent, Some(id));
        same_as_json(&first.spec);
    }
}

fn child_of(
    child: crate::Child,
    parent: &Parent<'_>,
) -> Result<domain::job::NewJob, crate::WrongChild> {
    child.job(parent, &mut HashMap::new(), &[], &HashMap::new())
}

/// Lines of progress: what was told last stays within its bounds.
pub fn progress(bytes: &[u8]) {
    let (teller, writer) = progress_of(JobId::random(), Token(1));
    for line in bytes.split(|byte| *byte == b'\n') {
        told(Progress::read(line).and_then(|progress| teller.tell(progress)));
    }
    let known = writer.told();
    same_as_json(&known);
    assert!(known.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    assert!(serde_json::to_vec(&known).is_ok_and(|json| json.len() <= PROGRESS_BYTES));
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_what_was_found_before_hold() {
        domain::fuzzing::recheck(&super::CHECKS);
    }
}
