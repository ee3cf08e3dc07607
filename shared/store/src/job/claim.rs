//! Claims jobs for a worker.

use std::sync::atomic::Ordering;

use crate::answer::Answer;
use crate::error::StoreError;
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
    /// There is no such job.
    Gone,
    /// The job does not wait, is not due, or is of an action that the worker does not know.
    Refused(Status),
    /// This lock is held; the job joins its wait queue.
    Parked(LockName),
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
                answers.push(tried.collect::<Result<_, _>>()?);
            }
        }
        Ok(claims)
    }
}

fn claim_answer(id: JobId, answer: Answer) -> Result<ClaimAnswer, StoreError> {
    answer.decode(|words| match words {
        ["gone"] => Some(Ok(ClaimAnswer::Gone)),
        ["refused", status] => Some(Ok(ClaimAnswer::Refused(status.parse().ok()?))),
        ["parked", lock] => Some(Ok(ClaimAnswer::Parked(lock.parse().ok()?))),
        ["claimed", token, number, attempt, spec] => {
            let spec = match serde_json::from_str(spec) {
                Ok(spec) => spec,
                Err(error) => {
                    return Some(Err(StoreError::unreadable(format!("spec of {id}"), error)));
                }
            };
            let token = FencingToken(token.parse().ok()?);
            let (number, attempt) = (number.parse().ok()?, attempt.parse().ok()?);
            let job = ClaimedJob { id, number, token, attempt, spec };
            Some(Ok(ClaimAnswer::Claimed(Box::new(job))))
        }
        _ => None,
    })?
}
