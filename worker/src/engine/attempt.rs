//! One run of one job, from the claim to the recorded outcome. Whatever the action does, including
//! a panic, is turned into an outcome here.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use domain::job::{ClaimedJob, Exception, FencingToken, JobId, Outcome, Status};
use futures_util::FutureExt;
use serde_json::Value;
use store::{Finish, FinishAnswer};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::session::Session;
use super::store_batcher::StoreBatcher;
use crate::action::{Action, ActionResult, RESULT_BYTES};
use crate::context::Context;
use crate::context::checkpoint::{checkpoints_and_writer, read_resume_state};
use crate::context::child_jobs::ChildJobs;
use crate::context::log_writer::log_and_writer;
use crate::context::progress::reporter_and_writer;
use crate::context::rate_limits::RateLimits;
use crate::context::signals::Signals;
use crate::context::stop::{StopReason, StopSignal, immediate_stop_requested, stop_requested};

/// The stop timeout of a job that sets none.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after the stop timeout an action that has not returned is dropped.
const DROP_AFTER: Duration = Duration::from_secs(2);
/// How many times the worker tries to record the outcome of a job with a lost claim.
const RESURRECTION_TRIES: u32 = 10;
/// The pause between two of these tries.
const RESURRECTION_PAUSE: Duration = Duration::from_secs(1);

/// Runs a claimed job and records its outcome. Returns when the outcome is recorded or
/// the claim is lost.
pub(super) async fn run(
    session: &Session,
    batcher: StoreBatcher,
    job: ClaimedJob,
    stop: StopSignal,
) {
    let (id, token, action) = (job.id, job.token, job.spec.action.clone());
    let started = Instant::now();
    tracing::debug!(job.id = %id, job.action = %action, %token, "job started");
    let outcome = perform(session, job, stop).await;
    let ran = started.elapsed();
    let ended = record(session, batcher, (id, token), outcome).await;
    // A job of an unknown action has run nothing, and its name could be anything.
    if let Some(status) = ended.filter(|_| session.resources.actions.get(&action).is_some()) {
        session.resources.metrics.ended(action.as_str(), status, ran);
    }
    let elapsed_ms = started.elapsed().as_millis() as u64;
    tracing::debug!(job.id = %id, job.action = %action, elapsed_ms, "job ended");
}

/// Ends a claimed job whose record this worker cannot read. Its retries apply, so a worker of
/// another version may still run it.
pub(super) async fn end_unreadable(
    session: &Session,
    batcher: StoreBatcher,
    (id, token): (JobId, FencingToken),
    reason: &str,
) {
    tracing::error!(job.id = %id, %token, reason, "this worker cannot read the job, ending it");
    let version = env!("CARGO_PKG_VERSION");
    let message = format!("a worker of version {version} cannot read the job: {reason}");
    let exception = Exception::new("UnreadableJob", message);
    session.running.action_returned(id);
    record(session, batcher, (id, token), Outcome::Error(exception)).await;
}

/// Records the outcome of a run, and takes it from the running jobs. Returns the status in which the
/// job ended, if that is recorded.
async fn record(
    session: &Session,
    batcher: StoreBatcher,
    (id, token): (JobId, FencingToken),
    outcome: Outcome,
) -> Option<Status> {
    let resurrected = outcome == Outcome::Resurrected;
    let finish = Finish { id, token, outcome, follow_up: JobId::random(), jitter: jitter() };
    let recorded = if resurrected {
        tracing::warn!(job.id = %id, %token, "job stopped because its claim is lost");
        record_resurrection(session, finish).await
    } else {
        batcher.outcomes.ask(finish).await.ok().flatten()
    };
    let mut ended = None;
    match recorded {
        Some(FinishAnswer::Recorded(status) | FinishAnswer::Already(status)) => {
            tracing::debug!(job.id = %id, %token, %status, "outcome recorded");
            ended = Some(status);
        }
        Some(FinishAnswer::Failed(reason)) => {
            session.resources.metrics.unreadable.inc();
            tracing::error!(job.id = %id, %token, reason, "outcome of a job cannot be recorded");
        }
        other @ (Some(FinishAnswer::Stale | FinishAnswer::Gone | FinishAnswer::Refused(_))
        | None) => {
            let answer = format!("{other:?}");
            tracing::warn!(job.id = %id, %token, answer, "outcome of a job is not recorded");
        }
    }
    session.running.remove(id);
    ended
}

