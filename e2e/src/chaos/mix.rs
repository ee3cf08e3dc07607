//! What is asked of the fleet while faults go on: a list of kinds of jobs, each with how often it comes, how it may
//! end, and what is asked of it later. A new feature is a new line of [`KINDS`]; what the jobs look like is in `jobs`.

mod competing;
mod jobs;

use std::ops::Range;

use domain::job::Status;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use reqwest::Method;
use serde_json::Value;

/// A kind of job.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// How often it comes, beside the others; 0 when it only comes by wish.
    weight: u32,
    /// Makes the submissions of one request; several go as a batch.
    pub(crate) make: fn(&mut ChaCha8Rng) -> Vec<Value>,
    /// How a chain of such a job may end. That its worker died once too often is always possible.
    pub(crate) ends: &'static [Status],
    /// The type of the exception of one that ends as an error, if it must be a certain one.
    pub(crate) exception: Option<&'static str>,
    pub(crate) sent: Sent,
    /// What is asked of each such job later: to read it, to cancel it, to retry it.
    pub(crate) then: &'static [Then],
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Once,
    /// With an Idempotency-Key: to both APIs at once, then until it is acknowledged, and once more.
    Keyed,
    /// With a `uniqueKey` of the jobs: to both APIs at once.
    Together,
}

/// A call about a job, some time after it was acknowledged. What it answers with 202 is an acknowledged job too.
pub(crate) struct Then {
    pub(crate) after_ms: Range<u64>,
    pub(crate) method: Method,
    /// With the job's id for `{id}`.
    pub(crate) path: &'static str,
    /// As JSON; empty is none.
    pub(crate) body: &'static str,
    /// What it may be answered, beside that the service is away.
    pub(crate) answers: &'static [u16],
}

/// Lists that are read now and then: whatever is broken, they answer 200 or that the service is away.
pub(crate) const LOOKS: [&str; 10] = [
    "/locks",
    "/queues",
    "/jobs?limit=50",
    "/jobs?status=running,waiting&limit=10",
    "/jobs?status=cancel,deleted&limit=10",
    "/jobs?action=trace&worker=any&running=true&limit=1000",
    "/workers",
    "/crons",
    "/meta/settings",
    "/docs.json",
];

/// The kind that kills its workers, one after the other: a fault, which is asked for by this name.
pub(crate) const KILLER: &str = "kills its worker";
/// The kind of the jobs of crons.
pub(crate) const OF_CRON: &str = "of a cron";

const READ: &[Then] = &[
    then(0..300, Method::GET, "/jobs/{id}/logs", &[200]),
    then(0..9_000, Method::GET, "/jobs/{id}", &[200]),
];
const CANCEL_AT_ONCE: &[Then] = &[then(0..60, Method::POST, "/jobs/{id}/cancel", &[204])];
const CANCEL: &[Then] = &[
    then(300..2_000, Method::POST, "/jobs/{id}/cancel", &[204]),
    then(0..2_000, Method::POST, "/jobs/{id}/cancel", &[204]),
];
const SWEEP: &[Then] = &[then(0..3_000, Method::POST, "/jobs/cancel?action=swept", &[202])];
const DELETE: &[Then] = &[
    then(0..2_500, Method::DELETE, "/jobs/{id}", &[204]),
    then(0..2_000, Method::DELETE, "/jobs/{id}", &[204]),
];
// 409: it is not over yet, or it is carried on already.
const RETRY: &[Then] = &[
    then(500..3_000, Method::POST, "/jobs/{id}/retry", &[202, 409]),
    then(0..50, Method::POST, "/jobs/{id}/retry", &[202, 409]),
    then(0..4_000, Method::POST, "/jobs/{id}/retry", &[202, 409]),
];

// 409: it does not wait any more.
const MOVE: &[Then] = &[
    Then {
        after_ms: 0..1_500,
        method: Method::PATCH,
        path: "/jobs/{id}",
        body: r#"{"priority":"high"}"#,
        answers: &[202, 409],
    },
    Then {
        after_ms: 0..1_500,
        method: Method::PATCH,
        path: "/jobs/{id}",
        body: r#"{"priority":"low","scheduledAt":"2026-01-01T00:00:00Z"}"#,
        answers: &[202, 409],
    },
];

const WELL: &[Status] = &[Status::Done];
const BADLY: &[Status] = &[Status::Error];
const IN_TIME: &[Status] = &[Status::Done, Status::Error];
const CANCELLED: &[Status] = &[Status::Done, Status::Cancel];
const DELETED: &[Status] = &[Status::Done, Status::Deleted];
const LOST: &[Status] =
    &[Status::Done, Status::WorkerDead, Status::WorkerShutdown, Status::WorkerResurrection];

