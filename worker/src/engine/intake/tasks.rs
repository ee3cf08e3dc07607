//! What the intake has in progress: claims, counts, and the attempts of claimed jobs.

use domain::job::{ClaimedJob, FencingToken, JobId};
use domain::queue::QueueName;
use store::ClaimRequest;
use tokio::task::JoinSet;

use crate::context::stop::StopSignal;
use crate::engine::admission::Claim;
use crate::engine::attempt;
use crate::engine::session::Session;
use crate::engine::store_batcher::{ClaimReply, StoreBatcher};

/// The tasks of one session's intake.
pub(super) struct Tasks {
    session: Session,
    batcher: StoreBatcher,
    pub(super) claims: JoinSet<(Claim, ClaimReply)>,
    pub(super) counts: JoinSet<(QueueName, Option<u64>)>,
    pub(super) attempts: JoinSet<(JobId, QueueName)>,
}

impl Tasks {
    pub(super) fn new(session: Session, batcher: StoreBatcher) -> Tasks {
        Tasks {
            session,
            batcher,
            claims: JoinSet::new(),
            counts: JoinSet::new(),
            attempts: JoinSet::new(),
        }
    }

    /// Returns true when no claim is in progress and no job runs.
    pub(super) fn is_idle(&self) -> bool {
        self.claims.is_empty() && self.attempts.is_empty()
    }

    /// Asks the store for the jobs of a claim.
    pub(super) fn claim(&mut self, claim: Claim) {
        let claims = self.batcher.claims.clone();
        self.claims.spawn(async move {
            let request = ClaimRequest { max: claim.max, ids: claim.ids.clone() };
            let reply = claims.ask(request).await.ok().flatten();
            (claim, reply)
        });
    }

    /// Asks the store how many jobs wait in a queue.
    pub(super) fn count(&mut self, queue: QueueName) {
        let store = self.session.resources.store.clone();
        self.counts.spawn(async move {
            let count = store.ready_count(&queue).await;
            (queue, count.ok())
        });
    }

    /// Runs a claimed job.
    pub(super) fn attempt(&mut self, job: ClaimedJob, queue: QueueName, stop: StopSignal) {
        let (session, batcher) = (self.session.clone(), self.batcher.clone());
        self.attempts.spawn(async move {
            let id = job.id;
            attempt::run(&session, batcher, job, stop).await;
            session.resources.metrics.running.dec();
            (id, queue)
        });
    }

    /// Ends a claimed job that this worker cannot read.
    pub(super) fn end_unreadable(
        &mut self,
        (id, token): (JobId, FencingToken),
        reason: String,
        queue: QueueName,
    ) {
        let (session, batcher) = (self.session.clone(), self.batcher.clone());
        self.attempts.spawn(async move {
            attempt::end_unreadable(&session, batcher, (id, token), &reason).await;
            session.resources.metrics.running.dec();
            (id, queue)
        });
    }
}
