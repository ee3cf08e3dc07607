//! Batched submissions: each that was acknowledged is in the list of one job, the one that answered
//! it, and no submission is in two lists. That these jobs run is checked as for all others.

use std::collections::HashMap;

use domain::job::{Job, JobId};

use super::violations::Violations;
use crate::observations::Observations;

const ONCE: &str = "a batched submission is in one list once";
const ANSWERED: &str = "a batched submission is in the list of the job that answered it";
const SAME_LIST: &str = "a follow-up has the list of its job";

/// Returns how many acknowledged submissions were looked for.
pub(super) fn check(observations: &Observations, violations: &mut Violations) -> usize {
    let mut found: HashMap<u64, JobId> = HashMap::new();
    for head in observations.chain_heads() {
        for mark in marks(head) {
            if let Some(other) = found.insert(mark, head.id) {
                violations.add(ONCE, format!("{mark} is in {other} and in {}", head.id));
            }
        }
        for job in observations.chain(head.id) {
            if job.spec.batch_key.is_some() && marks(job).ne(marks(head)) {
                violations.add(SAME_LIST, format!("{} follows {}", job.id, head.id));
            }
        }
    }
    for (mark, answered) in &observations.ledger.batched {
        let job = found.get(mark);
        if job != Some(answered) {
            violations.add(ANSWERED, format!("{mark} is in {job:?}, answered by {answered}"));
        }
    }
    observations.ledger.batched.len()
}

/// The marks of the submissions of a batched job.
fn marks(job: &Job) -> impl Iterator<Item = u64> {
    let parameters = job.spec.parameters.as_ref().filter(|_| job.spec.batch_key.is_some());
    let list = parameters.and_then(|all| all.get("batch")?.as_array());
    list.into_iter().flatten().filter_map(|one| one["mark"].as_u64())
}
