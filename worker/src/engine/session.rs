//! A session: the worker under one identity, from its first heartbeat until shutdown or until its
//! lease is lost. After a lost lease the process continues in a new session.

use std::sync::Arc;

use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use store::Store;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::running_jobs::RunningJobs;
use crate::context::retrying_store::RetryingStore;

/// One session of the worker. Cheap to clone.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) id: WorkerId,
    pub(super) running: RunningJobs,
    /// The store, and whether the session's lease is lost.
    pub(super) store: RetryingStore,
    /// What operators want of this process; it outlives the session.
    pub(super) desired: Arc<watch::Sender<DesiredState>>,
    /// Wakes the heartbeat before its time.
    pub(super) heartbeat_now: Arc<Notify>,
}

/// The state that operators want a worker to be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DesiredState {
    /// The capacity to offer.
    pub(super) capacity: CapacityMap,
    /// Whether to stop claiming jobs.
    pub(super) draining: bool,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// A shutdown was requested, and nothing runs any more.
    Shutdown,
    /// The lease was lost, and every job was stopped.
    LeaseLost,
}

impl Session {
    /// Creates a session under a random worker id.
    pub(super) fn new(store: Store, desired: Arc<watch::Sender<DesiredState>>) -> Session {
        Session {
            id: WorkerId::random(),
            running: RunningJobs::default(),
            store: RetryingStore { store, lease_lost: CancellationToken::new() },
            desired,
            heartbeat_now: Arc::new(Notify::new()),
        }
    }
}
