//! The intake brings jobs in: it carries out what the admission decides. One task owns all of its
//! state, so nothing here needs a lock; slow work runs in task sets that it owns.

mod consumer;
mod consumers;
mod queue_backoff;
mod queue_discovery;
mod stop_sequence;
mod tasks;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use broker::{Delivery, Receipt};
use domain::job::{ClaimedJob, FencingToken, JobId};
use domain::queue::QueueName;
use store::ClaimAnswer;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::admission::{Admission, Claim, Command, OfferKey};
use super::session::{Session, SessionEnd};
use super::store_batcher::{ClaimReply, StoreBatcher};
use crate::config::Shutdown;
use crate::context::stop::StopReason;
use consumers::{BrokerEvent, Consumers};
use stop_sequence::StopSequence;
use tasks::Tasks;

pub(super) const HEALTH_PART: &str = "intake";

/// How often health is reported.
const PERIOD: Duration = Duration::from_secs(1);

/// Brings jobs in until shutdown or until the lease is lost. Returns when nothing is running.
pub(super) async fn run(session: Session, shutdown: Shutdown) -> SessionEnd {
    let (discovered, queues) = watch::channel(Vec::new());
    let mut helpers = JoinSet::new();
    let batcher = StoreBatcher::spawn(&session, &mut helpers);
    helpers.spawn(queue_discovery::run(session.clone(), discovered));
    let desired = session.desired.borrow().clone();
    let mut admission = Admission::new(desired.capacity, session.resources.config.offer_hold);
    admission.set_draining(desired.draining);
    let mut intake = Intake {
        admission,
        consumers: Consumers::connecting(&session),
        tasks: Tasks::new(session.clone(), batcher),
        session,
        receipts: HashMap::new(),
        stop_reason: None,
    };
    let end = intake.work(&shutdown, queues).await;
    intake.consumers.close().await;
    drop(intake);
    // The helpers return now that the other ends of their channels are dropped.
    while helpers.join_next().await.is_some() {}
    end
}

struct Intake {
    session: Session,
    admission: Admission,
    consumers: Consumers,
    tasks: Tasks,
    /// The receipts of held offers. Those of a paused queue are dropped.
    receipts: HashMap<OfferKey, (QueueName, Receipt)>,
    /// The reason for which every job was stopped; jobs that start later are stopped for it too.
    stop_reason: Option<StopReason>,
}

impl Intake {
    async fn work(
        &mut self,
        shutdown: &Shutdown,
        mut queues: watch::Receiver<Vec<QueueName>>,
    ) -> SessionEnd {
        let lease_lost = self.session.store.lease_lost.clone();
        let mut desired = self.session.desired.subscribe();
        let mut period = tokio::time::interval(PERIOD);
        let mut stop = StopSequence::default();
        loop {
            self.carry_out_commands().await;
            if let Some(end) = stop.end().filter(|_| self.tasks.is_idle()) {
                return end;
            }
            let next_decision = self.admission.deadline().map(tokio::time::Instant::from_std);
            tokio::select! {
                event = self.consumers.next() => self.handle(event).await,
                Some(answered) = self.tasks.claims.join_next() => self.claim_answered(answered),
                Some(Ok((queue, waiting))) = self.tasks.counts.join_next() => {
                    if let Some(waiting) = waiting {
                        self.admission.counted(&queue, waiting);
                    }
                }
                Some(ended) = self.tasks.attempts.join_next() => self.attempts_ended(ended).await,
                Ok(()) = queues.changed() => {
                    self.admission.discovered(&queues.borrow_and_update());
                }
                Ok(()) = desired.changed() => {
                    let desired = desired.borrow_and_update().clone();
                    self.admission.set_capacity(desired.capacity);
                    self.admission.set_draining(desired.draining);
                }
                () = at(next_decision) => {}
                _ = period.tick() => {
                    self.report_health();
                    if self.session.running.all_actions_returned() {
                        stop.actions_returned(tokio::time::Instant::now());
                    }
                }
                () = shutdown.requested.cancelled(), if stop.is_running() => {
                    tracing::info!(running = self.tasks.attempts.len(), "worker stopping");
                    self.admission.close();
                    let grace = self.session.resources.config.shutdown_grace;
                    stop.shut_down(tokio::time::Instant::now(), grace);
                }
                () = shutdown.forced.cancelled(), if stop.can_be_forced() => {
                    if let Some(reason) = stop.force(tokio::time::Instant::now()) {
                        self.stop_all(reason);
                    }
                }
                () = at(stop.give_up_at()) => {
                    tracing::error!("store unavailable, leaving unrecorded outcomes to the lease reaper");
                    lease_lost.cancel();
                }
                () = at(stop.grace_ends()) => {
                    stop.end_grace();
                    self.stop_all(StopReason::Shutdown);
                }
                () = lease_lost.cancelled(), if stop.has_lease() => {
                    stop.lose_lease();
                    self.admission.close();
                    self.stop_all(StopReason::ClaimLost);
                }
            }
        }
    }

