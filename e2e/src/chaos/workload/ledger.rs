//! The ledger: everything that the API has acknowledged, against which the fleet is checked.

use std::collections::{HashMap, HashSet};

use domain::job::JobId;

use super::kinds::JobKind;
use crate::history::History;

/// What is expected of an acknowledged job.
#[derive(Clone, Copy)]
pub(crate) struct Expectation {
    pub(crate) kind: &'static JobKind,
    pub(crate) retries: u32,
}

/// Everything that was acknowledged, and the number of calls that were not.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) jobs: HashMap<JobId, Expectation>,
    /// When the cancellation of a job was first acknowledged.
    pub(crate) cancelled_us: HashMap<JobId, i64>,
    pub(crate) deleted: HashSet<JobId>,
    /// The bodies of the signals to each job that were acknowledged.
    pub(crate) signalled: HashMap<JobId, Vec<&'static str>>,
    /// The marks of batched submissions, each with the jobs that answered it.
    pub(crate) batched: HashSet<(u64, JobId)>,
    /// Calls that were answered 503 or not at all.
    pub(crate) unavailable: u64,
}

/// The result of one or more calls.
#[derive(Default)]
pub(crate) struct CallResult {
    pub(super) acknowledged: Vec<(JobId, Expectation)>,
    pub(super) cancelled: Vec<(JobId, i64)>,
    pub(super) deleted: Vec<JobId>,
    pub(super) signalled: Vec<(JobId, &'static str)>,
    pub(super) batched: Vec<(u64, JobId)>,
    /// Calls that were answered 503 or not at all: whether they had an effect is unknown.
    pub(crate) unavailable: u64,
    /// Answers that are not documented.
    pub(crate) unexpected: Vec<String>,
}

impl CallResult {
    pub(super) fn merge(&mut self, other: CallResult) {
        let CallResult {
            acknowledged,
            cancelled,
            deleted,
            signalled,
            batched,
            unavailable,
            unexpected,
        } = other;
        self.signalled.extend(signalled);
        self.acknowledged.extend(acknowledged);
        self.cancelled.extend(cancelled);
        self.deleted.extend(deleted);
        self.batched.extend(batched);
        self.unavailable += unavailable;
        self.unexpected.extend(unexpected);
    }
}

impl Ledger {
    /// Adds what another ledger has.
    pub(crate) fn merge(&mut self, other: Ledger) {
        let Ledger { jobs, cancelled_us, deleted, signalled, batched, unavailable } = other;
        self.signalled.extend(signalled);
        self.jobs.extend(jobs);
        self.cancelled_us.extend(cancelled_us);
        self.deleted.extend(deleted);
        self.batched.extend(batched);
        self.unavailable += unavailable;
    }

    /// Adds a result. Unexpected answers are violations.
    pub(super) fn add(&mut self, result: CallResult, history: &History) {
        self.jobs.extend(result.acknowledged);
        for (id, at_us) in result.cancelled {
            let first = self.cancelled_us.entry(id).or_insert(at_us);
            *first = at_us.min(*first);
        }
        self.deleted.extend(result.deleted);
        for (id, body) in result.signalled {
            self.signalled.entry(id).or_default().push(body);
        }
        self.batched.extend(result.batched);
        self.unavailable += result.unavailable;
        for details in result.unexpected {
            history.add_violation("the API answers as documented", details);
        }
    }
}