/// All kinds.
pub(crate) const KINDS: &[Kind] = &[
    kind("plain", 20, jobs::plain, WELL),
    kind("capacity", 35, jobs::needy, WELL),
    kind("long", 10, jobs::long, WELL).then(READ),
    kind("delayed", 10, jobs::delayed, WELL),
    kind("fails once", 6, jobs::fails_once, WELL).then(READ),
    kind("fails", 4, jobs::fails, BADLY).with("ExitCode"),
    kind("backs off", 3, jobs::backs_off, BADLY).with("ExitCode"),
    kind("late", 4, jobs::late, BADLY).with("DeadlineExceeded"),
    kind("stubborn", 3, jobs::stubborn, BADLY).with("DeadlineExceeded"),
    kind("expires", 5, jobs::expires, IN_TIME).with("Expired"),
    kind("batch", 3, jobs::batch, WELL),
    kind("large batch", 1, jobs::large_batch, WELL),
    kind("built in", 9, jobs::built_in, WELL),
    kind("cancelled before it is due", 4, jobs::due_later, CANCELLED).then(CANCEL),
    kind("cancelled as it is offered", 4, jobs::needy, CANCELLED).then(CANCEL_AT_ONCE),
    kind("cancelled as it runs", 5, jobs::long, CANCELLED).then(CANCEL),
    kind("cancelled and stubborn", 2, jobs::stubborn_to_the_end, CANCELLED).then(CANCEL),
    kind("swept", 4, jobs::swept, CANCELLED).then(SWEEP),
    kind("deleted as it waits", 3, jobs::due_later, DELETED).then(DELETE),
    kind("deleted as it runs", 3, jobs::long, DELETED).then(DELETE),
    kind("deleted when over", 3, jobs::plain, DELETED).then(DELETE),
    kind("retried", 4, jobs::plain, WELL).then(RETRY),
    kind("fails and is retried", 3, jobs::fails_at_once, BADLY).with("ExitCode").then(RETRY),
    kind("unique", 6, jobs::unique, WELL).sent(Sent::Together),
    kind("keyed", 6, jobs::marked, WELL).sent(Sent::Keyed),
    kind("not twice", 5, jobs::not_twice, LOST),
    kind("strict", 5, jobs::strict, WELL),
    kind("locked", 14, competing::locked, WELL),
    kind("several locks", 5, competing::several_locks, WELL).then(READ),
    kind("locked and cancelled", 4, competing::locked_for_long, CANCELLED).then(CANCEL),
    kind("locked and deleted", 2, competing::locked_for_long, DELETED).then(DELETE),
    kind("locked and fails", 3, competing::locked_and_fails, BADLY).with("ExitCode"),
    kind("moved", 5, competing::movable, WELL).then(MOVE),
    kind("chain", 3, competing::chain, IN_TIME).with("DependencyFailed"),
    kind("fan in", 2, competing::fan_in, IN_TIME).with("DependencyFailed"),
    kind("after a failure", 2, competing::after_a_failure, IN_TIME),
    kind("children", 2, competing::children, WELL),
    kind("flood", 1, competing::flood, WELL),
    kind(KILLER, 0, jobs::kills, &[Status::WorkerDead]),
    kind(OF_CRON, 0, jobs::plain, WELL),
];

const fn kind(
    name: &'static str,
    weight: u32,
    make: fn(&mut ChaCha8Rng) -> Vec<Value>,
    ends: &'static [Status],
) -> Kind {
    Kind { name, weight, make, ends, exception: None, sent: Sent::Once, then: &[] }
}

const fn then(
    after_ms: Range<u64>,
    method: Method,
    path: &'static str,
    answers: &'static [u16],
) -> Then {
    Then { after_ms, method, path, body: "", answers }
}

impl Kind {
    const fn then(self, then: &'static [Then]) -> Kind {
        Kind { then, ..self }
    }

    const fn with(self, exception: &'static str) -> Kind {
        Kind { exception: Some(exception), ..self }
    }

    const fn sent(self, sent: Sent) -> Kind {
        Kind { sent, ..self }
    }

    /// How often somebody asks for such a job to be tried again.
    pub(crate) fn asked_again(&self) -> u32 {
        self.then.iter().filter(|then| then.path.ends_with("/retry")).count() as u32
    }
}

/// The next kind.
pub(crate) fn next(dice: &mut ChaCha8Rng) -> &'static Kind {
    let mut at = dice.random_range(0..KINDS.iter().map(|kind| kind.weight).sum());
    let found = KINDS.iter().find(|kind| {
        let found = at < kind.weight;
        at = at.saturating_sub(kind.weight);
        found
    });
    found.unwrap_or(&KINDS[0])
}

/// The kind of this name.
pub(crate) fn named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
