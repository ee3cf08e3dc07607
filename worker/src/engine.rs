//! The engine decides which jobs run on this worker and when, runs them, and records how they
//! ended. It reaches actions only through the registry.

mod admission;
mod attempt;
mod heartbeat;
mod intake;
mod running_jobs;
mod session;
mod store_batcher;

use std::sync::Arc;
use std::time::Duration;

use store::{StoreError, WorkerCommand};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Shutdown;
use session::{DesiredState, Session, SessionEnd};

pub(crate) use session::Resources;

/// The pause before a new session after the lease was lost.
const NEW_SESSION_PAUSE: Duration = Duration::from_millis(500);

/// Names the parts of the engine that must report progress for the worker to be healthy.
pub(crate) const HEALTH_PARTS: [&str; 2] = [heartbeat::HEALTH_PART, intake::HEALTH_PART];

/// Runs sessions, one after the other, until shutdown. Waits for the store first; fails if its
/// format is that of another build.
pub(crate) async fn run(resources: Arc<Resources>, shutdown: Shutdown) -> Result<(), StoreError> {
    if !resources.store.wait_until_ready(&shutdown.requested).await? {
        return Ok(());
    }
    let desired = DesiredState { capacity: resources.capacity.clone(), draining: false };
    let desired = watch::Sender::new(desired);
    while run_session(&resources, &desired, &shutdown).await == SessionEnd::LeaseLost {
        resources.metrics.lost_leases.inc();
        tracing::warn!("lease lost, starting a new session under another worker id");
        tokio::time::sleep(NEW_SESSION_PAUSE).await;
    }
    Ok(())
}

/// Lets operators and autoscalers see that a worker that is asked to stop claims nothing more. Never
/// returns. An error changes nothing else, and the worker leaves soon.
async fn show_draining(session: &Session, shutdown: &Shutdown) -> SessionEnd {
    shutdown.requested.cancelled().await;
    let drained = session.resources.store.command_worker(&session.id, &WorkerCommand::Drain).await;
    if let Err(error) = drained {
        tracing::debug!(%error, "cannot record that the worker drains");
    }
    std::future::pending().await
}

/// Runs one session, from its first heartbeat until shutdown or until the lease is lost. On
/// shutdown the intake closes first, then attempts get their grace period, and the heartbeat stops
/// last.
async fn run_session(
    resources: &Arc<Resources>,
    desired: &watch::Sender<DesiredState>,
    shutdown: &Shutdown,
) -> SessionEnd {
    let session = Session::new(Arc::clone(resources), desired.clone());
    let id = &session.id;
    if !heartbeat::register(&session, &shutdown.requested).await {
        return SessionEnd::Shutdown;
    }
    let capacity = resources.capacity.to_string();
    tracing::info!(worker.id = %id, capacity, "worker started");
    let stop_heartbeat = CancellationToken::new();
    let renewing = heartbeat::run(&session, &stop_heartbeat);
    let working = async {
        let intake = intake::run(session.clone(), shutdown.clone());
        let end = tokio::select! {
            end = intake => end,
            never = show_draining(&session, shutdown) => never,
        };
        stop_heartbeat.cancel();
        end
    };
    let (end, ()) = tokio::join!(working, renewing);
    if end == SessionEnd::LeaseLost {
        return SessionEnd::LeaseLost;
    }
    match resources.store.leave(id).await {
        Ok(left) => tracing::info!(worker.id = %id, ?left, "worker stopped"),
        Err(error) => {
            tracing::warn!(worker.id = %id, %error, "worker stopped, its lease is left to expire");
        }
    }
    SessionEnd::Shutdown
}
