//! Submits jobs.

use super::new_record::NewRecord;
use crate::error::{InvalidRelation, RelationProblem, StoreError};
use crate::script::Script;
use crate::store::Store;
use domain::job::{JobId, NewJob, Timestamp};

static SUBMIT: Script = Script::new("submit", include_str!("submit.lua"));

/// A job that the store has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// What became of the submission.
    pub outcome: Submission,
    /// The job: the submitted one, the one that has its unique key, or its batch.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it is due.
    pub scheduled_at: Timestamp,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// A new job was created.
    Created,
    /// A job with this id exists; it is unchanged.
    Known,
    /// Another job has the unique key and is not over; nothing was created.
    Taken,
    /// Another job has the unique key and waited for its debounced time; it is now what was
    /// submitted, and due later.
    Replaced,
    /// It joined a batch: the parameters were added to those of this job, which waits for more or
    /// is full now.
    Joined,
    /// The id was used within a day, and its job is removed. Times and number are 0.
    Spent,
}

impl Store {
    /// Submits jobs in one step, all or none. A job whose id is known already is not changed. A
    /// caller with many jobs cuts them into [`submission_steps`](crate::submission_steps). Fails if
    /// fewer replicas have them than the settings demand; they are submitted all the same.
    pub async fn submit(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>, StoreError> {
        self.submit_step("", 0, jobs).await
    }

    /// Submits jobs of a kept batch. After this step `done` of its jobs are submitted; a step that
    /// was done before creates nothing again.
    pub(crate) async fn submit_step(
        &self,
        batch: &str,
        done: usize,
        jobs: &[NewJob],
    ) -> Result<Vec<Submitted>, StoreError> {
        let answer = self.call(&SUBMIT, |call| {
            call.arg(batch).arg(done);
            for job in jobs {
                call.arg(NewRecord::of(job).json());
            }
        });
        let (head, answers) = answer.await?.split()?;
        if let Some(refused) = head.decode(refusal)? {
            return Err(refused);
        }
        let submitted: Result<Vec<_>, _> =
            answers.into_iter().map(|answer| answer.decode(submitted)).collect();
        if let Some(replication) = &self.replication {
            replication.wait(&self.keys.replication()).await?;
        }
        submitted
    }
}

/// `None` within when the jobs were accepted.
fn refusal(words: &[&str]) -> Option<Option<StoreError>> {
    let (kind, index, id) = match words {
        ["submitted"] => return Some(None),
        ["other_request", _, id] => return Some(Some(StoreError::OtherRequest(id.parse().ok()?))),
        ["unknown_dependency", index, id] => (RelationProblem::UnknownDependency, index, id),
        ["foreign_dependency", index, id] => (RelationProblem::ForeignDependency, index, id),
        ["unknown_parent", index, id] => (RelationProblem::UnknownParent, index, id),
        ["parent_over", index, id] => (RelationProblem::ParentOver, index, id),
        _ => return None,
    };
    let (index, id) = (index.parse().ok()?, id.parse().ok()?);
    Some(Some(InvalidRelation { kind, index, id }.into()))
}

fn submitted(words: &[&str]) -> Option<Submitted> {
    let (outcome, number, created_at, scheduled_at, id) = match words {
        ["created", number, created, due, id] => (Submission::Created, *number, *created, *due, id),
        ["known", number, created, due, id] => (Submission::Known, *number, *created, *due, id),
        ["taken", number, created, due, id] => (Submission::Taken, *number, *created, *due, id),
        ["replaced", number, created, due, id] => {
            (Submission::Replaced, *number, *created, *due, id)
        }
        ["joined", number, created, due, id] => (Submission::Joined, *number, *created, *due, id),
        ["spent", id] => (Submission::Spent, "0", "0", "0", id),
        _ => return None,
    };
    Some(Submitted {
        outcome,
        id: id.parse().ok()?,
        number: number.parse().ok()?,
        created_at: Timestamp::from_ms(created_at.parse().ok()?),
        scheduled_at: Timestamp::from_ms(scheduled_at.parse().ok()?),
    })
}
