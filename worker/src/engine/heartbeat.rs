//! The heartbeat renews the session's lease, five times per lease, and receives stop requests and
//! operators' commands. It is the last part of a session to stop.

use std::time::Duration;

use domain::capacity::CapacityMap;
use domain::job::{FencingToken, JobId};
use store::{Heartbeat, HeartbeatReply, Interruption, StoreError, WorkerCommand};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::session::{DesiredState, Session};
use crate::context::stop::StopReason;

pub(super) const HEALTH_PART: &str = "heartbeat";

/// How many heartbeats are sent per lease.
const PER_LEASE: u32 = 5;
/// The pause between two tries to register.
const REGISTER_PAUSE: Duration = Duration::from_secs(1);

/// Tries until the first heartbeat is recorded: without a lease no job can be claimed. Returns
/// false when shutdown comes first.
pub(super) async fn register(session: &Session, shutdown: &CancellationToken) -> bool {
    let inherited = session.desired.borrow().clone();
    loop {
        match try_register(session, &inherited).await {
            Ok(()) => return true,
            Err(error) => tracing::warn!(%error, "cannot register the worker, retrying"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(REGISTER_PAUSE) => {}
        }
    }
}

async fn try_register(session: &Session, inherited: &DesiredState) -> Result<(), StoreError> {
    let (resources, id) = (&session.resources, &session.id);
    let store = &resources.store;
    store.announce(&resources.actions.defaults()).await?;
    let sent_at = Instant::now();
    send(session).await?;
    session.running.lease_renewed(sent_at + resources.config.lease);
    // Commands to an earlier session of this process apply to this one too.
    if inherited.capacity != resources.capacity {
        store.command_worker(id, &WorkerCommand::Capacity(inherited.capacity.clone())).await?;
    }
    if inherited.draining {
        store.command_worker(id, &WorkerCommand::Drain).await?;
    }
    session.desired.send_replace(inherited.clone());
    Ok(())
}

/// Sends heartbeats until `stop`, or until the store answers that the lease is over. When the
/// session ends for another reason they continue while its jobs are stopped, so that none of
/// them starts elsewhere before that.
pub(super) async fn run(session: &Session, stop: &CancellationToken) {
    let resources = &session.resources;
    let lease = resources.config.lease;
    let mut ticks = tokio::time::interval(lease / PER_LEASE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    let mut lease_ends = Instant::now() + lease;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(lease_ends) => {
                // The store may be unreachable, so strict jobs stop without its confirmation.
                session.running.stop_strict();
                lease_ends += lease;
                continue;
            }
            _ = ticks.tick() => {}
            () = session.heartbeat_now.notified() => ticks.reset(),
        }
        let sent_at = Instant::now();
        let reply = tokio::select! {
            reply = send(session) => reply,
            () = tokio::time::sleep_until(lease_ends) => continue,
        };
        match reply {
            Ok(true) => {
                failing = false;
                lease_ends = sent_at + lease;
                session.running.lease_renewed(lease_ends);
            }
            Ok(false) => return,
            Err(error) => {
                resources.health.failure(HEALTH_PART, &error);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot renew the lease, retrying");
                }
            }
        }
    }
}

/// Sends one heartbeat and applies its reply. Returns false when the session is over.
async fn send(session: &Session) -> Result<bool, StoreError> {
    let resources = &session.resources;
    let config = &resources.config;
    let (running, noted) = session.running.report();
    let heartbeat = Heartbeat {
        worker: session.id.clone(),
        lease: config.lease,
        name: config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capacity_map: session.desired.borrow().capacity.clone(),
        free: session.free.borrow().clone(),
        actions: resources.actions.names(),
        running,
        noted,
    };
    resources.metrics.units(&heartbeat.capacity_map, &heartbeat.free, &resources.capacity);
    match resources.store.heartbeat(&heartbeat).await? {
        HeartbeatReply::Renewed(renewal) => {
            let capacity = renewal.wanted.map(CapacityMap::with_default);
            let capacity = capacity.unwrap_or_else(|| resources.capacity.clone());
            set_desired(session, DesiredState { capacity, draining: renewal.drain });
            for (id, interruption) in renewal.interruptions {
                let reason = match interruption {
                    Interruption::Cancel => StopReason::Cancel,
                    Interruption::Lost => StopReason::ClaimLost,
                };
                session.running.stop(id, reason);
            }
            end_unreported(session, &renewal.unreported).await;
            resources.health.progress(HEALTH_PART);
            Ok(true)
        }
        HeartbeatReply::Dead => {
            session.store.lease_lost.cancel();
            Ok(false)
        }
    }
}

/// Ends runs that exist only in the store: it has lost the writes that ended them. The next
/// heartbeat tries again what fails.
async fn end_unreported(session: &Session, runs: &[(JobId, FencingToken)]) {
    if runs.is_empty() {
        return;
    }
    match session.resources.store.lose_runs(&session.id, runs).await {
        Ok(ended) => {
            tracing::error!(ended, "redis has lost writes: it did not know that these jobs ended");
        }
        Err(error) => tracing::warn!(%error, "cannot end jobs whose end redis has lost"),
    }
}

/// Changes the desired state, and reports a new capacity to the store at once.
fn set_desired(session: &Session, desired: DesiredState) {
    session.desired.send_if_modified(|current| {
        let changed = *current != desired;
        *current = desired;
        if changed {
            session.heartbeat_now.notify_one();
        }
        changed
    });
}
