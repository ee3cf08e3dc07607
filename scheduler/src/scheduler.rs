//! Starts the tasks of a scheduler and waits for their end.

use std::sync::Arc;

use domain::job::WorkerId;
use prometheus_client::registry::Registry;
use service::admin::{Admin, serve_admin};
use service::health::Health;
use store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::abandoned_batches::AbandonedBatches;
use crate::announcement::Announcement;
use crate::broker_link::SharedBrokerLink;
use crate::config::Config;
use crate::cron_ticker::CronTicker;
use crate::crons_file;
use crate::event_counter::EventCounter;
use crate::expiry::Expiry;
use crate::failed_steps::FailedSteps;
use crate::history_trimmer::HistoryTrimmer;
use crate::lease_reaper::LeaseReaper;
use crate::limit_windows::LimitWindows;
use crate::lost_offers::LostOffers;
use crate::metrics::Metrics;
use crate::notifier::Notifier;
use crate::propagation::Propagation;
use crate::queue_retirement::QueueRetirement;
use crate::relay::Relay;
use crate::resources::Resources;
use crate::runner::{Task, expect_health, repeat};
use crate::ticker::Ticker;

/// Runs a scheduler until `shutdown`. Waits for the store and the broker, which may start later.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let crons = config.crons_file().map(crons_file::read).transpose()?;
    let store = Store::new(&config.store.load()?)?;
    let mut registry = Registry::with_prefix("capstan_scheduler");
    let metrics = Metrics::registered(&mut registry);
    let (health, id) = (Health::default(), WorkerId::random().to_string());
    let (broker_link, stop) = (SharedBrokerLink::default(), shutdown.clone());
    let resources = Resources { config, store, health, metrics, broker_link, id, shutdown: stop };
    expect_all(&resources.health);

    let mut tasks = JoinSet::new();
    let admin = Admin { health: resources.health.clone(), registry: Arc::new(registry) };
    let address = resources.config.telemetry.admin_address();
    let serving = serve_admin(address, admin, shutdown.clone());
    tasks.spawn(async move { Ok(serving.await?) });
    if resources.store.wait_until_ready(&shutdown).await? {
        tracing::info!(scheduler.id = resources.id, "scheduler started");
        start(&resources, &mut tasks)?;
        if let Some(crons) = crons {
            let store = resources.store.clone();
            let shutdown = shutdown.clone();
            tasks.spawn(async move {
                crons_file::apply_until_done(&store, &crons, &shutdown).await;
                Ok(())
            });
        }
    }
    // A task ends before shutdown only if it cannot continue; then the others end too.
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(error.into()));
        if ended.is_err() {
            outcome = outcome.and(ended);
            shutdown.cancel();
        }
    }
    tracing::info!("scheduler stopped");
    outcome
}

/// Makes the scheduler unready until each task has completed a pass.
fn expect_all(health: &Health) {
    expect_health::<Relay>(health);
    expect_health::<Ticker>(health);
    expect_health::<Expiry>(health);
    expect_health::<Propagation>(health);
    expect_health::<FailedSteps>(health);
    expect_health::<CronTicker>(health);
    expect_health::<Notifier>(health);
    expect_health::<EventCounter>(health);
    expect_health::<LeaseReaper>(health);
    expect_health::<LostOffers>(health);
    expect_health::<LimitWindows>(health);
    expect_health::<AbandonedBatches>(health);
    expect_health::<HistoryTrimmer>(health);
    expect_health::<QueueRetirement>(health);
    expect_health::<Announcement>(health);
}

fn start(resources: &Resources, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    let (store, metrics) = (&resources.store, &resources.metrics);
    spawn(tasks, resources, Relay::new(resources.clone())?);
    spawn(tasks, resources, Ticker::new(store.clone(), metrics.clone()));
    spawn(tasks, resources, Expiry::new(store.clone(), metrics.clone()));
    spawn(tasks, resources, Propagation::new(store.clone()));
    spawn(tasks, resources, FailedSteps::new(store.clone(), metrics.clone()));
    spawn(tasks, resources, CronTicker::new(store.clone(), metrics.clone()));
    spawn(tasks, resources, Notifier::new(store.clone(), metrics.clone()));
    spawn(tasks, resources, EventCounter::new(store.clone(), metrics.clone()));
    let lease = resources.config.lease;
    spawn(tasks, resources, LeaseReaper::new(store.clone(), lease, metrics.clone()));
    spawn(tasks, resources, LostOffers::new(resources.clone()));
    spawn(tasks, resources, LimitWindows::new(store.clone()));
    spawn(tasks, resources, AbandonedBatches::new(store.clone()));
    spawn(tasks, resources, HistoryTrimmer::new(store.clone(), metrics.clone()));
    spawn(tasks, resources, QueueRetirement::new(resources.clone()));
    spawn(tasks, resources, Announcement::new(resources));
    Ok(())
}

fn spawn<T: Task + 'static>(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    resources: &Resources,
    task: T,
) {
    let (health, shutdown) = (resources.health.clone(), resources.shutdown.clone());
    let metrics = resources.metrics.clone();
    tasks.spawn(async move {
        repeat(task, &health, &metrics, &shutdown).await;
        Ok(())
    });
}
