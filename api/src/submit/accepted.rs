//! The answers to submissions: each is a record, of the new job or of the one that existed before.

use std::collections::HashMap;

use domain::job::{Job, JobId, NewJob};
use store::{Store, Submission, Submitted};

use crate::error::{Error, FieldPath};

/// A job that answers a submission.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// Its record.
    pub(crate) job: Job,
    /// Why this job answers it.
    pub(crate) how: Acceptance,
}

/// Why a job answers a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// The submission created it.
    Created,
    /// An earlier submission with the same idempotency key created it.
    Repeated,
    /// It has the unique key of the submission, or the submission has joined it.
    Existing,
}

/// Returns the answers to submissions, in order. Jobs that existed before are read as they are now.
pub(super) async fn accepted(
    store: &Store,
    submitted: Vec<(NewJob, Result<Submitted, Error>)>,
) -> Vec<Result<Accepted, Error>> {
    let existing = |answer: &Result<Submitted, Error>| match answer {
        Ok(Submitted {
            outcome:
                Submission::Known | Submission::Taken | Submission::Replaced | Submission::Joined,
            id,
            ..
        }) => Some(*id),
        Ok(Submitted { outcome: Submission::Created | Submission::Spent, .. }) | Err(_) => None,
    };
    let ids: Vec<JobId> = submitted.iter().filter_map(|(_, answer)| existing(answer)).collect();
    let existing: Result<Vec<Job>, Error> = store.jobs_by_id(&ids).await.map_err(Error::from);
    let existing = existing.map(|jobs| jobs.into_iter().map(|job| (job.id, job)).collect());
    let answer = |(job, answer)| answer_one(job, &answer?, &existing);
    submitted.into_iter().map(answer).collect()
}

fn answer_one(
    job: NewJob,
    submitted: &Submitted,
    existing: &Result<HashMap<JobId, Job>, Error>,
) -> Result<Accepted, Error> {
    let existing =
        || existing.as_ref().map(|jobs| jobs.get(&submitted.id).cloned()).map_err(Clone::clone);
    let spent = || Error::SpentKey { at: FieldPath::new("Idempotency-Key"), id: submitted.id };
    let (job, how) = match submitted.outcome {
        Submission::Created => (record(job, submitted), Acceptance::Created),
        Submission::Known if job.reserve_id => {
            (existing()?.ok_or_else(spent)?, Acceptance::Repeated)
        }
        // This service repeated the call, because the answer to the first one was lost.
        Submission::Known => {
            (existing()?.unwrap_or_else(|| record(job, submitted)), Acceptance::Created)
        }
        Submission::Taken | Submission::Replaced | Submission::Joined => {
            let removed = Error::Unavailable("the job that answers this has just been removed");
            (existing()?.ok_or(removed)?, Acceptance::Existing)
        }
        Submission::Spent => return Err(spent()),
    };
    Ok(Accepted { job, how })
}

/// Returns the record that the store has created for a new job.
fn record(job: NewJob, submitted: &Submitted) -> Job {
    Job::waiting(job, submitted.number, submitted.created_at, submitted.scheduled_at)
}
