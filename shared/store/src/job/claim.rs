//! Claims jobs for a worker.

use std::sync::atomic::Ordering;

use crate::answer::Answer;
use crate::error::StoreError;
use crate::json::read_json;
use crate::script::Script;
use crate::store::Store;
use domain::job::{ClaimedJob, FencingToken, JobId, Status, WorkerId};
use domain::lock::LockName;

static CLAIM: Script = Script::new("claim", include_str!("claim.lua"));

/// A worker asks for jobs of one offer.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// How many it has capacity for.
    pub max: u32,
    /// The ids of the offer, tried in this order until `max` are claimed.
    pub ids: Vec<JobId>,
}

/// What became of one id of an offer.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimAnswer {
    /// The worker has the job now, or had it already.
    Claimed(Box<ClaimedJob>),
    /// The worker has the job now, with this token, and cannot read the rest of its record, for
    /// this reason. It can only end the job.
    Unreadable(FencingToken, String),
    /// There is no such job.
    Gone,
    /// The job does not wait, is not due, or is of an action that the worker does not know.
    Refused(Status),
    /// This lock is held; the job joins its wait queue.
    Parked(LockName),
    /// The claim of this job failed, for this reason; those of other jobs are unaffected.
    Failed(String),
}

/// What became of a list of requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Claims {
    /// Per request, an answer for each id that was tried, in order.
    Answered(Vec<Vec<ClaimAnswer>>),
    /// The worker's lease has ended; a heartbeat may still renew it.
    LeaseEnded,
    /// A later call of this worker came before this one; nothing is claimed.
    Superseded,
    /// The worker has no lease, and gets none under this id.
    LeaseLost,
}

impl Store {
    /// Claims jobs for a worker, several requests in one step.
    pub async fn claim(
        &self,
        worker: &WorkerId,
        requests: &[ClaimRequest],
    ) -> Result<Claims, StoreError> {
        let answer = self.call(&CLAIM, |call| {
            call.arg(worker.as_str()).arg(self.claims.fetch_add(1, Ordering::Relaxed) + 1);
            for request in requests {
                call.arg(request.max).arg(request.ids.len());
                for id in &request.ids {
                    call.arg(id.to_string());
                }
            }
        });
        let (head, lists) = answer.await?.split()?;
        let mut claims = head.decode(|words| match words {
            ["claims"] => Some(Claims::Answered(Vec::new())),
            ["lease_ended"] => Some(Claims::LeaseEnded),
            ["superseded"] => Some(Claims::Superseded),
            ["lease_lost"] => Some(Claims::LeaseLost),
            _ => None,
        })?;
        if let Claims::Answered(answers) = &mut claims {
            for (list, request) in lists.into_iter().zip(requests) {
                let tried = list.parts()?.into_iter().zip(&request.ids);
                let tried = tried.map(|(answer, id)| claim_answer(*id, answer));
                answers.push(tried.collect());
            }
        }
        Ok(claims)
    }
}

fn claim_answer(id: JobId, answer: Answer) -> ClaimAnswer {
    let token = answer.word(1).filter(|_| answer.word(0) == Some("claimed"));
    let token = token.and_then(|token| token.parse().ok()).map(FencingToken);
    let decoded = answer.decode(|words| match words {
        ["gone"] => Some(Ok(ClaimAnswer::Gone)),
        ["refused", status] => Some(Ok(ClaimAnswer::Refused(status.parse().ok()?))),
        ["parked", lock] => Some(Ok(ClaimAnswer::Parked(lock.parse().ok()?))),
        ["failed", reason] => Some(Ok(ClaimAnswer::Failed((*reason).to_owned()))),
        ["claimed", _, number, attempt, spec] => {
            let job = claimed_job(id, token?, (number, attempt), spec);
            Some(job.map(|job| ClaimAnswer::Claimed(Box::new(job))))
        }
        _ => None,
    });
    match (decoded.and_then(|answer| answer), token) {
        (Ok(answer), _) => answer,
        (Err(error), Some(token)) => ClaimAnswer::Unreadable(token, error.to_string()),
        (Err(error), None) => ClaimAnswer::Failed(error.to_string()),
    }
}

fn claimed_job(
    id: JobId,
    token: FencingToken,
    (number, attempt): (&str, &str),
    spec: &str,
) -> Result<ClaimedJob, StoreError> {
    let record = format!("job {id}");
    let wrong = |field: &str| StoreError::unreadable(&record, format!("{field} is not a number"));
    let number = number.parse().map_err(|_| wrong("number"))?;
    let attempt = attempt.parse().map_err(|_| wrong("attempt"))?;
    let spec = read_json(&format!("spec of {record}"), spec)?;
    Ok(ClaimedJob { id, number, token, attempt, spec })
}
