//! RabbitMQ alone, with Capstan's publisher and consumer but without jobs, scripts and workers; and
//! round trips to Redis alone.

use std::time::Instant;

use broker::{BrokerConfig, MAX_OFFER_JOBS};
use clap::Args;
use client::ClientError;
use client::command::{CommandError, note};
use domain::job::JobId;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use store::Store;

use crate::bare_queue::{BareQueue, interruptible, next};
use crate::numbers::per_second;
use crate::services::unavailable;

/// The number of offers unless one is given.
pub(crate) const DEFAULT_OFFERS: u64 = 20_000;

/// The fewest offers with which every measurement has some.
pub(crate) const FEWEST_OFFERS: u64 = 10;

const BATCH: usize = 64;
/// The measurements with single offers, and with many IDs per offer, use this part of the offers.
const SMALLER_SHARE: u64 = 10;

/// The arguments of `bench raw`.
#[derive(Debug, Args)]
pub(crate) struct RawArguments {
    /// Offers to publish and consume in batches; the other measurements use a tenth
    #[arg(
        long,
        value_name = "N",
        default_value_t = DEFAULT_OFFERS,
        value_parser = clap::value_parser!(u64).range(FEWEST_OFFERS..)
    )]
    pub(crate) offers: u64,
}

/// The measurements; `None` for those that were not made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Raw {
    pub(crate) broker: Option<RawBroker>,
    pub(crate) redis: Option<RawRedis>,
}

/// Rates from the first publish to the last acknowledgement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawBroker {
    /// One ID per offer, each confirmed before the next.
    pub(crate) offers_per_second_one_by_one: f64,
    /// One ID per offer, 64 offers confirmed together.
    pub(crate) offers_per_second_in_batches: f64,
    /// 64 IDs per offer, 64 offers confirmed together.
    pub(crate) ids_per_second_in_batches: f64,
}

/// Rates of round trips on one connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawRedis {
    pub(crate) calls_per_second_one_by_one: f64,
    /// With 64 calls in flight.
    pub(crate) calls_per_second_in_flight: f64,
}

/// Measures the given services. Returns `None` when there are none.
pub(crate) async fn measure(
    broker: Option<&BrokerConfig>,
    store: Option<&Store>,
    offers: u64,
) -> Result<Option<Raw>, CommandError> {
    if broker.is_none() && store.is_none() {
        return Ok(None);
    }
    note("bench: RabbitMQ and Redis alone");
    let broker = match broker {
        Some(config) => Some(measure_broker(config, offers).await?),
        None => None,
    };
    let redis = match store {
        Some(store) => Some(measure_redis(store, offers).await?),
        None => None,
    };
    Ok(Some(Raw { broker, redis }))
}

async fn measure_broker(config: &BrokerConfig, offers: u64) -> Result<RawBroker, CommandError> {
    let mut queue = BareQueue::open(config).await?;
    let measured = interruptible(Box::pin(measure_queue(&mut queue, offers))).await;
    queue.delete().await?;
    measured
}

async fn measure_queue(queue: &mut BareQueue, offers: u64) -> Result<RawBroker, CommandError> {
    let fewer = offers / SMALLER_SHARE;
    run(queue, BATCH as u64, BATCH, 1).await?; // warm-up
    let one_by_one = run(queue, fewer, 1, 1).await?;
    let in_batches = run(queue, offers, BATCH, 1).await?;
    let many_ids = run(queue, fewer, BATCH, MAX_OFFER_JOBS).await?;
    Ok(RawBroker {
        offers_per_second_one_by_one: per_second(fewer, one_by_one),
        offers_per_second_in_batches: per_second(offers, in_batches),
        ids_per_second_in_batches: per_second(fewer * MAX_OFFER_JOBS as u64, many_ids),
    })
}

/// Returns the seconds from the first publish to the last acknowledgement.
async fn run(
    queue: &mut BareQueue,
    offers: u64,
    batch: usize,
    ids: usize,
) -> Result<f64, ClientError> {
    let batch = vec![vec![JobId::random(); ids]; batch];
    let mut consumer = queue.incoming.consume().await?;
    let start = Instant::now();
    let publish = async {
        let mut left = offers as usize;
        while left > 0 {
            let some = &batch[..left.min(batch.len())];
            queue.outgoing.publish(some).await?;
            left -= some.len();
        }
        Ok::<(), ClientError>(())
    };
    let consume = async {
        for _ in 0..offers {
            next(&mut consumer).await?.receipt.ack().await;
        }
        Ok(())
    };
    tokio::try_join!(publish, consume)?;
    let took = start.elapsed().as_secs_f64();
    consumer.close().await;
    Ok(took)
}

async fn measure_redis(store: &Store, calls: u64) -> Result<RawRedis, ClientError> {
    let in_flight = |width: usize, calls: u64| async move {
        let start = Instant::now();
        let mut pings = stream::iter(0..calls).map(|_| store.ping()).buffer_unordered(width);
        while let Some(ping) = pings.next().await {
            ping.map_err(unavailable)?;
        }
        Ok::<f64, ClientError>(per_second(calls, start.elapsed().as_secs_f64()))
    };
    store.ping().await.map_err(unavailable)?;
    Ok(RawRedis {
        calls_per_second_one_by_one: in_flight(1, calls).await?,
        calls_per_second_in_flight: in_flight(BATCH, calls).await?,
    })
}
