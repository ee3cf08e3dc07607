//! The floor: the phases of the bench without Capstan. A job is a small hash in Redis and a message
//! with one id. It is written, published, claimed and finished, each durably; nothing else is kept
//! of it. No system that keeps jobs in this Redis and offers them through this RabbitMQ one by one
//! does less.

use std::time::{Duration, Instant};

use broker::BrokerConfig;
use client::ClientError;
use client::command::CommandError;
use domain::job::{JobId, Status};
use futures_util::{StreamExt, TryStreamExt, stream};
use store::Store;
use tokio::sync::mpsc;

use crate::bare_queue::{BareQueue, Incoming, Outgoing, interruptible, next};
use crate::costs::Meter;
use crate::numbers::Percentiles;
use crate::phase::{Phase, Run, Submission};
use crate::pickup::PickupFloor;
use crate::services::unavailable;

/// Jobs that run at once.
const RUNNING: usize = 256;
/// The most offers that are confirmed together when jobs are written one by one.
const CONFIRMED_TOGETHER: usize = 1000;

/// What the floor is measured with.
pub(crate) struct Floor<'a> {
    store: &'a Store,
    queue: BareQueue,
    meter: Meter<'a>,
}

impl<'a> Floor<'a> {
    /// Connects.
    pub(crate) async fn open(
        store: &'a Store,
        broker: &BrokerConfig,
        meter: Meter<'a>,
    ) -> Result<Floor<'a>, CommandError> {
        Ok(Floor { store, queue: BareQueue::open(broker).await?, meter })
    }

    /// Deletes the queue.
    pub(crate) async fn close(self) -> Result<(), ClientError> {
        self.queue.delete().await
    }

    /// Measures all phases, in their order.
    pub(crate) async fn round(&mut self, jobs: u64) -> Result<Vec<(Phase, Run)>, CommandError> {
        let ids: Vec<JobId> = (0..jobs).map(|_| JobId::random()).collect();
        let measured = interruptible(Box::pin(self.measure(&ids))).await;
        self.store.delete_bare_records(&ids).await.map_err(unavailable)?;
        measured
    }

    async fn measure(&mut self, ids: &[JobId]) -> Result<Vec<(Phase, Run)>, CommandError> {
        let Floor { store, queue, meter } = self;
        let BareQueue { incoming, outgoing } = queue;
        let mut runs = Vec::new();
        for phase in Phase::ALL {
            let start = Instant::now();
            let submit = async {
                match phase.submission() {
                    Some(submission) => submit(store, outgoing, ids, submission).await,
                    None => Ok(()),
                }
            };
            let drain = async {
                if phase.runs_jobs() { drain(store, incoming, ids.len()).await } else { Ok(()) }
            };
            let work = async {
                tokio::try_join!(submit, drain)?;
                Ok::<f64, CommandError>(start.elapsed().as_secs_f64())
            };
            let (seconds, costs) = meter.measure(ids.len() as u64, Box::pin(work)).await?;
            runs.push((phase, Run { seconds, failed: 0, costs }));
        }
        Ok(runs)
    }

    /// Measures the time from before a job is written until it is claimed, at a constant rate.
    pub(crate) async fn pickup(
        &mut self,
        rate: u64,
        jobs: u64,
    ) -> Result<PickupFloor, CommandError> {
        let ids: Vec<JobId> = (0..jobs).map(|_| JobId::random()).collect();
        let Floor { store, queue, meter } = self;
        let work = interruptible(Box::pin(pickup(store, queue, &ids, rate)));
        let measured = meter.measure(jobs, Box::pin(work)).await;
        store.delete_bare_records(&ids).await.map_err(unavailable)?;
        let (times_us, costs) = measured?;
        Ok(PickupFloor { submit_to_start: Percentiles::of(times_us), costs })
    }
}

/// Writes jobs and publishes those that are written.
async fn submit(
    store: &Store,
    outgoing: &mut Outgoing,
    ids: &[JobId],
    submission: Submission,
) -> Result<(), ClientError> {
    let (sender, mut written) = mpsc::channel::<Vec<Vec<JobId>>>(CONFIRMED_TOGETHER);
    let write = async move {
        let chunks = stream::iter(ids.chunks(submission.jobs));
        let writes = chunks.map(Ok::<_, ClientError>).try_for_each_concurrent(
            submission.in_flight,
            |some| {
                let sender = &sender;
                async move {
                    store.write_bare_records(some, Status::Waiting).await.map_err(unavailable)?;
                    // The receiver ends only with an error, which is reported instead.
                    let _ = sender.send(some.iter().map(|id| vec![*id]).collect()).await;
                    Ok(())
                }
            },
        );
        writes.await
    };
    let publish = async {
        let mut some = Vec::new();
        while written.recv_many(&mut some, CONFIRMED_TOGETHER).await > 0 {
            let offers: Vec<Vec<JobId>> = some.drain(..).flatten().collect();
            outgoing.publish(&offers).await?;
        }
        Ok(())
    };
    tokio::try_join!(write, publish).map(drop)
}

/// Claims and finishes jobs.
async fn drain(store: &Store, incoming: &Incoming, jobs: usize) -> Result<(), ClientError> {
    let mut consumer = incoming.consume().await?;
    let deliveries =
        stream::unfold(
            &mut consumer,
            |consumer| async move { Some((next(consumer).await, consumer)) },
        );
    let drained = deliveries
        .take(jobs)
        .try_for_each_concurrent(RUNNING, |delivery| async move {
            let ids = delivery.offer.map_err(unavailable)?.jobs;
            store.write_bare_records(&ids, Status::Running).await.map_err(unavailable)?;
            delivery.receipt.ack().await;
            store.write_bare_records(&ids, Status::Done).await.map_err(unavailable)
        })
        .await;
    consumer.close().await;
    drained
}

/// Returns the time of each job in microseconds.
async fn pickup(
    store: &Store,
    queue: &mut BareQueue,
    ids: &[JobId],
    rate: u64,
) -> Result<Vec<i64>, CommandError> {
    let BareQueue { incoming, outgoing } = queue;
    let mut consumer = incoming.consume().await?;
    let (sender, mut sent) = mpsc::channel(ids.len().max(1));
    let submit = async {
        let mut period = tokio::time::interval(Duration::from_secs(1) / rate as u32);
        for id in ids {
            // The time at which it should be submitted, even if the job before took too long.
            let at = period.tick().await;
            // The receiver waits for all of them.
            let _ = sender.send(at).await;
            store.write_bare_records(&[*id], Status::Waiting).await.map_err(unavailable)?;
            outgoing.publish(&[vec![*id]]).await?;
        }
        Ok::<(), CommandError>(())
    };
    let start = async {
        let mut times_us = Vec::new();
        for _ in ids {
            let delivery = next(&mut consumer).await?;
            let ids = delivery.offer.map_err(unavailable)?.jobs;
            store.write_bare_records(&ids, Status::Running).await.map_err(unavailable)?;
            let at = sent.recv().await;
            times_us.extend(at.map(|at| at.elapsed().as_micros() as i64));
            delivery.receipt.ack().await;
        }
        Ok(times_us)
    };
    let ((), times_us) = tokio::try_join!(submit, start)?;
    consumer.close().await;
    Ok(times_us)
}
