//! A session: the worker under one identity, from its first heartbeat until shutdown or until its
//! lease is lost. After a lost lease the process continues in a new session.

use std::sync::Arc;

use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use service::health::Health;
use store::Store;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::running_jobs::RunningJobs;
use crate::action::ActionRegistry;
use crate::config::Config;
use crate::context::retrying_store::RetryingStore;
use crate::metrics::Metrics;

/// What all sessions of a process share: its settings, connections, actions and counters.
pub(crate) struct Resources {
    pub(crate) config: Config,
    /// The configured capacity, with `default`.
    pub(crate) capacity: CapacityMap,
    pub(crate) store: Store,
    pub(crate) actions: ActionRegistry,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
}

/// One session of the worker. Cheap to clone.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) resources: Arc<Resources>,
    pub(super) id: WorkerId,
    pub(super) running: RunningJobs,
    /// The store, and whether the session's lease is lost.
    pub(super) store: RetryingStore,
    /// The state that operators requested of this process. It outlives the session.
    pub(super) desired: watch::Sender<DesiredState>,
    /// The free capacity, which heartbeats report.
    pub(super) free: watch::Sender<CapacityMap>,
    /// Wakes the heartbeat before its time.
    pub(super) heartbeat_now: Arc<Notify>,
}

/// The state that operators requested of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DesiredState {
    /// The capacity to offer.
    pub(super) capacity: CapacityMap,
    /// True when the worker must claim no more jobs.
    pub(super) draining: bool,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// A shutdown was requested, and nothing is running.
    Shutdown,
    /// The lease was lost, and every job was stopped.
    LeaseLost,
}

impl Session {
    /// Creates a session under a random worker id.
    pub(super) fn new(resources: Arc<Resources>, desired: watch::Sender<DesiredState>) -> Session {
        let free = watch::Sender::new(desired.borrow().capacity.clone());
        let (store, lease_lost) = (resources.store.clone(), CancellationToken::new());
        Session {
            resources,
            id: WorkerId::random(),
            running: RunningJobs::default(),
            store: RetryingStore { store, lease_lost },
            desired,
            free,
            heartbeat_now: Arc::new(Notify::new()),
        }
    }
}
