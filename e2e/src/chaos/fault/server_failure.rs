//! The failure of one server of a cluster.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::server::Server;

/// One server fails, and is repaired after some time: the primary of Redis, or one RabbitMQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerFailure {
    pub(crate) kind: FailureKind,
    /// The index of the RabbitMQ. Which Redis is the primary is known when it fails.
    pub(crate) node: usize,
    pub(crate) ms: u64,
}

/// How a server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    KillPrimary,
    /// Frozen with SIGSTOP for longer than the sentinels wait; then it continues.
    FreezePrimary,
    /// Nobody reaches the primary.
    IsolatePrimary,
    /// Clients reach the primary, but neither its replicas nor the sentinels do.
    SplitPrimary,
    KillBroker,
    FreezeBroker,
    /// The other brokers do not reach this one. Clients do.
    SplitBroker,
}

/// How the primary of Redis can fail.
pub(crate) const OF_REDIS: [FailureKind; 4] = [
    FailureKind::SplitPrimary,
    FailureKind::KillPrimary,
    FailureKind::FreezePrimary,
    FailureKind::IsolatePrimary,
];

/// How one RabbitMQ can fail.
pub(crate) const OF_RABBITMQ: [FailureKind; 3] =
    [FailureKind::KillBroker, FailureKind::SplitBroker, FailureKind::FreezeBroker];

/// The number of RabbitMQ servers.
const BROKERS: usize = 3;

impl FailureKind {
    /// The server that fails.
    pub(crate) fn server(self) -> Server {
        if OF_REDIS.contains(&self) { Server::Redis } else { Server::RabbitMq }
    }

    /// The name of this kind in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            FailureKind::KillPrimary => "primary of Redis killed (kill -9)",
            FailureKind::FreezePrimary => "primary of Redis frozen (SIGSTOP)",
            FailureKind::IsolatePrimary => "primary of Redis cut off from everyone",
            FailureKind::SplitPrimary => "primary of Redis cut off from the other servers",
            FailureKind::KillBroker => "one of three RabbitMQ killed (kill -9)",
            FailureKind::FreezeBroker => "one of three RabbitMQ frozen (SIGSTOP)",
            FailureKind::SplitBroker => "one of three RabbitMQ cut off from the others",
        }
    }

    /// For how long the server may be gone. Some frozen RabbitMQ servers are back before the others
    /// take them to be down, and some killed ones are.
    fn durations_ms(self) -> Range<u64> {
        match self {
            FailureKind::KillPrimary | FailureKind::KillBroker => 500..10_000,
            FailureKind::FreezePrimary | FailureKind::IsolatePrimary => 6_000..12_000,
            // Without a replica, a primary refuses writes after 10 s.
            FailureKind::SplitPrimary => 8_000..18_000,
            FailureKind::FreezeBroker | FailureKind::SplitBroker => 4_000..20_000,
        }
    }
}

impl ServerFailure {
    /// Draws a failure of this kind.
    pub(crate) fn draw(kind: FailureKind, rng: &mut ChaCha8Rng) -> ServerFailure {
        let (node, ms) = (rng.random_range(0..BROKERS), rng.random_range(kind.durations_ms()));
        ServerFailure { kind, node, ms }
    }

    /// A failure of this kind that lasts as long as such a failure can.
    pub(crate) fn longest(kind: FailureKind, node: usize) -> ServerFailure {
        ServerFailure { kind, node: node % BROKERS, ms: kind.durations_ms().end }
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, broker) = (self.ms, format!("rabbitmq-{}", self.node + 1));
        match self.kind {
            FailureKind::KillPrimary => {
                write!(f, "kill -9 the primary of Redis, restart after {ms} ms")
            }
            FailureKind::FreezePrimary => write!(f, "freeze the primary of Redis for {ms} ms"),
            FailureKind::IsolatePrimary => {
                write!(f, "cut the primary of Redis off from everyone for {ms} ms")
            }
            FailureKind::SplitPrimary => {
                write!(f, "cut the primary of Redis off from the other servers for {ms} ms")
            }
            FailureKind::KillBroker => write!(f, "kill -9 {broker}, restart after {ms} ms"),
            FailureKind::FreezeBroker => write!(f, "freeze {broker} for {ms} ms"),
            FailureKind::SplitBroker => {
                write!(f, "cut {broker} off from the others for {ms} ms")
            }
        }
    }
}
