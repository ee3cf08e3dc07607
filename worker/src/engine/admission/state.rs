//! The state of the admission.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use domain::capacity::CapacityMap;
use domain::job::JobId;
use domain::queue::QueueName;

use super::command::OfferKey;
use super::queue_state::QueueState;

/// Decides which offers are admitted, and which queues are paused and resumed.
pub(crate) struct Admission {
    pub(super) capacity: CapacityMap,
    /// What running and claimed jobs need. It exceeds `capacity` after that was reduced.
    pub(super) in_use: CapacityMap,
    pub(super) offer_hold: Duration,
    /// The queues that exist and whose actions this worker knows.
    pub(super) known_queues: BTreeSet<QueueName>,
    /// The queues whose jobs fit.
    pub(super) queues: BTreeMap<QueueName, QueueState>,
    /// The jobs of claims in progress. A second offer of one waits for the answer.
    pub(super) claiming: HashSet<JobId>,
    /// The jobs that run here. A second offer of one is acknowledged unclaimed.
    pub(super) running: HashSet<JobId>,
    /// The overtaken queue for whose next job free capacity is reserved.
    pub(super) reserved_for: Option<QueueName>,
    /// When the jobs in that queue are counted again.
    pub(super) count_at: Option<Instant>,
    pub(super) connected: bool,
    pub(super) draining: bool,
    pub(super) closed: bool,
    pub(super) last_key: OfferKey,
}

impl Admission {
    /// Creates the admission of a worker with this capacity.
    #[must_use]
    pub(crate) fn new(capacity: CapacityMap, offer_hold: Duration) -> Admission {
        Admission {
            in_use: CapacityMap::default(),
            capacity,
            offer_hold,
            known_queues: BTreeSet::new(),
            queues: BTreeMap::new(),
            claiming: HashSet::new(),
            running: HashSet::new(),
            reserved_for: None,
            count_at: None,
            connected: false,
            draining: false,
            closed: false,
            last_key: 0,
        }
    }

    /// Returns the free capacity.
    #[must_use]
    pub(crate) fn free(&self) -> CapacityMap {
        self.capacity.without(&self.in_use)
    }

    /// Returns when the next decision is due without any event.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let queues = self.queues.values().filter_map(|queue| queue.deadline(self.offer_hold));
        queues.chain(self.count_at.filter(|_| self.reserved_for.is_some())).min()
    }
}