/// Records that a job with a lost claim was stopped. If the store did not notice the lost lease
/// and the lease is valid again, the job is given up as at a shutdown. Once the session is over,
/// nothing depends on this record, so the number of tries is limited.
async fn record_resurrection(session: &Session, mut finish: Finish) -> Option<FinishAnswer> {
    let store = &session.store;
    let mut tries = 0;
    while tries < RESURRECTION_TRIES || !store.lease_lost.is_cancelled() {
        let answer = store.store.finish(std::slice::from_ref(&finish)).await;
        match answer.ok().and_then(|mut answers| answers.pop()) {
            Some(FinishAnswer::Refused(_)) if finish.outcome == Outcome::Resurrected => {
                finish.outcome = Outcome::Shutdown;
                continue;
            }
            Some(answer) => return Some(answer),
            None => {}
        }
        tries += 1;
        tokio::time::sleep(RESURRECTION_PAUSE).await;
    }
    None
}

/// Runs the action of a job with its log, progress, checkpoints and deadline.
async fn perform(session: &Session, mut job: ClaimedJob, stop: StopSignal) -> Outcome {
    let (id, token) = (job.id, job.token);
    // The claim may be void before the action has started: its answer took longer than the lease.
    if stop.borrow().is_some_and(StopReason::voids_claim) {
        return Outcome::Resurrected;
    }
    let Some(action) = session.resources.actions.get(&job.spec.action) else {
        let message = format!("this worker has no action {}", job.spec.action);
        return Outcome::Error(Exception::new("NoSuchAction", message));
    };
    let deadline = job.spec.deadline.duration();
    let stop_timeout = job.spec.stop_timeout.duration().unwrap_or(STOP_TIMEOUT);
    let (log, log_writer) = log_and_writer(session.store.clone(), id, token);
    let (progress, progress_writer) = reporter_and_writer(session.store.clone(), id, token);
    let mut stopping = stop.clone();
    let (last, received) = tokio::select! {
        state = read_resume_state(&session.store, &job, &log) => state,
        () = stop_requested(&mut stopping) => {
            let not_started = Exception::new("Stopped", "the action was not started");
            return outcome_of(Err(not_started), *stop.borrow(), deadline);
        }
    };
    let (checkpoints, checkpoint_writer) =
        checkpoints_and_writer(last, session.store.clone(), id, token);
    let children = ChildJobs::new(session.store.clone(), &job, &stop);
    let signals = Signals::new(received);
    let (children_of_run, signals_of_run) = (children.clone(), signals.clone());
    let rate_limits = RateLimits::new(&job.spec.locks, session.store.clone());
    let limits_of_run = rate_limits.clone();
    job.spec.locks = job.spec.locks.without_rates();
    let stopped = stop.clone();
    let context = Context {
        job,
        log,
        progress,
        checkpoints,
        children,
        rate_limits,
        signals,
        stop_timeout,
        stop: stopped,
    };
    let over = CancellationToken::new();
    let running = async {
        let pass_deadline = || session.running.stop(id, StopReason::Deadline);
        let result = run_bounded(&**action, context, deadline, pass_deadline).await;
        over.cancel();
        session.running.action_returned(id);
        // The reason as of now: writing the log may take long, and requests may arrive meanwhile.
        (result, *stop.borrow())
    };
    // The writers return once the action has returned and everything is written.
    let ((result, reason), (), (), ()) = tokio::join!(
        running,
        log_writer.run(&over),
        progress_writer.run(&over),
        checkpoint_writer.run(&over),
    );
    match outcome_of(result.and_then(limit_size), reason, deadline) {
        Outcome::Done(result) => match (children_of_run.is_awaited(), signals_of_run.awaited()) {
            (true, Some(_)) => {
                let message = "a run can wait for its children or for a signal, not for both";
                Outcome::Error(Exception::new("BadWait", message))
            }
            (true, None) => Outcome::Await(result),
            (false, Some(wait)) => Outcome::Wait(result, wait),
            (false, None) => Outcome::Done(result),
        },
        Outcome::Error(exception) if limits_of_run.is_held_back() => Outcome::HeldBack(exception),
        outcome @ (Outcome::Error(_)
        | Outcome::HeldBack(_)
        | Outcome::Cancel
        | Outcome::Await(_)
        | Outcome::Wait(..)
        | Outcome::Shutdown
        | Outcome::Resurrected) => outcome,
    }
}

