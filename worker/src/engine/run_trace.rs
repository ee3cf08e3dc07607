//! The trace of a run: the span that is handed on while it runs, the trace id in log lines, and the
//! spans that are recorded when it has ended.

use std::ops::Range;
use std::time::SystemTime;

use domain::job::{ActionName, ClaimedJob, JobId, Outcome, Status};
use domain::trace::{RunTrace, TraceId, TraceParent};
use service::traces::{Operation, Span, TracedRun};

use super::session::Session;

/// The trace of one run. Empty if the submission of the job was not traced.
pub(super) struct Trace {
    id: JobId,
    /// What commands, webhooks and children get.
    handed_on: Option<TraceParent>,
    recorded: Option<RecordedRun>,
}

/// A run whose spans are recorded.
struct RecordedRun {
    run: RunTrace,
    context: TraceParent,
    number: u64,
    attempt: u32,
    action: ActionName,
    /// When the job was claimed: from the request to the answer.
    claim: Range<SystemTime>,
}

impl Trace {
    /// Begins the trace of a run. If this worker records no spans, the span of the submission is
    /// handed on.
    pub(super) fn begin(session: &Session, job: &ClaimedJob, claim: Range<SystemTime>) -> Trace {
        let id = job.id;
        let Some(origin) = job.spec.trace else {
            return Trace { id, handed_on: None, recorded: None };
        };
        let run = origin.run(id, job.attempt);
        let traces = &session.resources.traces;
        let Some(context) = traces.begin_as(run.trace_id, run.span_id, run.parent) else {
            return Trace { id, handed_on: Some(origin.span()), recorded: None };
        };
        let recorded = context.sampled.then(|| RecordedRun {
            run,
            context,
            number: job.number,
            attempt: job.attempt,
            action: job.spec.action.clone(),
            claim,
        });
        Trace { id, handed_on: Some(context), recorded }
    }

    /// Returns the span for commands, webhooks and children.
    pub(super) fn handed_on(&self) -> Option<TraceParent> {
        self.handed_on
    }

    /// Returns the span of the run's log lines. It is enabled at every level, so that the lines of
    /// each level have the trace id.
    pub(super) fn log_span(&self) -> tracing::Span {
        match self.handed_on {
            Some(TraceParent { trace_id, .. }) => in_trace(self.id, trace_id),
            None => tracing::Span::none(),
        }
    }

    /// Records the spans of a run whose action returned at `returned`.
    pub(super) fn record(
        &self,
        session: &Session,
        status: Option<Status>,
        error_type: Option<&str>,
        returned: SystemTime,
    ) {
        let Some(recorded) = &self.recorded else { return };
        let RecordedRun { run, context, number, attempt, action, claim } = recorded;
        let (traces, now) = (&session.resources.traces, SystemTime::now());
        let traced = TracedRun { id: self.id, number: *number, attempt: *attempt, action };
        let within = |operation, time| Span {
            context: traces.within(*context),
            parent: Some(context.span_id),
            link: None,
            operation,
            time,
            error: None,
        };
        traces.record(within(Operation::Claim(traced), claim.clone()));
        traces.record(within(Operation::Finish(traced), returned..now));
        let worker = &session.id;
        traces.record(Span {
            context: *context,
            parent: run.parent.map(|parent| parent.span_id),
            link: run.link,
            operation: Operation::Run { run: traced, worker, status, error_type },
            time: claim.start..now,
            error: error_type.map(str::to_owned),
        });
    }
}

fn in_trace(id: JobId, trace_id: TraceId) -> tracing::Span {
    tracing::error_span!("run", job.id = %id, trace_id = %trace_id)
}

/// Returns the type of the error of a run that failed. Its message is not sent, because it may
/// repeat what the action was given.
pub(super) fn error_type(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Error(exception) => Some(exception.kind.clone()),
        Outcome::Resurrected => Some("ClaimLost".to_owned()),
        Outcome::Done(_) | Outcome::Await(_) | Outcome::Cancel | Outcome::Shutdown => None,
    }
}
