//! The two steps that begin a run: submit and claim.

use std::fmt;
use std::sync::atomic::Ordering;

use super::answer::{Answer, read, unknown};
use super::{Store, StoreError};
use domain::job::{
    ClaimedJob, JobId, NewJob, OnWorkerLost, GoDuration, JobSpec, Status, Timestamp, FencingToken, DependencyCondition, WorkerId,
};
use domain::lock::LockName;

/// How many queues a namespace may have.
pub(super) const MAX_QUEUES: u32 = 256;

/// A job that the store has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// What became of it.
    pub word: Submission,
    /// The job: the one that was asked for, or the one that has its unique key.
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
    /// It is a new job.
    Created,
    /// A job with this id was there before; it is unchanged.
    Known,
    /// Another job has its unique key and is not over; nothing was made.
    Taken,
    /// The id was used within a day, and its job is gone. Times and number are 0.
    Spent,
}

/// A submission names a job that it must not name; nothing was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {id}")]
pub struct BadRelation {
    /// What is wrong.
    pub kind: Relation,
    /// Which of the jobs that were to be submitted, from 0.
    pub place: usize,
    /// The job that it names.
    pub id: JobId,
}

/// What is wrong with a job that another one names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// There is no such job.
    UnknownDependency,
    /// A child waits for its siblings only, or for what is over.
    ForeignDependency,
    /// It is over, is being stopped, or is not there.
    ParentOver,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::UnknownDependency => "there is no job",
            Relation::ForeignDependency => {
                "a child may depend only on its siblings and on jobs that are over, not on job"
            }
            Relation::ParentOver => "a parent must not be over or being stopped, as is job",
        })
    }
}

/// Who asked, of whoever did not say.
pub const UNKNOWN: &str = "unknown";

/// A worker asks for jobs of one offer.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// How many it has room for.
    pub max: u32,
    /// The ids of the offer, tried in this order until `max` are claimed.
    pub ids: Vec<JobId>,
}

/// What became of one id of an offer.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimAnswer {
    /// It is this worker's now, or was already.
    Claimed(Box<ClaimedJob>),
    /// There is no such job (any more).
    Gone,
    /// It is not waiting, not due, or of an action that the worker does not know.
    Refused(Status),
    /// This lock is held; the job stands in line for it.
    Parked(LockName),
}

/// What became of a list of requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Claims {
    /// Per request, an answer for each id that was tried, in order.
    Answered(Vec<Vec<ClaimAnswer>>),
    /// This worker's lease has ended, but a beat may still renew it.
    LeaseLate,
    /// A later call of this worker has come before this one; nothing is claimed.
    Overtaken,
    /// This worker may not claim: it has no lease, and gets none under this id.
    LeaseLost,
}

