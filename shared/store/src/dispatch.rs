//! Dispatch: how a waiting job gets to the workers. A job that is due goes to the outbox, a relay
//! offers it through a queue, and what gets lost on the way is dispatched again.

mod clamp;
mod due;
mod failures;
mod fairness_groups;
mod hints;
mod outbox;
mod places;
mod queues;
mod redispatch;
mod retire;

pub use due::DueMoves;
pub use fairness_groups::{FairnessGroup, FairnessGroups};
pub use hints::{Hint, Hints};
pub use outbox::{Outbox, OutboxEntry, ReadyJob};
pub use places::{PlaceKind, WaitingPlace, WaitingPlaces};
pub use queues::{QueueLoad, ReadyQueue};
pub use redispatch::{Redispatch, Redispatched};
