//! Batches claims and outcomes on their way to the store: requests that are made while a call is in
//! flight go together in the next one. Calls are repeated until answered, so an outage delays what
//! is recorded and loses none of it.

use domain::job::{FencingToken, Status};
use store::batcher::{Batcher, batcher};
use store::{ClaimAnswer, ClaimRequest, Claims, Finish, FinishAnswer};
use tokio::task::JoinSet;

use super::session::Session;
use crate::context::retrying_store::RETRY_PAUSE;

/// How many requests one call carries.
const MAX_REQUESTS: usize = 64;
/// How many jobs one claim call may move, because a script blocks Redis while it runs.
const MAX_CLAIMED_JOBS: u32 = 128;

/// The answers to one claim request; `None` when the lease is lost.
pub(super) type ClaimReply = Option<Vec<ClaimAnswer>>;

/// Accepts claims and outcomes. Cheap to clone.
#[derive(Clone)]
pub(super) struct StoreBatcher {
    pub(super) claims: Batcher<ClaimRequest, ClaimReply>,
    pub(super) outcomes: Batcher<Finish, Option<FinishAnswer>>,
}

impl StoreBatcher {
    /// Creates a batcher. Two tasks make its calls until every clone of it is dropped.
    pub(super) fn spawn(session: &Session, tasks: &mut JoinSet<()>) -> StoreBatcher {
        let (claims, claim_calls) = batcher(MAX_REQUESTS);
        let (outcomes, outcome_calls) = batcher(MAX_REQUESTS);
        let (claiming, recording) = (session.clone(), session.clone());
        tasks.spawn(claim_calls.run(move |requests| {
            let session = claiming.clone();
            async move { claim(&session, requests).await }
        }));
        tasks.spawn(outcome_calls.run(move |outcomes| {
            let session = recording.clone();
            async move { record(&session, outcomes).await }
        }));
        StoreBatcher { claims, outcomes }
    }
}

/// Answers a batch of claim requests.
async fn claim(session: &Session, requests: Vec<ClaimRequest>) -> Vec<ClaimReply> {
    let (store, lease_lost) = (&session.store.store, &session.store.lease_lost);
    let mut replies = Vec::with_capacity(requests.len());
    while replies.len() < requests.len() {
        let rest = &requests[replies.len()..];
        let mut jobs = 0;
        let fitting = rest.iter().take_while(|request| {
            jobs += request.max;
            jobs <= MAX_CLAIMED_JOBS
        });
        let batch = &rest[..fitting.count().max(1)];
        let call = || store.claim(&session.id, batch);
        match session.store.until_successful(call).await {
            Some(Claims::Answered(mut answers)) => {
                for answer in answers.iter_mut().flatten() {
                    refuse_earlier_claim(session, answer);
                }
                let tried = batch.iter().zip(&answers);
                let tried = tried.flat_map(|(request, answers)| request.ids.iter().zip(answers));
                let runs = tried.filter_map(|(id, answer)| {
                    claimed_run(answer).map(|(token, strict_lease)| (*id, token, strict_lease))
                });
                session.running.claimed(runs);
                replies.extend(answers.into_iter().map(Some));
            }
            Some(Claims::LeaseLost) => lease_lost.cancel(),
            Some(Claims::Superseded) => {}
            // The next heartbeat renews the lease, or learns that it is too late.
            Some(Claims::LeaseEnded) => tokio::time::sleep(RETRY_PAUSE).await,
            None => {}
        }
        if lease_lost.is_cancelled() {
            replies.resize(requests.len(), None);
        }
    }
    replies
}

/// Refuses a claim whose token the worker has already used: Redis has lost the end of that run. The
/// heartbeat ends the job as lost, and its follow-up has a new token.
fn refuse_earlier_claim(session: &Session, answer: &mut ClaimAnswer) {
    if claimed_run(answer).is_some_and(|(token, _)| session.running.was_claimed(token)) {
        *answer = ClaimAnswer::Refused(Status::Running);
    }
}

/// Returns the token of the run that a claim has begun, and whether its lease is strict.
fn claimed_run(answer: &ClaimAnswer) -> Option<(FencingToken, bool)> {
    match answer {
        ClaimAnswer::Claimed(job) => Some((job.token, job.spec.strict_lease)),
        ClaimAnswer::Unreadable(token, _) => Some((*token, false)),
        ClaimAnswer::Gone
        | ClaimAnswer::Refused(_)
        | ClaimAnswer::Parked(_)
        | ClaimAnswer::Failed(_) => None,
    }
}

/// Records a batch of outcomes.
async fn record(session: &Session, outcomes: Vec<Finish>) -> Vec<Option<FinishAnswer>> {
    match session.store.until_successful(|| session.store.store.finish(&outcomes)).await {
        Some(answers) => answers.into_iter().map(Some).collect(),
        None => vec![None; outcomes.len()],
    }
}
