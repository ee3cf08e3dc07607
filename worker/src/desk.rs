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
#[cfg(test)]
mod tests;
mod turns;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use shared::broker::Offer;
use shared::capacity::CapacityMap;
use shared::job::{JobId, Priority};
use shared::queue::QueueName;

use line::{Held, Hold, Line};

/// How many offers a queue's consumer holds at most. An offer may carry 64 jobs: what is held here and cannot start
/// soon is kept from other workers.
const MOST_OFFERS: u32 = 16;
/// For so many jobs that fit it holds one offer more.
const JOBS_AN_OFFER: u32 = 4;

/// The part of `hold` for which a resumed queue's next job counts as taken.
const EXPECTED: u32 = 5;
/// How many ids more than there is room for one claim carries, should some of them be stale.
const SPARE: u32 = 8;

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

    /// What is to be done now.
    pub(crate) fn moves(&mut self, now: Instant) -> Vec<Move> {
        let mut moves = Vec::new();
        if self.closed || self.draining {
            self.pause_all(&mut moves);
            return moves;
        }
        self.close_lines_that_never_fit(&mut moves);
        self.begin_to_gather(now, &mut moves);
        self.admit(now, &mut moves);
        self.ack_used_up(&mut moves);
        self.pause_what_waits(now, &mut moves);
        self.forget_idle_hunger(now);
        self.resume_what_fits(now, &mut moves);
        moves
    }

    fn admit(&mut self, now: Instant, moves: &mut Vec<Move>) {
        let mut order = Vec::new();
        for (queue, line) in &self.lines {
            for held in line.held.iter().filter(|held| !held.claiming) {
                order.push((queue.priority, held.scheduled_at, held.key, queue.clone()));
            }
        }
        order.sort();
        for (_, _, key, queue) in order {
            if self.gives_way(&queue, now) {
                continue;
            }
            let room = self.free_for(&queue);
            let Some(line) = self.lines.get_mut(&queue) else { continue };
            let Some(held) = line.held.iter_mut().find(|held| held.key == key) else { continue };
            held.ids.retain(|id| !self.running.contains(id));
            let candidates = held.ids.iter().filter(|id| !self.claiming.contains(id));
            let mut ids: Vec<JobId> = candidates.copied().collect();
            let max = room.fits(&line.need).min(ids.len() as u32);
            if max == 0 {
                continue;
            }
            ids.truncate((max + SPARE) as usize);
            held.claiming = true;
            held.until = held.last;
            let need = line.need.clone();
            self.claiming.extend(ids.iter().copied());
            self.taken.give(&need, max);
            moves.push(Move::Claim(Claim { offer: key, queue, ids, max }));
        }
    }

    fn ack_used_up(&mut self, moves: &mut Vec<Move>) {
        for line in self.lines.values_mut() {
            line.held.retain(|held| {
                let used_up = held.ids.is_empty() && !held.claiming;
                moves.extend(used_up.then_some(Move::Ack(held.key)));
                !used_up
            });
        }
    }

    /// An offer that has been held for too long sends its queue's jobs to other workers.
    fn pause_what_waits(&mut self, now: Instant, moves: &mut Vec<Move>) {
        for (queue, line) in &mut self.lines {
            let overdue = |held: &Held| !held.claiming && held.until <= now;
            if line.consuming && line.held.iter().any(overdue) {
                line.pause(now);
                moves.push(Move::Pause(queue.clone()));
            }
        }
    }

    /// Resumes paused queues, urgent ones first, then those that have been paused for longest. What one that was
    /// paused with jobs in hand is about to take counts as taken for a moment: or all of them would come back for
    /// the same free place, and all but one go again.
    fn resume_what_fits(&mut self, now: Instant, moves: &mut Vec<Move>) {
        if !self.connected {
            return;
        }
        let mut expected = CapacityMap::default();
        for line in self.lines.values_mut() {
            line.expecting = line.expecting.filter(|until| now < *until);
            if line.expecting.is_some() {
                expected.give(&line.need, 1);
            }
        }
        let mut paused: Vec<_> =
            self.lines.iter().filter(|(_, line)| !line.consuming).map(order_of).collect();
        paused.sort();
        for (_, _, queue) in paused {
            let room = self.free_for(&queue).without(&expected);
            let Some(line) = self.lines.get_mut(&queue) else { continue };
            // One that was never paused is consumed without room too: what waits in it must be known of.
            if line.paused.is_some() && room.fits(&line.need) == 0 {
                continue;
            }
            if line.hungry {
                expected.give(&line.need, 1);
                moves.push(Move::Count(queue.clone()));
            }
            line.resume(now, self.hold / EXPECTED);
            let fits = self.total.fits(&line.need);
            // One more for whom others give way, so that its next job is in hand when another place frees.
            let spare = u32::from(queue.priority != Priority::Low);
            let prefetch = (fits.div_ceil(JOBS_AN_OFFER) + spare).min(MOST_OFFERS) as u16;
            moves.push(Move::Resume(queue, prefetch));
        }
    }

    /// The worker was made smaller than what these queues' jobs need.
    fn close_lines_that_never_fit(&mut self, moves: &mut Vec<Move>) {
        let total = &self.total;
        self.lines.retain(|queue, line| {
            let fits = total.fits(&line.need) > 0;
            if !fits && line.consuming {
                moves.push(Move::Pause(queue.clone()));
            }
            fits
        });
        self.gathering = self.gathering.take().filter(|queue| self.lines.contains_key(queue));
    }

    fn pause_all(&mut self, moves: &mut Vec<Move>) {
        for (queue, line) in &mut self.lines {
            if line.consuming {
                line.pause_idle();
                moves.push(Move::Pause(queue.clone()));
            }
        }
    }
}

/// The order in which paused queues are resumed.
fn order_of((queue, line): (&QueueName, &Line)) -> (Priority, Option<Instant>, QueueName) {
    (queue.priority, line.paused, queue.clone())
}
