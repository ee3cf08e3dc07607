//! The commands of the admission to the intake.

use domain::job::JobId;
use domain::queue::QueueName;

/// The key of a delivered offer: offers are numbered in the order of delivery.
pub(crate) type OfferKey = u64;

/// A command to the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start to consume a queue with this prefetch.
    Resume(QueueName, u16),
    /// Close a queue's consumer, which returns every offer that it holds.
    Pause(QueueName),
    /// Claim some of these jobs; capacity for them is reserved. The answer goes to
    /// [`Admission::claim_answered`](super::Admission::claim_answered).
    Claim(Claim),
    /// Acknowledge an offer: none of its jobs is left to claim.
    Ack(OfferKey),
    /// Count the jobs that wait in a queue. The answer, if there is one, goes to
    /// [`Admission::counted`](super::Admission::counted).
    Count(QueueName),
}

/// A claim of some of an offer's jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The offer.
    pub(crate) offer: OfferKey,
    /// The queue of the offer.
    pub(crate) queue: QueueName,
    /// The candidates, in order.
    pub(crate) ids: Vec<JobId>,
    /// How many of them fit.
    pub(crate) max: u32,
}