    async fn carry_out_commands(&mut self) {
        for command in self.admission.next_commands(Instant::now()) {
            match command {
                Command::Resume(queue, prefetch) => self.consumers.start(queue, prefetch),
                Command::Pause(queue) => {
                    self.session.resources.metrics.pauses.inc();
                    self.consumers.stop(&queue);
                    self.drop_receipts(&queue);
                }
                Command::Claim(claim) => self.tasks.claim(claim),
                Command::Ack(offer) => {
                    if let Some((_, receipt)) = self.receipts.remove(&offer) {
                        receipt.ack().await;
                    }
                }
                Command::Count(queue) => self.tasks.count(queue),
            }
        }
        self.session.free.send_if_modified(|published| {
            let free = self.admission.free();
            let changed = *published != free;
            *published = free;
            changed
        });
    }

    async fn handle(&mut self, event: BrokerEvent) {
        match event {
            BrokerEvent::Connected => self.admission.set_connected(true),
            BrokerEvent::Disconnected => {
                self.admission.set_connected(false);
                self.receipts.clear();
            }
            BrokerEvent::ConsumerEnded(queue) => {
                self.admission.consumer_ended(&queue);
                self.drop_receipts(&queue);
            }
            BrokerEvent::Delivered(queue, delivery) => self.delivered(&queue, delivery).await,
        }
    }

    fn drop_receipts(&mut self, queue: &QueueName) {
        self.receipts.retain(|_, (of, _)| of != queue);
    }

    async fn delivered(&mut self, queue: &QueueName, delivery: Delivery) {
        self.session.resources.metrics.offers.inc();
        match delivery.offer {
            Ok(offer) => {
                let now = Instant::now();
                let key = self.admission.delivered(queue, offer, delivery.redelivered, now);
                self.receipts.insert(key, (queue.clone(), delivery.receipt));
            }
            Err(error) => {
                // The lost-offers task offers the jobs of the message again, if it had any.
                self.session.resources.metrics.bad_offers.inc();
                tracing::warn!(%queue, %error, "message is not a valid offer, discarded");
                delivery.receipt.ack().await;
            }
        }
    }

    async fn attempts_ended(&mut self, first: Result<(JobId, QueueName), JoinError>) {
        self.attempt_ended(first);
        // Outcomes are recorded in batches, so attempts end in batches: one claim refills them all.
        tokio::task::yield_now().await;
        while let Some(ended) = self.tasks.attempts.try_join_next() {
            self.attempt_ended(ended);
        }
    }

    fn attempt_ended(&mut self, ended: Result<(JobId, QueueName), JoinError>) {
        match ended {
            Ok((id, queue)) => self.admission.job_ended(id, &queue),
            Err(error) => self.abandon_session(&error),
        }
    }

    fn claim_answered(&mut self, answered: Result<(Claim, ClaimReply), JoinError>) {
        let (claim, reply) = match answered {
            Ok(answered) => answered,
            Err(error) => return self.abandon_session(&error),
        };
        let mut claimed = Vec::with_capacity(claim.ids.len());
        for (id, answer) in claim.ids.iter().zip(reply.unwrap_or_default()) {
            match answer {
                ClaimAnswer::Claimed(job) => {
                    claimed.push(true);
                    self.start(*job, claim.queue.clone());
                }
                ClaimAnswer::Unreadable(token, reason) => {
                    claimed.push(true);
                    self.end_unreadable((*id, token), reason, claim.queue.clone());
                }
                ClaimAnswer::Failed(reason) => {
                    tracing::error!(job.id = %id, reason, "claim of a job failed");
                    self.session.resources.metrics.unreadable.inc();
                    claimed.push(false);
                }
                ClaimAnswer::Gone | ClaimAnswer::Refused(_) | ClaimAnswer::Parked(_) => {
                    self.session.resources.metrics.refused.inc();
                    claimed.push(false);
                }
            }
        }
        self.admission.claim_answered(&claim, &claimed);
    }

    fn start(&mut self, job: ClaimedJob, queue: QueueName) {
        self.session.resources.metrics.claimed.inc();
        self.session.resources.metrics.running.inc();
        let stop = self.session.running.stop_signal(job.id);
        if let Some(reason) = self.stop_reason {
            self.session.running.stop(job.id, reason);
        }
        self.tasks.attempt(job, queue, stop);
    }

    /// Ends a claimed job that this worker cannot read. The other jobs are unaffected.
    fn end_unreadable(&mut self, run: (JobId, FencingToken), reason: String, queue: QueueName) {
        self.session.resources.metrics.claimed.inc();
        self.session.resources.metrics.running.inc();
        self.session.resources.metrics.unreadable.inc();
        self.tasks.end_unreadable(run, reason, queue);
    }

    fn stop_all(&mut self, reason: StopReason) {
        self.stop_reason = Some(reason);
        self.session.running.stop_all(reason);
    }

    fn report_health(&self) {
        match self.consumers.connection_error() {
            None => self.session.resources.health.progress(HEALTH_PART),
            Some(error) => self.session.resources.health.failure(HEALTH_PART, &error),
        }
    }

    /// Gives up the session after a task panicked: the jobs that it handled are unknown, so
    /// the store decides by the lease.
    fn abandon_session(&self, error: &JoinError) {
        tracing::error!(%error, "a task of the worker failed, starting a new session");
        self.session.store.lease_lost.cancel();
    }
}

async fn at(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
