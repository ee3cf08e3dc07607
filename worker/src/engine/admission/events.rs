//! How events change the state of the admission.

use std::time::Instant;

use broker::Offer;
use domain::capacity::CapacityMap;
use domain::job::JobId;
use domain::queue::QueueName;

use super::command::{Claim, OfferKey};
use super::queue_state::{HeldOffer, HoldTime, QueueState};
use super::state::Admission;

impl Admission {
    /// Notes which queues exist, of those whose actions this worker knows.
    pub(crate) fn discovered(&mut self, queues: &[QueueName]) {
        self.known_queues = queues.iter().cloned().collect();
        self.add_fitting_queues();
    }

    /// Changes the capacity. Running jobs continue, even when they need more.
    pub(crate) fn set_capacity(&mut self, capacity: CapacityMap) {
        self.capacity = capacity;
        self.add_fitting_queues();
    }

    /// Changes whether claiming is suspended.
    pub(crate) fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    fn add_fitting_queues(&mut self) {
        for queue in &self.known_queues {
            let need = queue.class.need();
            if self.capacity.fits(&need) > 0 {
                self.queues.entry(queue.clone()).or_insert_with(|| QueueState::new(need));
            }
        }
    }

    /// Adds a delivered offer and returns its key.
    pub(crate) fn delivered(
        &mut self,
        queue: &QueueName,
        offer: Offer,
        redelivered: bool,
        now: Instant,
    ) -> OfferKey {
        self.last_key += 1;
        let hold = HoldTime::new(self.offer_hold, queue.priority, redelivered);
        if let Some(state) = self.queues.get_mut(queue) {
            state.expected_until = None;
            state.heard(now);
            state.held.push(HeldOffer {
                key: self.last_key,
                first: (offer.scheduled_at, offer.number),
                ids: offer.jobs,
                hold_until: now + hold.unclaimed,
                hold_until_if_claimed: now + hold.claimed,
                claiming: false,
            });
        }
        self.last_key
    }

    /// Applies the answer to a claim: `claimed` says of its first ids, in order, whether they were
    /// claimed. The other ids were not tried and remain in the offer.
    pub(crate) fn claim_answered(&mut self, claim: &Claim, claimed: &[bool]) {
        let mut count = 0;
        for (index, id) in claim.ids.iter().enumerate() {
            self.claiming.remove(id);
            if claimed.get(index) == Some(&true) {
                count += 1;
                self.running.insert(*id);
            }
        }
        self.in_use.take(&claim.queue.class.need(), claim.max.saturating_sub(count));
        let state = self.queues.get_mut(&claim.queue);
        let mut held = state.into_iter().flat_map(|state| &mut state.held);
        if let Some(held) = held.find(|held| held.key == claim.offer) {
            held.claiming = false;
            let tried = &claim.ids[..claimed.len().min(claim.ids.len())];
            held.ids.retain(|id| !tried.contains(id));
        }
        if count > 0 {
            self.served(&claim.queue);
            self.overtake(&claim.queue, count);
        }
    }

    /// Frees the capacity of a job whose outcome is recorded.
    pub(crate) fn job_ended(&mut self, id: JobId, queue: &QueueName) {
        self.running.remove(&id);
        self.in_use.take(&queue.class.need(), 1);
    }

    /// Notes that the broker ended a queue's consumer: usually because the queue does not exist, so
    /// no job waits in it.
    pub(crate) fn consumer_ended(&mut self, queue: &QueueName) {
        if let Some(state) = self.queues.get_mut(queue) {
            state.close();
            state.clear_backlog();
        }
    }

    /// Notes that the broker is connected, or that the connection and every consumer are gone.
    pub(crate) fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
        for state in self.queues.values_mut().filter(|_| !connected) {
            state.close();
        }
    }

    /// Pauses every queue for good.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }
}
