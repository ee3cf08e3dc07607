//! RabbitMQ alone, with Capstan's publisher and consumer but without jobs, scripts and workers; and
//! round trips to Redis alone. Uses a separate namespace and deletes its queue at the end.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use broker::{Broker, BrokerConfig, BrokerError, MAX_OFFER_JOBS, Offer, Publisher};
use clap::Args;
use client::ClientError;
use client::command::{CommandError, note};
use domain::capacity::Class;
use domain::job::{JobId, Priority, Timestamp, WorkerId};
use domain::queue::QueueName;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use store::Store;

use crate::numbers::per_second;
use crate::services::unavailable;

/// The number of offers unless one is given.
pub(crate) const DEFAULT_OFFERS: u64 = 20_000;

const BATCH: usize = 64;
const PREFETCH: u16 = 1000;
const CLASS: &str = "benchraw=1";
const CONNECTION: &str = "capstan bench";
/// The measurements with single offers, and with many IDs per offer, use this part of the offers.
const SMALLER_SHARE: u64 = 10;
const TIMEOUT: Duration = Duration::from_secs(120);

/// The arguments of `bench raw`.
#[derive(Debug, Args)]
pub(crate) struct RawArguments {
    /// Offers to publish and consume in batches; the other measurements use a tenth
    #[arg(
        long,
        value_name = "N",
        default_value_t = DEFAULT_OFFERS,
        value_parser = clap::value_parser!(u64).range(10..)
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
    let namespace = format!("bench-{}", WorkerId::random());
    let class = Class::try_from(CLASS.to_owned()).map_err(anyhow::Error::from)?;
    let queue = QueueName::shared(class, Priority::Normal);
    let connect = || Broker::connect(config, &namespace, CONNECTION);
    let incoming = connect().await.map_err(unavailable)?;
    let mut publisher =
        Publisher::new(connect().await.map_err(unavailable)?).await.map_err(unavailable)?;
    let mut run = QueueRun { incoming: &incoming, publisher: &mut publisher, queue: &queue };
    let measured: Result<RawBroker, CommandError> = tokio::select! {
        measured = tokio::time::timeout(TIMEOUT, run.measure(offers)) => match measured {
            Ok(measured) => measured.map_err(|error| unavailable(error).into()),
            Err(_) => Err(ClientError::TimedOut("RabbitMQ is too slow".to_owned()).into()),
        },
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted").into()),
    };
    let deleted = incoming.delete(&queue).await;
    publisher.broker().close().await;
    incoming.close().await;
    let measured = measured?;
    deleted.map_err(unavailable)?;
    Ok(measured)
}

/// A queue with its publisher and consumer.
struct QueueRun<'a> {
    incoming: &'a Broker,
    publisher: &'a mut Publisher,
    queue: &'a QueueName,
}

impl QueueRun<'_> {
    async fn measure(&mut self, offers: u64) -> Result<RawBroker, BrokerError> {
        let fewer = offers / SMALLER_SHARE;
        self.run(BATCH as u64, BATCH, 1).await?; // warm-up: declares the queue
        let one_by_one = self.run(fewer, 1, 1).await?;
        let in_batches = self.run(offers, BATCH, 1).await?;
        let many_ids = self.run(fewer, BATCH, MAX_OFFER_JOBS).await?;
        Ok(RawBroker {
            offers_per_second_one_by_one: per_second(fewer, one_by_one),
            offers_per_second_in_batches: per_second(offers, in_batches),
            ids_per_second_in_batches: per_second(fewer * MAX_OFFER_JOBS as u64, many_ids),
        })
    }

    /// Returns the seconds from the first publish to the last acknowledgement.
    async fn run(&mut self, offers: u64, batch: usize, ids: usize) -> Result<f64, BrokerError> {
        let at = Timestamp::from_ms(chrono::Utc::now().timestamp_millis());
        let offer = || (self.queue.clone(), Offer::new(at, 1, vec![JobId::random(); ids]));
        let batch: Vec<(QueueName, Offer)> = std::iter::repeat_with(offer).take(batch).collect();
        let failed = self.incoming.declare(&[self.queue.clone()].into()).await;
        failed.into_values().next().map_or(Ok(()), Err)?;
        let mut consumer = self.incoming.consume(self.queue, PREFETCH).await?;
        let start = Instant::now();
        let publish = async {
            let mut left = offers as usize;
            while left > 0 {
                let some = &batch[..left.min(batch.len())];
                let failed = self.publisher.publish(some, broker::CALL_LIMIT).await?;
                failed.into_values().next().map_or(Ok(()), Err)?;
                left -= some.len();
            }
            Ok::<(), BrokerError>(())
        };
        let consume = async {
            for _ in 0..offers {
                match consumer.next().await {
                    Some(delivery) => delivery?.receipt.ack().await,
                    None => return Err(BrokerError::NotAccepted(self.queue.clone())),
                }
            }
            Ok(())
        };
        tokio::try_join!(publish, consume)?;
        let took = start.elapsed().as_secs_f64();
        consumer.close().await;
        Ok(took)
    }
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
