//! What became of submissions: each is answered with a record, the new one or the one that was there.

use std::collections::HashMap;

use shared::job::{Job, JobId, NewJob};
use shared::store::{Store, Submission, Submitted};

use crate::error::{Error, Place};

/// A job that answers a submission.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    /// Its record.
    pub(crate) job: Job,
    /// Why this one.
    pub(crate) how: Admission,
}

/// Why a job answers a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It was made for it.
    Made,
    /// It was made for an earlier one with the same idempotency key.
    Repeated,
    /// It has the unique key.
    Taken,
}

/// The answers to submissions, in their order. What was there before is read, as it is now.
pub(super) async fn admitted(
    store: &Store,
    submitted: Vec<(NewJob, Result<Submitted, Error>)>,
) -> Vec<Result<Admitted, Error>> {
    let old = |answer: &Result<Submitted, Error>| match answer {
        Ok(Submitted { word: Submission::Known | Submission::Taken, id, .. }) => Some(*id),
        Ok(Submitted { word: Submission::Created | Submission::Spent, .. }) | Err(_) => None,
    };
    let ids: Vec<JobId> = submitted.iter().filter_map(|(_, answer)| old(answer)).collect();
    let there: Result<Vec<Job>, Error> = store.jobs_by_id(&ids).await.map_err(Error::from);
    let there = there.map(|jobs| jobs.into_iter().map(|job| (job.id, job)).collect());
    let answer = |(job, answer)| one(job, &answer?, &there);
    submitted.into_iter().map(answer).collect()
}

fn one(
    job: NewJob,
    submitted: &Submitted,
    there: &Result<HashMap<JobId, Job>, Error>,
) -> Result<Admitted, Error> {
    let old = || there.as_ref().map(|jobs| jobs.get(&submitted.id).cloned()).map_err(Clone::clone);
    let spent = || {
        let place = Place::field("Idempotency-Key");
        Error::Spent { place, id: submitted.id }
    };
    match submitted.word {
        Submission::Created => Ok(Admitted { job: record(job, submitted), how: Admission::Made }),
        Submission::Known if job.once => {
            Ok(Admitted { job: old()?.ok_or_else(spent)?, how: Admission::Repeated })
        }
        // Our own repetition, because the answer to the first call was lost.
        Submission::Known => {
            let job = old()?.unwrap_or_else(|| record(job, submitted));
            Ok(Admitted { job, how: Admission::Made })
        }
        Submission::Taken => {
            let gone = Error::Unavailable("the job with this unique key has just gone");
            Ok(Admitted { job: old()?.ok_or(gone)?, how: Admission::Taken })
        }
        Submission::Spent => Err(spent()),
    }
}

/// The record that the store has made of a new job.
fn record(job: NewJob, submitted: &Submitted) -> Job {
    Job::waiting(job, submitted.number, submitted.created_at, submitted.scheduled_at)
}
