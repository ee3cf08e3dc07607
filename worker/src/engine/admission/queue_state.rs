//! The state of one queue: the offers that are held, whether it is consumed, how often other queues
//! have overtaken it.

use std::time::{Duration, Instant};

use domain::capacity::CapacityMap;
use domain::job::{JobId, Priority, Timestamp};

use super::command::OfferKey;

/// How long a consumer may deliver nothing before the jobs that wait in its queue are counted.
const SILENCE: Duration = Duration::from_secs(10);

/// A delivered offer that is not acknowledged.
pub(super) struct HeldOffer {
    pub(super) key: OfferKey,
    /// When its first job was due, and the number of that job.
    pub(super) first: (Timestamp, u64),
    /// The jobs that are left to claim.
    pub(super) ids: Vec<JobId>,
    /// When the offer pauses its queue, unless it is acknowledged before.
    pub(super) hold_until: Instant,
    /// The same, once some of its jobs were claimed.
    pub(super) hold_until_if_claimed: Instant,
    /// Whether a claim of its jobs is in progress.
    pub(super) claiming: bool,
}

/// How long an offer may be held. If the fleet has free capacity for it, the offer must find it
/// within `offer_hold`: the first worker holds it for a part of that time, and later workers only
/// briefly.
pub(super) struct HoldTime {
    /// While none of its jobs fit. Short for a high-priority offer, so that it moves on to a worker
    /// with free capacity.
    pub(super) unclaimed: Duration,
    /// Once some of its jobs were claimed.
    pub(super) claimed: Duration,
}

impl HoldTime {
    pub(super) fn new(offer_hold: Duration, priority: Priority, redelivered: bool) -> HoldTime {
        match (redelivered, priority) {
            (true, _) => HoldTime { unclaimed: offer_hold / 50, claimed: offer_hold / 5 },
            (false, Priority::High) => {
                HoldTime { unclaimed: offer_hold / 5, claimed: offer_hold * 4 / 5 }
            }
            (false, Priority::Normal | Priority::Low) => {
                HoldTime { unclaimed: offer_hold * 4 / 5, claimed: offer_hold * 4 / 5 }
            }
        }
    }
}

/// One queue whose jobs fit the worker.
pub(super) struct QueueState {
    pub(super) need: CapacityMap,
    pub(super) consuming: bool,
    pub(super) held: Vec<HeldOffer>,
    /// Whether jobs are believed to wait in the queue, because it was paused with an offer that did
    /// not fit.
    pub(super) has_backlog: bool,
    /// How many jobs of other queues have started while a job of this queue waited.
    pub(super) overtaken: u32,
    /// Since when the queue is paused for lack of capacity.
    pub(super) paused_since: Option<Instant>,
    /// Until when the capacity for the next job of the resumed queue counts as taken.
    pub(super) expected_until: Option<Instant>,
    resumed_at: Option<Instant>,
    /// When the last offer arrived, the consumer was started, or silence was noticed.
    heard_at: Option<Instant>,
    /// Whether the jobs of the silent queue are being counted.
    silent: bool,
    /// Whether jobs wait that the consumer does not deliver.
    pub(super) consumer_lost: bool,
}

impl QueueState {
    pub(super) fn new(need: CapacityMap) -> QueueState {
        QueueState {
            need,
            consuming: false,
            held: Vec::new(),
            has_backlog: false,
            overtaken: 0,
            paused_since: None,
            expected_until: None,
            resumed_at: None,
            heard_at: None,
            silent: false,
            consumer_lost: false,
        }
    }

    /// Pauses the queue because an offer was held for too long. The held offers are returned; a
    /// claim in progress is still answered.
    pub(super) fn pause_for_capacity(&mut self, now: Instant) {
        self.close();
        self.paused_since = Some(now);
        self.has_backlog = true;
    }

    /// Notes that the consumer delivers, or has just been started.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
        self.silent = false;
        self.consumer_lost = false;
    }

    /// Returns true, once per [`SILENCE`], if the consumer has delivered nothing for that long and
    /// holds nothing.
    pub(super) fn falls_silent(&mut self, now: Instant) -> bool {
        let silent = self.silent_at().is_some_and(|at| at <= now);
        if silent {
            self.heard_at = Some(now);
            self.silent = true;
        }
        silent
    }

    /// Returns true if the consumer is still silent since [`QueueState::falls_silent`].
    pub(super) fn is_silent(&self) -> bool {
        self.silent && self.consuming && self.held.is_empty()
    }

    fn silent_at(&self) -> Option<Instant> {
        let waits = self.consuming && self.held.is_empty();
        self.heard_at.filter(|_| waits).map(|heard| heard + SILENCE)
    }

    /// Marks the consumer as closed.
    pub(super) fn close(&mut self) {
        self.consuming = false;
        self.expected_until = None;
        self.held.clear();
    }

    /// Marks the queue as consumed. The capacity for its next job counts as taken for
    /// `expected`, if it has a backlog.
    pub(super) fn resume(&mut self, now: Instant, expected: Duration) {
        self.consuming = true;
        self.paused_since = None;
        self.resumed_at = Some(now);
        self.heard(now);
        self.expected_until = self.has_backlog.then(|| now + expected);
    }

    /// Returns true for a short time after the queue was resumed for a job that has not arrived.
    pub(super) fn expects_delivery(&self, now: Instant) -> bool {
        self.expected_until.is_some_and(|until| now < until)
    }

    /// Returns true when the queue is paused for lack of capacity.
    pub(super) fn is_paused_for_capacity(&self) -> bool {
        self.paused_since.is_some()
    }

    /// Returns true when a job of the queue waits for capacity.
    pub(super) fn has_waiting_job(&self) -> bool {
        let waiting = |held: &HeldOffer| !held.claiming && !held.ids.is_empty();
        self.is_paused_for_capacity() || self.held.iter().any(waiting)
    }

    /// Notes that a job of the queue started. If the queue is paused, others still wait.
    pub(super) fn job_started(&mut self) {
        self.has_backlog = self.is_paused_for_capacity();
        self.overtaken = 0;
    }

    /// Notes that no job of the queue waits.
    pub(super) fn clear_backlog(&mut self) {
        self.paused_since = None;
        self.expected_until = None;
        self.job_started();
    }

    /// Returns true when the queue has been consumed for `offer_hold` and no job of its backlog has
    /// arrived.
    pub(super) fn backlog_is_gone(&self, now: Instant, offer_hold: Duration) -> bool {
        let long_ago = self.resumed_at.is_some_and(|resumed| now >= resumed + offer_hold);
        self.consuming && self.has_backlog && self.held.is_empty() && long_ago
    }

    /// Returns when time alone changes this state.
    pub(super) fn deadline(&self, offer_hold: Duration) -> Option<Instant> {
        if !self.consuming {
            return None;
        }
        let held = self.held.iter().filter(|held| !held.claiming);
        let hold_ends = held.map(|held| held.hold_until).min();
        let backlog = self.resumed_at.filter(|_| self.has_backlog && self.held.is_empty());
        let backlog_ends = backlog.map(|resumed| resumed + offer_hold);
        [hold_ends, self.expected_until, backlog_ends, self.silent_at()].into_iter().flatten().min()
    }
}