/// Runs an action. Requests it to stop at its deadline, and drops it when it does not return in
/// time after a stop request.
async fn run_bounded(
    action: &dyn Action,
    context: Context,
    deadline: Option<Duration>,
    pass_deadline: impl FnOnce(),
) -> ActionResult {
    let (mut stop, stop_timeout) = (context.stop.clone(), context.stop_timeout);
    let running = catch_panic(action.run(context));
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return result,
        () = passed(deadline) => pass_deadline(),
        () = stop_requested(&mut stop) => {}
    }
    let too_late = async {
        tokio::select! {
            () = immediate_stop_requested(&mut stop) => {}
            () = tokio::time::sleep(stop_timeout) => {}
        }
        tokio::time::sleep(DROP_AFTER).await;
    };
    tokio::select! {
        result = &mut running => result,
        () = too_late => Err(Exception::new("Stopped", "the action did not stop in time")),
    }
}

/// Returns the outcome of a job whose action returned `result` after a stop request with `reason`,
/// if there was one. An action that succeeded before it stopped keeps its success.
fn outcome_of(
    result: ActionResult,
    reason: Option<StopReason>,
    deadline: Option<Duration>,
) -> Outcome {
    match (reason, result) {
        (Some(StopReason::ClaimLost | StopReason::Immediate), _) => Outcome::Resurrected,
        (Some(StopReason::Deadline), result) => {
            let limit = deadline.unwrap_or_default().as_secs_f64();
            let message = format!("the job ran past its deadline of {limit}s and was stopped");
            let mut exception = Exception::new("DeadlineExceeded", message);
            exception.detail = result.err().map(|error| serde_json::json!({"end": error.message}));
            Outcome::Error(exception)
        }
        (None | Some(StopReason::Cancel | StopReason::Shutdown), Ok(result)) => {
            Outcome::Done(result)
        }
        (Some(StopReason::Cancel), Err(_)) => Outcome::Cancel,
        (Some(StopReason::Shutdown), Err(_)) => Outcome::Shutdown,
        (None, Err(exception)) => Outcome::Error(exception),
    }
}

/// Refuses a result that is too large to be kept with its job.
fn limit_size(result: Option<Value>) -> ActionResult {
    let bytes = result.as_ref().map_or(0, |result| result.to_string().len());
    if bytes <= RESULT_BYTES {
        return Ok(result);
    }
    let message = format!("the result has {bytes} bytes; at most {RESULT_BYTES} are allowed");
    Err(Exception::new("ResultTooLarge", message))
}

async fn passed(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline).await,
        None => std::future::pending().await,
    }
}

/// Turns a panic of an action into an error of its job.
async fn catch_panic(running: impl Future<Output = ActionResult>) -> ActionResult {
    let result = AssertUnwindSafe(running).catch_unwind().await;
    result.unwrap_or_else(|panic| Err(panic_exception(&*panic)))
}

fn panic_exception(panic: &(dyn std::any::Any + Send)) -> Exception {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Exception::new("Panic", text.unwrap_or_else(|| "the action panicked".to_owned()))
}

/// Returns a random number from 0 to 1.
fn jitter() -> f64 {
    (Uuid::new_v4().as_u128() & 0xFFFF_FFFF) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_an_action_is_an_error_of_its_job() {
        let exception = catch_panic(async { panic!("no {}", "luck") }).await.unwrap_err();
        assert_eq!((exception.kind.as_str(), exception.message.as_str()), ("Panic", "no luck"));
    }

    #[test]
    fn a_result_that_is_too_large_is_an_error() {
        let text = |bytes: usize| Some(Value::String("x".repeat(bytes)));
        assert_eq!(limit_size(text(RESULT_BYTES - 2)), Ok(text(RESULT_BYTES - 2)));
        let refused = limit_size(text(RESULT_BYTES - 1)).unwrap_err();
        assert_eq!(refused.kind, "ResultTooLarge");
        assert_eq!(limit_size(None), Ok(None));
    }
}
