//! A storm from its beginning to its verdict.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use futures_util::future::try_join_all;
use store::Store;
use store::StoreConfig;
use tokio::sync::Mutex;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use crate::evidence::Evidence;
use crate::fault::Hand;
use crate::fleet::{Fleet, Places, Role};
use crate::history::History;
use crate::operator::Operator;
use crate::plan::Planned;
use crate::report::Report;
use crate::{history, judge, load, plan, settle, trace, watch};

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    plan: plan::Arguments,
    /// Requests a second
    #[arg(long, default_value_t = 25.0)]
    rate: f64,
    /// The folder of the run, with run-redis and run-rabbitmq that start them
    #[arg(long, env = "CAPSTAN_DEV_RUN")]
    run: PathBuf,
    #[arg(long, env = "CAPSTAN_REDIS_URL")]
    redis_url: String,
    #[arg(long, env = "CAPSTAN_AMQP_URL")]
    amqp_url: String,
}

/// The services' own default, as nothing else is there.
const NAMESPACE: &str = "capstan";

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe()?;
    let programs = program.parent().context("this program has no folder")?.to_owned();
    let Arguments { plan: asked, rate, run, redis_url, amqp_url } = arguments;
    let places = Places { run, programs, redis_url, amqp_url };
    let history = History::begin(&places.log("chaos"))?;
    let traced = places.log("trace");
    let mark = places.run.display().to_string();
    std::fs::write(places.run.join("actions.toml"), trace::actions_file(&program, &traced, &mark))?;
    let config = StoreConfig::new(&places.redis_url, NAMESPACE);
    let store = Store::new(&config)?;
    let fleet = Fleet::describe(&places).await?;
    let (wishes, wished) = unbounded_channel();
    let hand = Hand {
        fleet: &fleet,
        places: &places,
        history: &history,
        store: &store,
        namespace: NAMESPACE,
        lines: Mutex::new(()),
        wishes,
    };

    start(&hand).await?;
    let operator = Operator::new(&fleet, &history)?;
    operator.prepare().await?;
    let load_ends = CancellationToken::new();
    let (load_ended, watch_ends) = (CancellationToken::new(), CancellationToken::new());
    let orders = load::Orders { seed: asked.seed, rate, wishes: wished };
    let script = async {
        faults(&hand, &asked).await?;
        load_ends.cancel();
        history.note("everything is healed, waiting for the fleet");
        operator.heal(|_| true).await?;
        operator.end_crons().await?;
        load_ended.cancelled().await;
        let drained = settle::drained(&store, &history).await;
        settle::well(&fleet, &store, (&places, NAMESPACE), &history).await?;
        watch_ends.cancel();
        anyhow::Ok(drained)
    };
    let (drained, book, sizes, changes) = tokio::try_join!(
        script,
        async {
            let book = load::run(&fleet, &history, orders, &load_ends).await;
            load_ended.cancel();
            book
        },
        watch::processes(&fleet, &history, &watch_ends),
        async { anyhow::Ok(watch::events(&store, &watch_ends).await) },
    )?;
    let runs = trace::read(&traced)?;
    let evidence = Evidence::gather(&store, &fleet, (book, runs), (changes, sizes)).await?;
    stop(&hand).await?;
    let verdict = judge::judge(&evidence, &history);
    let report = Report { asked: &asked, evidence: &evidence, verdict: &verdict, drained };
    report.print(&history)?;
    Ok(if verdict.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn start(hand: &Hand<'_>) -> anyhow::Result<()> {
    for role in [Role::Redis, Role::RabbitMq] {
        for member in hand.fleet.of(role) {
            hand.fleet.start(member).await?;
        }
    }
    settle::up(hand.store, hand.places).await?;
    for role in [Role::Scheduler, Role::Worker, Role::Api] {
        for member in hand.fleet.of(role) {
            hand.fleet.start(member).await?;
        }
    }
    settle::workers(hand.store).await?;
    hand.history.note("the fleet is up");
    Ok(())
}

/// Carries out the plan; returns when its time is over and everything is healed.
async fn faults(hand: &Hand<'_>, asked: &plan::Arguments) -> anyhow::Result<()> {
    let plan = plan::of(asked);
    let began = Instant::now();
    let carrying_out = plan.iter().map(|Planned { at, fault }| async move {
        tokio::time::sleep(*at).await;
        hand.history.note(fault);
        hand.history.fault(fault.kind());
        let began_us = history::now_us();
        fault.carry_out(hand).await.with_context(|| format!("while trying to {fault}"))?;
        if fault.is_trouble() {
            hand.history.troubled_since(began_us);
        }
        if !fault.is_of_a_worker() {
            hand.history.disturbed_since(began_us);
        }
        hand.history.note(format!("  over: {fault}"));
        anyhow::Ok(())
    });
    try_join_all(carrying_out).await?;
    let length = Duration::from_secs_f64(asked.minutes * 60.0);
    tokio::time::sleep(length.saturating_sub(began.elapsed())).await;
    Ok(())
}

/// Stops the fleet, which must then be gone whole.
async fn stop(hand: &Hand<'_>) -> anyhow::Result<()> {
    for role in [Role::Api, Role::Worker, Role::Scheduler] {
        hand.fleet.stop(role, hand.history).await?;
    }
    for left in left_over(hand.places)? {
        hand.history.violated("no process is left", left);
    }
    Ok(())
}

/// Processes of our programs that carry the mark of this run, which their environment has.
fn left_over(places: &Places) -> anyhow::Result<Vec<String>> {
    let mark = format!("CAPSTAN_DEV_RUN={}", places.run.display());
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        // `self` is a process under another name.
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let Ok(program) = std::fs::read_link(entry.path().join("exe")) else { continue };
        let ours = environment.split(|byte| *byte == 0).any(|one| one == mark.as_bytes());
        if ours && pid != std::process::id() && program.starts_with(&places.programs) {
            left.push(format!("{pid} {}", program.display()));
        }
    }
    Ok(left)
}
