//! Decides which offers are admitted, and which queues are paused and resumed. It has no broker, no
//! store and no clock: events change its state, and commands follow from that.
//!
//! Every queue whose jobs fit this worker is consumed. An offer that was held for a part of
//! `offer_hold` without being admitted pauses its queue: closing the consumer returns all that it
//! holds, and the queue is resumed when capacity becomes free. The next worker holds a returned
//! offer only for a moment, so it soon finds a worker with free capacity.
//!
//! No queue starves: after [`fairness::MAX_OVERTAKEN`] jobs of other queues have started while a
//! job of a queue waited, capacity that becomes free is reserved until that job fits.

mod command;
mod decisions;
mod events;
mod fairness;
mod queue_state;
mod state;
#[cfg(test)]
mod tests;

pub(super) use command::{Claim, Command, OfferKey};
pub(super) use state::Admission;