impl Store {
    /// Submits jobs in one step. A job whose id is known already is left as it is.
    pub async fn submit(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>, StoreError> {
        self.submit_step("", 0, jobs).await
    }

    /// Submits jobs of a kept batch, of which so many are submitted then; those of a step that was done before are
    /// not made again.
    pub(super) async fn submit_step(
        &self,
        batch: &str,
        done: usize,
        jobs: &[NewJob],
    ) -> Result<Vec<Submitted>, StoreError> {
        let answer = self.call(&self.scripts.submit, |call| {
            call.arg(MAX_QUEUES).arg(batch).arg(done);
            for job in jobs {
                let spec = serde_json::to_string(&job.spec).unwrap_or_default();
                let at = job.scheduled_at.map(|at| at.ms().to_string()).unwrap_or_default();
                call.arg(job.id.to_string()).arg(job.spec.action.as_str());
                call.arg(job.class.as_str()).arg(job.spec.priority.as_str());
                call.arg(at).arg(job.spec.retries).arg(spec);
                call.arg(if job.once { "once" } else { "" });
                let further = further(&job.spec);
                call.arg(2 * further.len()).arg(&further[..]);
            }
        });
        let mut parts = answer.await?.parts()?.into_iter();
        let word = parts.next().map(Answer::word).transpose()?;
        match word.as_deref() {
            Some("submitted") => parts.map(|part| submitted(&part.words()?)).collect(),
            Some("too_many_queues") => {
                let queue = parts.next().map(Answer::word).transpose()?;
                Err(StoreError::TooManyQueues(queue.unwrap_or_default()))
            }
            Some(word) => {
                let words: Vec<String> = parts.map(Answer::word).collect::<Result<_, _>>()?;
                Err(StoreError::Relation(relation(word, &words)?))
            }
            None => Err(unknown("submit", &[])),
        }
    }

    /// Claims jobs for a worker, several requests in one step.
    pub async fn claim(
        &self,
        worker: &WorkerId,
        requests: &[ClaimRequest],
    ) -> Result<Claims, StoreError> {
        let answer = self.call(&self.scripts.claim, |call| {
            call.arg(worker.as_str()).arg(self.claims.fetch_add(1, Ordering::Relaxed) + 1);
            for request in requests {
                call.arg(request.max).arg(request.ids.len());
                for id in &request.ids {
                    call.arg(id.to_string());
                }
            }
        });
        let mut parts = answer.await?.parts()?.into_iter();
        match parts.next().map(Answer::word).transpose()?.as_deref() {
            Some("lease_lost") => Ok(Claims::LeaseLost),
            Some("lease_late") => Ok(Claims::LeaseLate),
            Some("overtaken") => Ok(Claims::Overtaken),
            Some("claims") => {
                let lists = parts.zip(requests).map(|(part, request)| {
                    let tried = part.parts()?.into_iter().zip(&request.ids);
                    tried.map(|(answer, id)| claim_answer(*id, &answer.words()?)).collect()
                });
                Ok(Claims::Answered(lists.collect::<Result<_, StoreError>>()?))
            }
            other => Err(unknown("claim", &[format!("{other:?}")])),
        }
    }
}

/// What scripts must know of a spec beyond what every job has, by the names of the record's fields.
pub(super) fn further(spec: &JobSpec) -> Vec<(&'static str, String)> {
    let ms = |span: &GoDuration| span.duration().map(|span| span.as_millis().to_string());
    let backoff = spec.backoff.as_ref();
    let fail = spec.on_worker_lost == OnWorkerLost::Fail;
    let ids: Vec<String> = spec.depends_on.iter().map(ToString::to_string).collect();
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let all = [
        ("share", text(share(spec).to_owned())),
        ("locks", text(spec.locks.to_string())),
        ("dependsOn", text(ids.join(" "))),
        ("when", (spec.when == DependencyCondition::Finished).then(|| "finished".to_owned())),
        ("parentID", spec.parent.map(|parent| parent.to_string())),
        ("uniqueKey", spec.unique_key.clone()),
        ("expiresAt", spec.expires_at.map(|at| at.ms().to_string())),
        ("onWorkerLost", fail.then(|| "fail".to_owned())),
        ("backoffBase", backoff.and_then(|backoff| ms(&backoff.base))),
        ("backoffMax", backoff.and_then(|backoff| ms(&backoff.max))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Whose share of its queue a job is in; empty for whoever did not say who they are.
pub(super) fn share(spec: &JobSpec) -> &str {
    let asked = spec.scheduled_by.as_deref().filter(|by| *by != UNKNOWN);
    spec.fairness_key.as_deref().or(asked).unwrap_or_default()
}

fn relation(word: &str, words: &[String]) -> Result<BadRelation, StoreError> {
    let kind = match word {
        "unknown_dependency" => Relation::UnknownDependency,
        "foreign_dependency" => Relation::ForeignDependency,
        "parent_over" => Relation::ParentOver,
        _ => return Err(unknown("submit", &[word.to_owned()])),
    };
    let [place, id] = words else { return Err(unknown("submit", words)) };
    Ok(BadRelation { kind, place: read("submit", place)?, id: read("submit", id)? })
}

fn submitted(words: &[String]) -> Result<Submitted, StoreError> {
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    let (word, number, created_at, scheduled_at, id) = match texts[..] {
        ["created", number, created, due, id] => (Submission::Created, number, created, due, id),
        ["known", number, created, due, id] => (Submission::Known, number, created, due, id),
        ["taken", number, created, due, id] => (Submission::Taken, number, created, due, id),
        ["spent", id] => (Submission::Spent, "0", "0", "0", id),
        _ => return Err(unknown("submit", words)),
    };
    Ok(Submitted {
        word,
        id: read("submit", id)?,
        number: read("submit", number)?,
        created_at: Timestamp::from_ms(read("submit", created_at)?),
        scheduled_at: Timestamp::from_ms(read("submit", scheduled_at)?),
    })
}

fn claim_answer(id: JobId, words: &[String]) -> Result<ClaimAnswer, StoreError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["gone"] => Ok(ClaimAnswer::Gone),
        ["refused", status] => Ok(ClaimAnswer::Refused(read("claim", status)?)),
        ["parked", lock] => Ok(ClaimAnswer::Parked(read("claim", lock)?)),
        ["claimed", token, number, attempt, spec] => {
            let spec = serde_json::from_str(spec).map_err(|error| StoreError::Record {
                key: format!("spec of {id}"),
                why: error.to_string(),
            })?;
            Ok(ClaimAnswer::Claimed(Box::new(ClaimedJob {
                id,
                number: read("claim", number)?,
                token: FencingToken(read("claim", token)?),
                attempt: read("claim", attempt)?,
                spec,
            })))
        }
        _ => Err(StoreError::Answer { script: "claim", answer: format!("{words:?}") }),
    }
}
