//! What is done next: the moves that follow from what the desk has been told, in their order.

use std::time::Instant;

use domain::capacity::CapacityMap;
use domain::job::{JobId, Priority};
use domain::queue::QueueName;

use super::line::{Held, Line};
use super::{Claim, Desk, Move};

/// How many offers a queue's consumer holds at most. An offer may carry 64 jobs: what is held here and cannot start
/// soon is kept from other workers.
const MOST_OFFERS: u32 = 16;
/// For so many jobs that fit it holds one offer more.
const JOBS_AN_OFFER: u32 = 4;
/// The part of `hold` for which a resumed queue's next job counts as taken.
const EXPECTED: u32 = 5;
/// How many ids more than there is room for one claim carries, should some of them be stale.
const SPARE: u32 = 8;

impl Desk {
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
