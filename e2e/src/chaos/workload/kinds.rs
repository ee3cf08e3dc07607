//! The kinds of jobs in the workload: how often each is submitted, how it may end, and which calls
//! follow. A new feature is a new line of [`KINDS`].

use std::ops::Range;

use domain::job::Status;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use reqwest::Method;
use serde_json::Value;

use super::{jobs, related_jobs};

/// A kind of job.
pub(crate) struct JobKind {
    pub(crate) name: &'static str,
    /// How often it is drawn, relative to the others; 0 if it is only submitted on request.
    weight: u32,
    /// Makes the jobs of one submission; several jobs form a batch.
    pub(super) make: fn(&mut ChaCha8Rng) -> Vec<Value>,
    /// How the retry chain of such a job may end. The death of too many workers is always allowed.
    pub(crate) outcomes: &'static [Status],
    /// The kind of exception of a job that ends as an error, if it must be a certain one.
    pub(crate) exception: Option<&'static str>,
    pub(super) mode: SubmitMode,
    /// Whether the jobs of a submission have the same action.
    pub(super) one_action: bool,
    /// The calls about each job that follow its submission.
    pub(super) later_calls: &'static [LaterCall],
}

/// How a submission is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubmitMode {
    Once,
    /// With an `Idempotency-Key`: to both APIs at once, until it is acknowledged, and once more.
    WithIdempotencyKey,
    /// To both APIs at once: its job has a `uniqueKey`.
    ToBothApis,
}

/// A call about a job, some time after its acknowledgement. A job in an answer 202 is acknowledged
/// too.
pub(super) struct LaterCall {
    pub(super) after_ms: Range<u64>,
    pub(super) method: Method,
    /// `{id}` stands for the id of the job.
    pub(super) path: &'static str,
    /// JSON, or empty for no body.
    pub(super) body: &'static str,
    /// The expected statuses, besides 503.
    pub(super) statuses: &'static [u16],
}

/// Lists that are read at random. During any fault they answer 200 or 503.
pub(super) const LISTS: [&str; 10] = [
    "/locks",
    "/queues",
    "/jobs?limit=50",
    "/jobs?status=running,waiting&limit=10",
    "/jobs?status=cancel,deleted&limit=10",
    "/jobs?action=recorded&worker=any&running=true&limit=1000",
    "/workers",
    "/crons",
    "/meta/settings",
    "/docs.json",
];

/// The kind that kills one worker after the other. It is a fault, so it is submitted on request.
pub(crate) const KILLS_ITS_WORKER: &str = "kills its worker";
/// The kind of the simplest jobs.
pub(super) const PLAIN: &str = "plain";
/// The kind whose jobs start in the order of their submission.
pub(super) const IN_ORDER: &str = "in order";
/// The kind whose submissions are batched.
pub(super) const BATCHED: &str = "batched";
/// The kind of the jobs that crons create.
pub(crate) const OF_A_CRON: &str = "of a cron";

const READ: &[LaterCall] = &[
    later(0..300, Method::GET, "/jobs/{id}/logs", &[200]),
    later(0..9_000, Method::GET, "/jobs/{id}", &[200]),
];
const CANCEL_AT_ONCE: &[LaterCall] = &[later(0..60, Method::POST, "/jobs/{id}/cancel", &[204])];
const CANCEL: &[LaterCall] = &[
    later(300..2_000, Method::POST, "/jobs/{id}/cancel", &[204]),
    later(0..2_000, Method::POST, "/jobs/{id}/cancel", &[204]),
];
const SWEEP: &[LaterCall] = &[later(0..3_000, Method::POST, "/jobs/cancel?action=swept", &[202])];
const DELETE: &[LaterCall] = &[
    later(0..2_500, Method::DELETE, "/jobs/{id}", &[204]),
    later(0..2_000, Method::DELETE, "/jobs/{id}", &[204]),
];
// 409: it has not finished yet, or has a follow-up already.
const RETRY: &[LaterCall] = &[
    later(500..3_000, Method::POST, "/jobs/{id}/retry", &[202, 409]),
    later(0..50, Method::POST, "/jobs/{id}/retry", &[202, 409]),
    later(0..4_000, Method::POST, "/jobs/{id}/retry", &[202, 409]),
];

