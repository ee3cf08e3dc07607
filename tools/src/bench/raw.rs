//! The floor: the bare broker, with our own publisher and consumer but no job, script or worker;
//! and bare round trips to Redis. In a namespace of its own, whose queue is deleted at the end.

use std::fmt::Display;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use broker::{Broker, BrokerError, MAX_OFFER_JOBS, Offer, Publisher};
use domain::capacity::Class;
use broker::BrokerConfig;
use domain::job::{JobId, Priority, Timestamp, WorkerId};
use domain::queue::QueueName;
use store::Store;

use super::numbers::per_second;
use crate::failure::Failure;
use crate::out;

const BATCH: usize = 64;
const PREFETCH: u16 = 1000;
const CLASS: &str = "benchraw=1";
const CONNECTION: &str = "capstan bench";
/// Measurements that are slower, or carry more, use fewer offers.
const FEWER: u64 = 10;
const LIMIT: Duration = Duration::from_secs(120);

/// What `bench raw` is told.
#[derive(Debug, Args)]
pub(super) struct RawArguments {
    /// Offers to publish and consume; a tenth of them in batches of 1, and when each carries 64 ids
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(10..))]
    pub(super) offers: u64,
}

impl Default for RawArguments {
    fn default() -> Self {
        RawArguments { offers: 20_000 }
    }
}

/// What was measured; nothing of what was not asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    pub(super) broker: Option<RawBroker>,
    pub(super) redis: Option<RawRedis>,
}

/// From the first publish to the last ack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBroker {
    /// One id an offer, each confirmed before the next.
    pub(super) offers_per_second_one_by_one: f64,
    /// One id an offer, 64 offers confirmed together.
    pub(super) offers_per_second_in_batches: f64,
    /// 64 ids an offer, 64 offers confirmed together.
    pub(super) ids_per_second_in_batches: f64,
}

/// Round trips on one connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawRedis {
    pub(super) calls_per_second_one_by_one: f64,
    /// 64 in flight.
    pub(super) calls_per_second_in_flight: f64,
}

/// The broker or the store is away.
pub(super) fn away(error: impl Display) -> Failure {
    Failure::Away(error.to_string())
}

/// Measures what it is given; `None` when that is nothing.
pub(super) async fn measure(
    broker: Option<&BrokerConfig>,
    store: Option<&Store>,
    offers: u64,
) -> Result<Option<Raw>, Failure> {
    if broker.is_none() && store.is_none() {
        return Ok(None);
    }
    out::note("bench: the bare broker and store");
    let broker = match broker {
        Some(config) => Some(bare_broker(config, offers).await?),
        None => None,
    };
    let redis = match store {
        Some(store) => Some(bare_redis(store, offers).await?),
        None => None,
    };
    Ok(Some(Raw { broker, redis }))
}

async fn bare_broker(config: &BrokerConfig, offers: u64) -> Result<RawBroker, Failure> {
    let namespace = format!("bench-{}", WorkerId::random());
    let class = Class::try_from(CLASS.to_owned()).map_err(anyhow::Error::from)?;
    let queue = QueueName { class, priority: Priority::Normal };
    let connect = || Broker::connect(config, &namespace, CONNECTION);
    let incoming = connect().await.map_err(away)?;
    let mut publisher = Publisher::new(connect().await.map_err(away)?).await.map_err(away)?;
    let mut lane = Lane { incoming: &incoming, publisher: &mut publisher, queue: &queue };
    let measured = tokio::select! {
        measured = tokio::time::timeout(LIMIT, lane.measure(offers)) => match measured {
            Ok(measured) => measured.map_err(away),
            Err(_) => Err(Failure::Late("the bare broker was too slow".to_owned())),
        },
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted").into()),
    };
    let deleted = incoming.delete(&queue).await;
    publisher.broker().close().await;
    incoming.close().await;
    let measured = measured?;
    deleted.map_err(away)?;
    Ok(measured)
}

/// One queue with a publisher at one end and a consumer at the other.
struct Lane<'a> {
    incoming: &'a Broker,
    publisher: &'a mut Publisher,
    queue: &'a QueueName,
}

impl Lane<'_> {
    async fn measure(&mut self, offers: u64) -> Result<RawBroker, BrokerError> {
        let fewer = offers / FEWER;
        self.run(BATCH as u64, BATCH, 1).await?; // the first ones pay for the queue
        let one_by_one = self.run(fewer, 1, 1).await?;
        let in_batches = self.run(offers, BATCH, 1).await?;
        let many_ids = self.run(fewer, BATCH, MAX_OFFER_JOBS).await?;
        Ok(RawBroker {
            offers_per_second_one_by_one: per_second(fewer, one_by_one),
            offers_per_second_in_batches: per_second(offers, in_batches),
            ids_per_second_in_batches: per_second(fewer * MAX_OFFER_JOBS as u64, many_ids),
        })
    }

    /// Seconds from the first publish to the last ack.
    async fn run(&mut self, offers: u64, batch: usize, ids: usize) -> Result<f64, BrokerError> {
        let at = Timestamp::from_ms(chrono::Utc::now().timestamp_millis());
        let offer = || (self.queue.clone(), Offer::new(at, vec![JobId::random(); ids]));
        let batch: Vec<(QueueName, Offer)> = std::iter::repeat_with(offer).take(batch).collect();
        let failed = self.incoming.declare(&[self.queue.clone()].into()).await;
        failed.into_values().next().map_or(Ok(()), Err)?;
        let mut consumer = self.incoming.consume(self.queue, PREFETCH).await?;
        let began = Instant::now();
        let publish = async {
            let mut left = offers as usize;
            while left > 0 {
                let some = &batch[..left.min(batch.len())];
                let failed = self.publisher.publish(some).await?;
                failed.into_values().next().map_or(Ok(()), Err)?;
                left -= some.len();
            }
            Ok::<(), BrokerError>(())
        };
        let consume = async {
            for _ in 0..offers {
                match consumer.next().await {
                    Some(delivery) => delivery?.receipt.ack().await,
                    None => return Err(BrokerError::NotTaken(self.queue.clone())),
                }
            }
            Ok(())
        };
        tokio::try_join!(publish, consume)?;
        let took = began.elapsed().as_secs_f64();
        consumer.close().await;
        Ok(took)
    }
}

async fn bare_redis(store: &Store, calls: u64) -> Result<RawRedis, Failure> {
    let in_flight = |width: usize, calls: u64| async move {
        let began = Instant::now();
        let mut pings = stream::iter(0..calls).map(|_| store.ping()).buffer_unordered(width);
        while let Some(ping) = pings.next().await {
            ping.map_err(away)?;
        }
        Ok::<f64, Failure>(per_second(calls, began.elapsed().as_secs_f64()))
    };
    store.ping().await.map_err(away)?;
    Ok(RawRedis {
        calls_per_second_one_by_one: in_flight(1, calls).await?,
        calls_per_second_in_flight: in_flight(BATCH, calls).await?,
    })
}
