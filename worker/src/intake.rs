//! The worker's side of the broker: carries out what the desk decides. One task owns all of it, so that nothing
//! here needs a lock; what takes time runs beside it, in sets that it owns.

mod link;
mod suspects;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Delivery, Receipt};
use domain::capacity::CapacityMap;
use domain::job::{Claimed, JobId};
use domain::queue::QueueName;
use store::{ClaimAnswer, ClaimRequest, Hint, Store};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::board::Stop;
use crate::desk::{Claim, Desk, Move, OfferKey};
use crate::recorder::{ClaimReply, Recorder};
use crate::{End, Life, Service, Shutdown, attempt};
use link::{Happened, Link};

/// How often the store is asked for queues when no hint comes.
const PERIOD: Duration = Duration::from_secs(1);

/// When the last action has ended after the grace, its end has this long to be recorded: a store that is away must not
/// keep the process for ever.
const GIVE_UP: Duration = Duration::from_secs(30);

/// Takes in work until shutdown or until the lease is lost; returns when nothing runs any more.
pub(crate) async fn run(
    service: Arc<Service>,
    life: Life,
    free: watch::Sender<CapacityMap>,
    stop: Shutdown,
) -> anyhow::Result<End> {
    let (recorder, drivers) = Recorder::new();
    let (discovered, queues) = watch::channel(Vec::new());
    let mut beside = JoinSet::new();
    let (serving_claims, serving_ends) = drivers.serve(Arc::clone(&service), life.clone());
    beside.spawn(serving_claims);
    beside.spawn(serving_ends);
    beside.spawn(discover(service.store.clone(), life.clone(), discovered));
    let orders = life.orders.borrow().clone();
    let mut desk = Desk::new(orders.total, service.config.offer_hold);
    desk.set_draining(orders.drain);
    let mut intake = Intake {
        desk,
        link: Link::new(Arc::clone(&service), &life.id),
        service,
        life,
        recorder,
        free,
        receipts: HashMap::new(),
        told: None,
        claims: JoinSet::new(),
        counts: JoinSet::new(),
        attempts: JoinSet::new(),
    };
    let end = intake.work(&stop, queues).await;
    intake.link.close().await;
    drop(intake);
    // What runs beside ends when nobody can ask, or listens, any more.
    while beside.join_next().await.is_some() {}
    Ok(end)
}

/// Tells which queues there are, at a hint and every period, and the heart when it shall beat.
async fn discover(store: Store, life: Life, discovered: watch::Sender<Vec<QueueName>>) {
    let mut hints = None;
    while !discovered.is_closed() {
        if hints.is_none() {
            hints = store.hints(&life.id).await.ok();
            // What was told while nobody listened is heard with the next beat.
            life.beat_now.notify_one();
        }
        match store.declared_queues().await {
            Ok(queues) => {
                discovered.send_if_modified(|known| {
                    let news = *known != queues;
                    *known = queues;
                    news
                });
            }
            // The subscription may be as dead and nobody would tell: whoever only listens hears no silence.
            Err(_) => hints = None,
        }
        let hint = async {
            match &mut hints {
                Some(subscription) => subscription.next().await,
                None => std::future::pending().await,
            }
        };
        let gone = tokio::select! {
            hint = hint => {
                if hint == Some(Hint::Beat) {
                    life.beat_now.notify_one();
                }
                hint.is_none()
            }
            () = tokio::time::sleep(PERIOD) => false,
            () = discovered.closed() => return,
        };
        if gone {
            hints = None;
            tokio::time::sleep(PERIOD / 4).await;
        }
    }
}

struct Intake {
    service: Arc<Service>,
    life: Life,
    desk: Desk,
    link: Link,
    recorder: Recorder,
    free: watch::Sender<CapacityMap>,
    // Of the offers in hand; they go when their queue is paused, or this would grow for ever.
    receipts: HashMap<OfferKey, (QueueName, Receipt)>,
    // What every job was told, those that are claimed after it too.
    told: Option<Stop>,
    claims: JoinSet<(Claim, ClaimReply)>,
    counts: JoinSet<(QueueName, Option<u64>)>,
    attempts: JoinSet<(JobId, QueueName)>,
}

impl Intake {
    async fn work(&mut self, stop: &Shutdown, mut queues: watch::Receiver<Vec<QueueName>>) -> End {
        let life = self.life.clone();
        let mut orders = life.orders.subscribe();
        let mut period = tokio::time::interval(PERIOD);
        let (mut grace, mut give_up) = (None, None);
        let (mut stopping, mut hurried, mut lost) = (false, false, false);
        loop {
            self.carry_out(Instant::now()).await;
            if (stopping || lost) && self.claims.is_empty() && self.attempts.is_empty() {
                return if lost { End::LeaseLost } else { End::Shutdown };
            }
            let due = self.desk.deadline().map(tokio::time::Instant::from_std);
            tokio::select! {
                happened = self.link.next() => self.happened(happened).await,
                Some(done) = self.claims.join_next() => self.claim_answered(done),
                Some(Ok((queue, waiting))) = self.counts.join_next() => {
                    if let Some(waiting) = waiting {
                        self.desk.counted(&queue, waiting);
                    }
                }
                Some(ended) = self.attempts.join_next() => {
                    self.attempt_ended(ended);
                    // Ends are recorded together, so they come together: one claim fills all their places.
                    tokio::task::yield_now().await;
                    while let Some(ended) = self.attempts.try_join_next() {
                        self.attempt_ended(ended);
                    }
                }
                Ok(()) = queues.changed() => {
                    self.desk.discovered(&queues.borrow_and_update());
                }
                Ok(()) = orders.changed() => {
                    let orders = orders.borrow_and_update().clone();
                    self.desk.set_total(orders.total);
                    self.desk.set_draining(orders.drain);
                }
                () = at(due) => {}
                _ = period.tick() => {
                    self.tell_health();
                    if stopping && grace.is_none() && give_up.is_none() && life.board.all_over() {
                        give_up = Some(tokio::time::Instant::now() + GIVE_UP);
                    }
                }
                () = stop.asked.cancelled(), if !stopping && !lost => {
                    tracing::info!(running = self.attempts.len(), "worker stopping");
                    stopping = true;
                    self.desk.close();
                    grace = Some(tokio::time::Instant::now() + self.service.config.shutdown_grace);
                }
                () = stop.hurry.cancelled(), if stopping && !hurried => {
                    hurried = true;
                    if grace.is_some() {
                        grace = Some(tokio::time::Instant::now());
                    } else {
                        self.stop_all(Stop::Overdue);
                    }
                }
                () = at(give_up), if !lost => {
                    tracing::error!("the store does not take what ended, leaving it to the reaper");
                    life.lost.cancel();
                }
                () = at(grace) => {
                    grace = None;
                    self.stop_all(Stop::Shutdown);
                }
                () = life.lost.cancelled(), if !lost => {
                    lost = true;
                    self.desk.close();
                    self.stop_all(Stop::Lost);
                }
            }
        }
    }