// 409: it does not wait any more.
const CHANGE: &[LaterCall] = &[
    LaterCall {
        after_ms: 0..1_500,
        method: Method::PATCH,
        path: "/jobs/{id}",
        body: r#"{"priority":"high"}"#,
        statuses: &[202, 409],
    },
    LaterCall {
        after_ms: 0..1_500,
        method: Method::PATCH,
        path: "/jobs/{id}",
        body: r#"{"priority":"low","scheduledAt":"2026-01-01T00:00:00Z"}"#,
        statuses: &[202, 409],
    },
];

/// The bodies of the signals, of which only the first may be acknowledged. 409: another one was.
const SIGNAL: &[LaterCall] = &[
    signal(0..3_000, r#"{"sent":1}"#),
    signal(0..1_500, r#"{"sent":2}"#),
    signal(0..50, r#"{"sent":3}"#),
];

const SUCCESS: &[Status] = &[Status::Done];
const FAILURE: &[Status] = &[Status::Error];
const EITHER: &[Status] = &[Status::Done, Status::Error];
const CANCELLED: &[Status] = &[Status::Done, Status::Cancel];
const DELETED: &[Status] = &[Status::Done, Status::Deleted];
const WORKER_LOST: &[Status] =
    &[Status::Done, Status::WorkerDead, Status::WorkerShutdown, Status::WorkerResurrection];

/// All kinds.
pub(super) const KINDS: &[JobKind] = &[
    kind(PLAIN, 20, jobs::plain, SUCCESS),
    kind("capacity", 35, jobs::with_capacity, SUCCESS),
    kind("long", 10, jobs::long, SUCCESS).then(READ),
    kind("delayed", 10, jobs::delayed, SUCCESS),
    kind("fails once", 6, jobs::fails_once, SUCCESS).then(READ),
    kind("fails", 4, jobs::fails, FAILURE).with_exception("ExitCode"),
    kind("backoff", 3, jobs::backoff, FAILURE).with_exception("ExitCode"),
    kind("exceeds its deadline", 4, jobs::slow, FAILURE).with_exception("DeadlineExceeded"),
    kind("ignores SIGTERM", 3, jobs::slow_and_stubborn, FAILURE).with_exception("DeadlineExceeded"),
    kind("expires", 5, jobs::expires, EITHER).with_exception("Expired"),
    kind("batch", 3, jobs::batch, SUCCESS),
    kind(IN_ORDER, 8, jobs::in_order, SUCCESS).with_one_action(),
    kind("under a rate limit", 2, jobs::paced, SUCCESS),
    kind("under a calendar limit", 2, jobs::counted, SUCCESS),
    kind("large batch", 1, jobs::large_batch, SUCCESS),
    kind("built-in action", 9, jobs::built_in, SUCCESS),
    kind("cancelled before it is due", 4, jobs::due_later, CANCELLED).then(CANCEL),
    kind("cancelled while offered", 4, jobs::with_capacity, CANCELLED).then(CANCEL_AT_ONCE),
    kind("cancelled while running", 5, jobs::long, CANCELLED).then(CANCEL),
    kind("cancelled, ignores SIGTERM", 2, jobs::ignores_sigterm, CANCELLED).then(CANCEL),
    kind("cancelled by filter", 4, jobs::swept, CANCELLED).then(SWEEP),
    kind("deleted while waiting", 3, jobs::due_later, DELETED).then(DELETE),
    kind("deleted while running", 3, jobs::long, DELETED).then(DELETE),
    kind("deleted when finished", 3, jobs::plain, DELETED).then(DELETE),
    kind("retried", 4, jobs::plain, SUCCESS).then(RETRY),
    kind("fails and is retried", 3, jobs::fails_without_retry, FAILURE)
        .with_exception("ExitCode")
        .then(RETRY),
    kind("unique key", 6, jobs::unique, SUCCESS).with_mode(SubmitMode::ToBothApis),
    kind("debounced", 6, jobs::debounced, SUCCESS).with_mode(SubmitMode::ToBothApis),
    kind(BATCHED, 6, jobs::batched, SUCCESS).with_mode(SubmitMode::WithIdempotencyKey),
    kind("idempotency key", 6, jobs::marked, SUCCESS).with_mode(SubmitMode::WithIdempotencyKey),
    kind("fails with its worker", 5, jobs::fails_with_its_worker, WORKER_LOST),
    kind("strict lease", 5, jobs::strict_lease, SUCCESS),
    kind("locked", 14, related_jobs::locked, SUCCESS),
    kind("several locks", 5, related_jobs::several_locks, SUCCESS).then(READ),
    kind("locked and cancelled", 4, related_jobs::locked_for_long, CANCELLED).then(CANCEL),
    kind("locked and deleted", 2, related_jobs::locked_for_long, DELETED).then(DELETE),
    kind("locked and fails", 3, related_jobs::locked_and_fails, FAILURE).with_exception("ExitCode"),
    kind("changed while waiting", 5, related_jobs::changeable, SUCCESS).then(CHANGE),
    kind("dependency chain", 3, related_jobs::chain, EITHER).with_exception("DependencyFailed"),
    kind("fan in", 2, related_jobs::fan_in, EITHER).with_exception("DependencyFailed"),
    kind("after a failure", 2, related_jobs::after_a_failure, EITHER),
    kind("children", 2, related_jobs::children, SUCCESS),
    kind("checkpoints", 6, jobs::checkpoints, SUCCESS).then(READ),
    kind("checkpoints, fails once", 5, jobs::checkpoints_and_fails_once, SUCCESS),
    kind("waits for a signal", 6, jobs::waits_for_signal, SUCCESS).then(SIGNAL),
    kind("waits for a signal in vain", 2, jobs::waits_for_signal, SUCCESS),
    kind("large fairness group", 1, related_jobs::large_fairness_group, SUCCESS),
    kind(KILLS_ITS_WORKER, 0, jobs::kills_its_worker, &[Status::WorkerDead]),
    kind(OF_A_CRON, 0, jobs::plain, SUCCESS),
];

const fn kind(
    name: &'static str,
    weight: u32,
    make: fn(&mut ChaCha8Rng) -> Vec<Value>,
    outcomes: &'static [Status],
) -> JobKind {
    JobKind {
        name,
        weight,
        make,
        outcomes,
        exception: None,
        mode: SubmitMode::Once,
        one_action: false,
        later_calls: &[],
    }
}

const fn later(
    after_ms: Range<u64>,
    method: Method,
    path: &'static str,
    statuses: &'static [u16],
) -> LaterCall {
    LaterCall { after_ms, method, path, body: "", statuses }
}

const fn signal(after_ms: Range<u64>, body: &'static str) -> LaterCall {
    LaterCall {
        after_ms,
        method: Method::POST,
        path: "/jobs/{id}/signals/go",
        body,
        statuses: &[202, 409],
    }
}

impl JobKind {
    const fn then(self, later_calls: &'static [LaterCall]) -> JobKind {
        JobKind { later_calls, ..self }
    }

    const fn with_exception(self, exception: &'static str) -> JobKind {
        JobKind { exception: Some(exception), ..self }
    }

    const fn with_mode(self, mode: SubmitMode) -> JobKind {
        JobKind { mode, ..self }
    }

    const fn with_one_action(self) -> JobKind {
        JobKind { one_action: true, ..self }
    }

    /// How often a retry of such a job is requested.
    pub(crate) fn requested_retries(&self) -> u32 {
        self.later_calls.iter().filter(|call| call.path.ends_with("/retry")).count() as u32
    }
}

/// Draws a kind.
pub(super) fn draw(rng: &mut ChaCha8Rng) -> &'static JobKind {
    let mut at = rng.random_range(0..KINDS.iter().map(|kind| kind.weight).sum());
    let found = KINDS.iter().find(|kind| {
        let found = at < kind.weight;
        at = at.saturating_sub(kind.weight);
        found
    });
    found.unwrap_or(&KINDS[0])
}

/// The kind of this name.
pub(crate) fn named(name: &str) -> Option<&'static JobKind> {
    KINDS.iter().find(|kind| kind.name == name)
}
