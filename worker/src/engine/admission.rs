//! Decides which offers are admitted, and which queues are paused and resumed. No I/O and no clock:
//! events change the state, and the state determines the commands.
//!
//! Every queue whose jobs fit this worker is consumed. An offer that was held for a part of
//! `offer_hold` without being admitted pauses its queue: closing the consumer returns every offer
//! that it holds, and the queue is resumed when capacity becomes free. The next worker holds a
//! returned offer only briefly, so the offer soon reaches a worker with free capacity.
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
