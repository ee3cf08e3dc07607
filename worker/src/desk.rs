//! The intake's decisions: which offers are admitted, which queues are paused and resumed. Pure: it is told
//! what happened and when, and answers with moves; it knows no broker, no store and no clock.
//!
//! A queue whose jobs fit this worker is consumed. An offer that has been held for a part of `hold` without being
//! admitted pauses its queue: the consumer is closed, which returns all that is held, and it is resumed when capacity
//! frees. A returned offer is held for a moment only by the next worker, so that it finds an idle one soon.
//!
//! Nobody starves: what is free is the most urgent one's, also while its job is on its way, but a queue that has been
//! passed over by [`turns::PASSES`] others' jobs has its need gathered: set aside from what frees, until it fits once.

mod line;
mod moves;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use broker::Offer;
use domain::capacity::CapacityMap;
use domain::job::JobId;
use domain::queue::QueueName;

use line::{Held, Hold, Line};

/// One delivered offer, by the order of delivery.
pub(crate) type OfferKey = u64;

/// What the intake is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// Begin to consume a queue with this prefetch.
    Resume(QueueName, u16),
    /// Close a queue's consumer, which returns all that it holds.
    Pause(QueueName),
    /// Claim some of these jobs; room for them is reserved. The answer goes to [`Desk::claimed`].
    Claim(Claim),
    /// The offer is used up.
    Ack(OfferKey),
    /// Ask how many jobs wait in this queue. The answer, if any, goes to [`Desk::counted`].
    Count(QueueName),
}

/// A claim that is to be made, or has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The offer that the jobs come from.
    pub(crate) offer: OfferKey,
    /// Its queue.
    pub(crate) queue: QueueName,
    /// The candidates, in order.
    pub(crate) ids: Vec<JobId>,
    /// How many there is room for.
    pub(crate) max: u32,
}

/// The state behind the decisions.
pub(crate) struct Desk {
    total: CapacityMap,
    // What runs and what is being claimed need so much. More than `total` after that was made smaller.
    taken: CapacityMap,
    hold: Duration,
    queues: Vec<QueueName>,
    lines: BTreeMap<QueueName, Line>,
    // Jobs in a claim under way: a second offer of one of them waits for its answer.
    claiming: HashSet<JobId>,
    // Jobs that run here: a second offer of one of them is used up.
    running: HashSet<JobId>,
    // The queue that what frees is set aside for.
    gathering: Option<QueueName>,
    // When it is asked again whether anybody waits in it.
    count_at: Option<Instant>,
    connected: bool,
    draining: bool,
    closed: bool,
    next_key: OfferKey,
}

impl Desk {
    /// A desk of a worker with this capacity.
    #[must_use]
    pub(crate) fn new(total: CapacityMap, hold: Duration) -> Desk {
        Desk {
            taken: CapacityMap::default(),
            total,
            hold,
            queues: Vec::new(),
            lines: BTreeMap::new(),
            claiming: HashSet::new(),
            running: HashSet::new(),
            gathering: None,
            count_at: None,
            connected: false,
            draining: false,
            closed: false,
            next_key: 0,
        }
    }

    /// What is free now.
    #[must_use]
    pub(crate) fn free(&self) -> CapacityMap {
        self.total.without(&self.taken)
    }

    /// These queues exist; those whose jobs fit this worker get a line.
    pub(crate) fn discovered(&mut self, queues: &[QueueName]) {
        self.queues = queues.to_vec();
        self.open_lines();
    }

    /// The worker offers this from now on. What runs goes on, also when it is more.
    pub(crate) fn set_total(&mut self, total: CapacityMap) {
        self.total = total;
        self.open_lines();
    }

    /// While draining nothing is claimed.
    pub(crate) fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    fn open_lines(&mut self) {
        for queue in self.queues.iter().filter(|queue| self.total.fits(&queue.class.need()) > 0) {
            let line = || Line::new(queue.class.need());
            self.lines.entry(queue.clone()).or_insert_with(line);
        }
    }

    /// An offer has come; returns its key.
    pub(crate) fn delivered(
        &mut self,
        queue: &QueueName,
        offer: Offer,
        redelivered: bool,
        now: Instant,
    ) -> OfferKey {
        self.next_key += 1;
        let hold = Hold::of(self.hold, queue.priority, redelivered);
        if let Some(line) = self.lines.get_mut(queue) {
            line.expecting = None;
            line.held.push(Held {
                key: self.next_key,
                scheduled_at: offer.scheduled_at,
                ids: offer.jobs,
                until: now + hold.untouched,
                last: now + hold.begun,
                claiming: false,
            });
        }
        self.next_key
    }

    /// A claim was answered: `tried` says of the first of its ids, in order, whether they are ours now. The
    /// others were not come to, and stay offered.
    pub(crate) fn claimed(&mut self, claim: &Claim, tried: &[bool]) {
        let mut claimed = 0;
        for (index, id) in claim.ids.iter().enumerate() {
            self.claiming.remove(id);
            if tried.get(index) == Some(&true) {
                claimed += 1;
                self.running.insert(*id);
            }
        }
        let need = claim.queue.class.need();
        self.taken.take(&need, claim.max.saturating_sub(claimed));
        let line = self.lines.get_mut(&claim.queue);
        let mut held = line.into_iter().flat_map(|line| &mut line.held);
        if let Some(held) = held.find(|held| held.key == claim.offer) {
            held.claiming = false;
            let dealt_with = &claim.ids[..tried.len().min(claim.ids.len())];
            held.ids.retain(|id| !dealt_with.contains(id));
        }
        if claimed > 0 {
            self.had_its_turn(&claim.queue);
            self.pass_over(&claim.queue, claimed);
        }
    }

    /// A run is over, and recorded.
    pub(crate) fn ended(&mut self, id: JobId, queue: &QueueName) {
        self.running.remove(&id);
        self.taken.take(&queue.class.need(), 1);
    }

    /// A queue's consumer has ended by itself: most often there is no such queue, and nobody waits in it.
    pub(crate) fn dropped(&mut self, queue: &QueueName) {
        if let Some(line) = self.lines.get_mut(queue) {
            line.pause_idle();
            line.emptied();
        }
    }

    /// The broker is there, or is gone with every consumer. Until it is there nothing is resumed.
    pub(crate) fn connected(&mut self, connected: bool) {
        self.connected = connected;
        for line in self.lines.values_mut().filter(|_| !connected) {
            line.pause_idle();
        }
    }

    /// No more work: every queue is paused for good.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// When the next decision is due by time alone.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let lines = self.lines.values().filter_map(|line| line.deadline(self.hold));
        lines.chain(self.count_at.filter(|_| self.gathering.is_some())).min()
    }
}
