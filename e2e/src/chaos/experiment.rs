//! An experiment from the start of the fleet to the report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use futures_util::future::try_join_all;
use store::{Store, StoreConfig};
use tokio::sync::Mutex;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use crate::fleet::{self, Fleet, Role};
use crate::history::{self, History};
use crate::injector::Injector;
use crate::observations::Observations;
use crate::operator::Operator;
use crate::plan::PlannedFault;
use crate::report::Report;
use crate::workload::Ledger;
use crate::{checker, job_command, monitor, plan, recovery, workload};

/// The arguments of an experiment.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    plan: plan::Arguments,
    /// The average number of submissions per second
    #[arg(long, default_value_t = 25.0)]
    rate: f64,
    /// The folder for data and logs; the data of the previous experiment in it is deleted
    #[arg(long, default_value = ".capstan/chaos")]
    folder: PathBuf,
    /// Run every second scheduler, worker and API from the programs of an earlier version in this
    /// folder
    #[arg(long = "mixed", value_name = "FOLDER")]
    earlier: Option<PathBuf>,
}

/// The default namespace of the services.
const NAMESPACE: &str = "capstan";
/// How long after their last restart workers may start jobs out of order.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);

/// Runs an experiment. Returns success if every invariant held.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { plan: arguments, rate, folder, earlier } = arguments;
    let settings = fleet::Settings { seed: arguments.seed, clock: arguments.clock, earlier };
    let fleet = Fleet::describe(&folder, settings).await?;
    let history = History::begin(&fleet.folder().join("log/chaos"))?;
    let store = Store::new(&StoreConfig::new(&fleet.redis_url, NAMESPACE))?;
    let (kinds, requested_kinds) = unbounded_channel();
    let injector = Injector {
        fleet: &fleet,
        history: &history,
        store: &store,
        namespace: NAMESPACE,
        network: Mutex::new(()),
        redis: Mutex::new(()),
        kinds,
    };

    start(&fleet, &store, &history).await?;
    let operator = Operator::new(&fleet, &history)?;
    operator.configure().await?;
    let (stop_workload, workload_ended) = (CancellationToken::new(), CancellationToken::new());
    let stop_monitor = CancellationToken::new();
    let settings = workload::Settings { seed: arguments.seed, rate, requested_kinds };
    let script = async {
        inject_faults(&injector, &arguments).await?;
        stop_workload.cancel();
        history.log("all faults have ended; waiting for the fleet to recover");
        settle(&fleet, &history).await?;
        operator.restore_workers(|_| true).await?;
        if arguments.rollback {
            operator.resume(&plan::PAUSABLE).await?;
        }
        operator.pause_crons().await?;
        workload_ended.cancelled().await;
        let drained_after = recovery::until_drained(&store, &history).await;
        let probed = probe(&fleet, &store, &history, arguments.seed).await?;
        stop_monitor.cancel();
        anyhow::Ok((drained_after, probed))
    };
    let ((drained_after, probed), mut ledger, usage, events) = tokio::try_join!(
        script,
        async {
            let ledger = workload::run(&fleet, &history, settings, &stop_workload).await;
            workload_ended.cancel();
            ledger
        },
        monitor::watch_processes(&fleet, &history, &stop_monitor),
        async { anyhow::Ok(monitor::read_events(&store, &stop_monitor).await) },
    )?;
    ledger.merge(probed);
    let runs = job_command::read_runs(&fleet.run_log())?;
    let observations =
        Observations::gather(&store, &fleet, (ledger, runs), (events, usage)).await?;
    stop(&fleet, &history).await?;
    let result = checker::check(&observations, &history);
    let report = Report {
        arguments: &arguments,
        observations: &observations,
        result: &result,
        drained_after,
    };
    report.print(&history)?;
    Ok(if result.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn start(fleet: &Fleet, store: &Store, history: &History) -> anyhow::Result<()> {
    for server in fleet.all().filter(|process| !process.role.is_service()) {
        fleet.start(server, history).await?;
    }
    recovery::until_servers_answer(fleet, store, NAMESPACE).await?;
    for service in fleet.all().filter(|process| process.role.is_service()) {
        fleet.start(service, history).await?;
    }
    recovery::until_workers_run(store).await?;
    history.log("the fleet has started");
    Ok(())
}

/// Restarts workers so that every job can run.
async fn settle(fleet: &Fleet, history: &History) -> anyhow::Result<()> {
    let began_us = history::now_us();
    fleet.settle_actions(history).await?;
    history.add_disruption(began_us);
    history.add_shared_disruption(began_us);
    history.add_disorder(began_us, SETTLED_WITHIN, None);
    Ok(())
}

/// Checks a fleet that has drained: it is healthy, its queues can be retired, and then it runs jobs
/// of every action.
async fn probe(
    fleet: &Fleet,
    store: &Store,
    history: &History,
    seed: u64,
) -> anyhow::Result<Ledger> {
    recovery::until_healthy(fleet, store, NAMESPACE, history, false).await?;
    recovery::until_queues_are_retired(fleet, store, NAMESPACE, history).await?;
    let ledger = workload::probe(fleet, history, seed).await?;
    recovery::until_drained(store, history).await;
    recovery::until_healthy(fleet, store, NAMESPACE, history, true).await?;
    Ok(ledger)
}

/// Injects the planned faults; returns when all of them have ended and the planned time is over.
async fn inject_faults(injector: &Injector<'_>, arguments: &plan::Arguments) -> anyhow::Result<()> {
    let history = injector.history;
    let plan = plan::of(arguments);
    let began = Instant::now();
    let injections = plan.iter().map(|PlannedFault { at, fault }| async move {
        tokio::time::sleep(*at).await;
        history.log(fault);
        history.add_fault(fault.kind());
        let began_us = history::now_us();
        injector.inject(fault).await.with_context(|| format!("cannot {fault}"))?;
        if fault.is_disruptive() {
            history.add_disruption(began_us);
        }
        if !fault.affects_only_a_worker() {
            history.add_shared_disruption(began_us);
        }
        if fault.changes_order() {
            history.add_disorder(began_us, fault.lasts_for(), fault.worker());
        }
        history.log(format!("  ended: {fault}"));
        anyhow::Ok(())
    });
    try_join_all(injections).await?;
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    tokio::time::sleep(length.saturating_sub(began.elapsed())).await;
    Ok(())
}

/// Stops the services. They must leave no process behind.
async fn stop(fleet: &Fleet, history: &History) -> anyhow::Result<()> {
    for role in [Role::Api, Role::Worker, Role::Scheduler] {
        fleet.stop(role, history).await?;
    }
    for process in left_behind(fleet)? {
        history.add_violation("no process is left behind", process);
    }
    Ok(())
}

/// The processes of our programs that carry the mark of this run in their environment.
fn left_behind(fleet: &Fleet) -> anyhow::Result<Vec<String>> {
    let mark = format!("{}={}", devserver::MARK, fleet.folder().display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        // `/proc/self` is not a number.
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let Ok(program) = std::fs::read_link(entry.path().join("exe")) else { continue };
        let is_marked = environment.split(|byte| *byte == 0).any(|one| one == mark.as_bytes());
        if is_marked && pid != std::process::id() && fleet.runs(&program) {
            found.push(format!("{pid} {}", program.display()));
        }
    }
    Ok(found)
}
