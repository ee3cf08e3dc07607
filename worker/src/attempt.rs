//! One run of one job: from the claim to the recorded end. Whatever the action does, also a panic, ends here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;
use domain::job::{Claimed, Exception, JobId, Outcome};
use store::{Finish, Finished};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::actions::{Context, Ended};
use crate::board::{Stop, StopSignal, asked_to_end_now, asked_to_stop};
use crate::family::Family;
use crate::journal::log_of;
use crate::progress::progress_of;
use crate::recorder::Recorder;
use crate::{Life, Service};

/// From SIGTERM to SIGKILL, unless the job says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes a result may have, as JSON.
pub(crate) const RESULT_BYTES: usize = 64 * 1024;
/// How often a stopped job's resurrection is told.
const RESURRECTIONS: u32 = 10;
/// What an action that is no process gets beyond its stop timeout before it is dropped.
const DROP_AFTER: Duration = Duration::from_secs(2);

/// Runs a claimed job and records how it ended. Returns when that is recorded, or the claim is lost.
pub(crate) async fn run(
    service: Arc<Service>,
    life: Life,
    recorder: Recorder,
    job: Claimed,
    signal: StopSignal,
) {
    let (id, token, action) = (job.id, job.token, job.spec.action.clone());
    let began = Instant::now();
    tracing::debug!(job.id = %id, job.action = %action, %token, "job started");
    let outcome = perform(&service, &life, job, signal).await;
    let resurrected = outcome == Outcome::Resurrected;
    let end = Finish { id, token, outcome, follow_up: JobId::random(), jitter: jitter() };
    let recorded = if resurrected {
        tracing::warn!(job.id = %id, %token, "job stopped: the claim on it is lost");
        resurrect(&service, &life, end).await
    } else {
        recorder.ends.ask(end).await.ok().flatten()
    };
    let elapsed_ms = began.elapsed().as_millis() as u64;
    match recorded {
        Some(Finished::Recorded(status) | Finished::Already(status)) => {
            tracing::debug!(job.id = %id, job.action = %action, %status, elapsed_ms, "job ended");
        }
        other => {
            let answer = format!("{other:?}");
            tracing::warn!(job.id = %id, %token, answer, "the end of a job was not recorded");
        }
    }
    life.board.remove(id);
}

/// Says that a job whose lease had ended has been stopped. When nobody has noticed that end, and the lease is good
/// again, the job is given up like at a shutdown. Nothing depends on it once the life is lost: then it is not tried
/// for ever.
async fn resurrect(service: &Service, life: &Life, mut end: Finish) -> Option<Finished> {
    let mut tries = 0;
    while tries < RESURRECTIONS || !life.lost.is_cancelled() {
        let answered = service.store.finish(std::slice::from_ref(&end)).await;
        match answered.ok().and_then(|mut answers| answers.pop()) {
            Some(Finished::Refused(_)) if end.outcome == Outcome::Resurrected => {
                end.outcome = Outcome::Shutdown;
                continue;
            }
            Some(answer) => return Some(answer),
            None => {}
        }
        tries += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}

/// Runs the action with its log and its deadline.
async fn perform(service: &Arc<Service>, life: &Life, job: Claimed, signal: StopSignal) -> Outcome {
    let id = job.id;
    let deadline = job.spec.deadline.duration();
    let stop_timeout = job.spec.stop_timeout.duration().unwrap_or(STOP_TIMEOUT);
    let (log, writer) = log_of(id, job.token);
    let (progress, progress_writer) = progress_of(id, job.token);
    let Some(action) = service.actions.get(&job.spec.action) else {
        let message = format!("this worker does not know the action {}", job.spec.action);
        return Outcome::Error(Exception::new("NoSuchAction", message));
    };
    let (mut watched, over) = (signal.clone(), CancellationToken::new());
    let family = Family::of(service, life, &job, &signal);
    let children = family.clone();
    let context = Context { job, log, progress, family, stop_timeout, signal: signal.clone() };
    let running = caught(action.run(context));
    let to_the_end = async {
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => return ended,
            () = passed(deadline) => life.board.stop(id, Stop::Deadline),
            () = asked_to_stop(&mut watched) => {}
        }
        let too_long = async {
            tokio::select! {
                () = asked_to_end_now(&mut watched) => {}
                () = tokio::time::sleep(stop_timeout) => {}
            }
            tokio::time::sleep(DROP_AFTER).await;
        };
        tokio::select! {
            ended = &mut running => ended,
            () = too_long => Err(Exception::new("Stopped", "the action did not stop when asked to")),
        }
    };
    let bounded = async {
        let ended = to_the_end.await;
        over.cancel();
        life.board.over(id);
        // What it was asked counts as of now: the log may take long, and all kinds of things may be asked meanwhile.
        (ended, *signal.borrow())
    };
    // Both writers end when the action has, and have then told all of it.
    let ((ended, asked), (), ()) = tokio::join!(
        bounded,
        writer.run(service, life, &over),
        progress_writer.run(service, life, &over),
    );
    let mut outcome = outcome_of(ended.and_then(not_too_large), asked, deadline);
    if let Outcome::Done(result) = &mut outcome
        && children.is_awaited()
    {
        return Outcome::Await(result.take());
    }
    outcome
}

