//! Plans for fleets whose servers are clusters.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::fault::{FailureKind, Fault, OF_RABBITMQ, OF_REDIS, ServerFailure};

/// How long a cluster and its services may take after a failure that is measured.
const UNDISTURBED: Duration = Duration::from_secs(25);

/// Draws the kinds of failures in turn.
#[derive(Default)]
pub(super) struct Failures {
    redis: Vec<FailureKind>,
    rabbitmq: Vec<FailureKind>,
}

impl Failures {
    /// A failure of the primary of Redis, and one of a RabbitMQ.
    pub(super) fn draw(&mut self, rng: &mut ChaCha8Rng) -> [Fault; 2] {
        let redis = next(&mut self.redis, &OF_REDIS, rng);
        let rabbitmq = next(&mut self.rabbitmq, &OF_RABBITMQ, rng);
        [redis, rabbitmq].map(Fault::FailServer)
    }
}

fn next(left: &mut Vec<FailureKind>, all: &[FailureKind], rng: &mut ChaCha8Rng) -> ServerFailure {
    if left.is_empty() {
        left.extend(all);
        left.shuffle(rng);
    }
    let kind = left.pop().unwrap_or(FailureKind::KillPrimary);
    ServerFailure::draw(kind, rng)
}

/// Every failure of a server with its time, one after the other, to measure how long each is
/// noticed.
pub(super) fn measured(
    (first, end): (Duration, Duration),
    rng: &mut ChaCha8Rng,
) -> Vec<(Duration, Fault)> {
    let mut kinds = OF_REDIS.into_iter().chain(OF_RABBITMQ).cycle();
    let (mut plan, mut at) = (Vec::new(), first);
    while let Some(kind) = kinds.next().filter(|_| at < end) {
        let failure = ServerFailure::longest(kind, rng.random_range(0..3));
        let next = at + failure.duration() + UNDISTURBED;
        plan.push((at, Fault::FailServer(failure)));
        at = next;
    }
    plan
}
