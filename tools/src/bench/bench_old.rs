//! `capstan bench`: what the running fleet does with jobs that do nothing, and beside it, where it
//! is told the broker's address, what the bare broker does. Says numbers, judges none.

mod memory;
mod numbers;
mod pickup;
mod raw;
mod report;
mod throughput;

use clap::{Args, Subcommand};
use broker::{BrokerConfig, QueueType};
use store::StoreConfig;
use store::Store;

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;
use raw::RawArguments;
use report::Report;

/// The action that all of it is about.
const ACTION: &str = "noop";

/// What `bench` is told.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    only: Option<Only>,

    /// Jobs in a round of the throughput measurement
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: u64,

    /// Rounds of it; the medians are told
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,

    /// Jobs a second in the measurement of latency
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: u64,

    /// How many seconds that lasts. Needs the workers' clock to be this machine's
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,

    #[command(flatten)]
    services: Services,

    /// Print one JSON document
    #[arg(long, global = true)]
    json: bool,
}

/// The services under the fleet; all else goes through the API.
#[derive(Debug, Args)]
struct Services {
    /// The fleet's Redis: its memory is measured too
    #[arg(
        long,
        env = "CAPSTAN_REDIS_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL"
    )]
    redis_url: Option<String>,

    /// The fleet's RabbitMQ: the bare broker is measured too
    #[arg(
        long,
        env = "CAPSTAN_AMQP_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL"
    )]
    amqp_url: Option<String>,

    /// The type of the bare broker's queue
    #[arg(long, env = "CAPSTAN_QUEUE_TYPE", default_value = "quorum", global = true)]
    queue_type: QueueType,
}

/// What can be measured alone.
#[derive(Debug, Subcommand)]
enum Only {
    /// Measure only the bare broker (and, with --redis-url, bare Redis): the floor under the fleet
    Raw(RawArguments),
}

impl Services {
    /// Needs a runtime around it.
    fn store(&self) -> Result<Option<Store>, Failure> {
        let Some(redis_url) = self.redis_url.clone().filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        let config = StoreConfig::new(redis_url, "bench");
        Ok(Some(Store::new(&config).map_err(raw::away)?))
    }

    fn broker(&self) -> Option<BrokerConfig> {
        let amqp_url = self.amqp_url.clone().filter(|url| !url.is_empty())?;
        Some(BrokerConfig::new(amqp_url, self.queue_type))
    }
}

/// Measures and prints. What was measured is printed even when the bare broker cannot be.
pub(crate) async fn run(api: &Api, arguments: BenchArguments) -> Result<Ending, Failure> {
    let store = arguments.services.store()?;
    let broker = arguments.services.broker();
    let mut report = Report::default();
    let offers = match &arguments.only {
        Some(Only::Raw(_)) if broker.is_none() && store.is_none() => {
            return Err(Failure::Usage("give --amqp-url, --redis-url or both".to_owned()));
        }
        Some(Only::Raw(raw)) => raw.offers,
        None => {
            fleet(api, &arguments, store.as_ref(), &mut report).await?;
            RawArguments::default().offers
        }
    };
    let bare = raw::measure(broker.as_ref(), store.as_ref(), offers).await;
    let ended = bare.map(|bare| report.raw = bare);
    match (arguments.json, ended.is_err() && report.throughput.is_none()) {
        (_, true) => {}
        (true, false) => out::say_json(&report)?,
        (false, false) => out::say(&report)?,
    }
    ended.map(|()| Ending::well_if(report.is_well()))
}

async fn fleet(
    api: &Api,
    arguments: &BenchArguments,
    store: Option<&Store>,
    report: &mut Report,
) -> Result<(), Failure> {
    throughput::remark_on_other_work(api).await?;
    let before = memory::look(store).await?;
    let mut rounds = Vec::new();
    for round in 1..=arguments.rounds {
        out::note(format!("bench: round {round} of {}: {} jobs", arguments.rounds, arguments.jobs));
        rounds.push(throughput::round(api, arguments.jobs).await?);
    }
    let after = memory::look(store).await?;
    report.memory = Some(memory::compare(&before, &after, arguments.jobs * arguments.rounds));
    report.throughput = Some(throughput::Throughput::of(arguments.jobs, rounds));
    let (rate, seconds) = (arguments.rate, arguments.seconds);
    out::note(format!("bench: {rate} jobs a second for {seconds} s"));
    report.pickup = Some(pickup::measure(api, rate, seconds).await?);
    Ok(())
}