/// What an action's own end means, given what it was asked for. An action that finished well before it was
/// stopped keeps that end.
fn outcome_of(ended: Ended, stop: Option<Stop>, deadline: Option<Duration>) -> Outcome {
    match (stop, ended) {
        (Some(Stop::Lost | Stop::Overdue), _) => Outcome::Resurrected,
        (Some(Stop::Deadline), ended) => {
            let limit = deadline.unwrap_or_default().as_secs_f64();
            let mut exception = Exception::new(
                "DeadlineExceeded",
                format!("the job ran past its deadline of {limit}s and was stopped"),
            );
            exception.detail = ended.err().map(|error| serde_json::json!({"end": error.message}));
            Outcome::Error(exception)
        }
        (None | Some(Stop::Cancel | Stop::Shutdown), Ok(result)) => Outcome::Done(result),
        (Some(Stop::Cancel), Err(_)) => Outcome::Cancel,
        (Some(Stop::Shutdown), Err(_)) => Outcome::Shutdown,
        (None, Err(exception)) => Outcome::Error(exception),
    }
}

/// A result is kept with its job, so it is bounded like parameters are.
fn not_too_large(result: Option<Value>) -> Ended {
    let bytes = result.as_ref().map_or(0, |result| result.to_string().len());
    if bytes <= RESULT_BYTES {
        return Ok(result);
    }
    let message =
        format!("the result has {bytes} bytes, more than the {RESULT_BYTES} that are kept");
    Err(Exception::new("ResultTooLarge", message))
}

async fn passed(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline).await,
        None => std::future::pending().await,
    }
}

/// Runs an action; its panic is an error of its job, and ends nothing else.
async fn caught(running: impl Future<Output = Ended>) -> Ended {
    let ended = AssertUnwindSafe(running).catch_unwind().await;
    ended.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Exception {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Exception::new("Panic", text.unwrap_or_else(|| "the action panicked".to_owned()))
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    (Uuid::new_v4().as_u128() & 0xFFFF_FFFF) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_an_action_is_an_error_of_its_job() {
        let ended = caught(async { panic!("no {}", "luck") }).await.unwrap_err();
        assert_eq!((ended.kind.as_str(), ended.message.as_str()), ("Panic", "no luck"));
    }

    #[test]
    fn a_result_that_is_too_large_is_an_error() {
        let text = |bytes: usize| Some(Value::String("x".repeat(bytes)));
        assert_eq!(not_too_large(text(RESULT_BYTES - 2)), Ok(text(RESULT_BYTES - 2)));
        let refused = not_too_large(text(RESULT_BYTES - 1)).unwrap_err();
        assert_eq!(refused.kind, "ResultTooLarge");
        assert_eq!(not_too_large(None), Ok(None));
    }
}