    async fn carry_out(&mut self, now: Instant) {
        for step in self.desk.moves(now) {
            match step {
                Move::Resume(queue, prefetch) => self.link.resume(queue, prefetch),
                Move::Pause(queue) => {
                    self.service.meters.pauses.inc();
                    self.link.pause(&queue);
                    self.receipts.retain(|_, (of, _)| *of != queue);
                }
                Move::Claim(claim) => {
                    let claims = self.recorder.claims.clone();
                    self.claims.spawn(async move {
                        let request = ClaimRequest { max: claim.max, ids: claim.ids.clone() };
                        let reply = claims.ask(request).await.ok().flatten();
                        (claim, reply)
                    });
                }
                Move::Ack(offer) => {
                    if let Some((_, receipt)) = self.receipts.remove(&offer) {
                        receipt.ack().await;
                    }
                }
                Move::Count(queue) => {
                    let store = self.service.store.clone();
                    self.counts.spawn(async move {
                        let count = store.ready_count(&queue).await;
                        (queue, count.ok())
                    });
                }
            }
        }
        self.free.send_if_modified(|told| {
            let free = self.desk.free();
            let news = *told != free;
            *told = free;
            news
        });
    }

    async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Connected => self.desk.connected(true),
            Happened::Disconnected => {
                self.desk.connected(false);
                self.receipts.clear();
            }
            Happened::Dropped(queue) => {
                self.desk.dropped(&queue);
                self.receipts.retain(|_, (of, _)| *of != queue);
            }
            Happened::Delivered(queue, delivery) => self.delivered(&queue, delivery).await,
        }
    }

    async fn delivered(&mut self, queue: &QueueName, delivery: Delivery) {
        self.service.meters.offers.inc();
        match delivery.offer {
            Ok(offer) => {
                let now = Instant::now();
                let key = self.desk.delivered(queue, offer, delivery.redelivered, now);
                self.receipts.insert(key, (queue.clone(), delivery.receipt));
            }
            Err(error) => {
                // The jobs in it, if any, are offered again when the reaper finds them.
                self.service.meters.bad_offers.inc();
                tracing::warn!(%queue, %error, "a message was no offer and is thrown away");
                delivery.receipt.ack().await;
            }
        }
    }

    fn attempt_ended(&mut self, ended: Result<(JobId, QueueName), JoinError>) {
        match ended {
            Ok((id, queue)) => self.desk.ended(id, &queue),
            Err(error) => self.begin_anew(&error),
        }
    }

    fn claim_answered(&mut self, done: Result<(Claim, ClaimReply), JoinError>) {
        let (claim, reply) = match done {
            Ok(done) => done,
            Err(error) => return self.begin_anew(&error),
        };
        let mut tried = Vec::with_capacity(claim.ids.len());
        for answer in reply.unwrap_or_default() {
            match answer {
                ClaimAnswer::Claimed(job) => {
                    tried.push(true);
                    self.start(*job, claim.queue.clone());
                }
                ClaimAnswer::Gone | ClaimAnswer::Refused(_) | ClaimAnswer::Parked(_) => {
                    self.service.meters.refused.inc();
                    tried.push(false);
                }
            }
        }
        self.desk.claimed(&claim, &tried);
    }

    fn start(&mut self, job: Claimed, queue: QueueName) {
        self.service.meters.claimed.inc();
        self.service.meters.running.inc();
        let signal = self.life.board.add(job.id, job.token, job.spec.strict_lease);
        if let Some(why) = self.told {
            self.life.board.stop(job.id, why);
        }
        let (service, life) = (Arc::clone(&self.service), self.life.clone());
        let recorder = self.recorder.clone();
        self.attempts.spawn(async move {
            let id = job.id;
            attempt::run(Arc::clone(&service), life, recorder, job, signal).await;
            service.meters.running.dec();
            (id, queue)
        });
    }

    fn stop_all(&mut self, why: Stop) {
        self.told = Some(why);
        self.life.board.stop_all(why);
    }

    fn tell_health(&self) {
        match self.link.trouble() {
            None => self.service.health.progress("intake"),
            Some(trouble) => self.service.health.trouble("intake", &trouble),
        }
    }

    /// A task of ours failed, which none should: what it held is unknown, so this life ends and the lease with it.
    fn begin_anew(&self, error: &JoinError) {
        tracing::error!(%error, "a part of the worker failed, beginning anew");
        self.life.lost.cancel();
    }
}

async fn at(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
