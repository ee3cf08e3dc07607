//! The trace that a run belongs to. It follows from the id and the spec of the job, so that every
//! service computes the same and nothing more is stored.

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::parent::{SpanId, TraceId, TraceParent};
use crate::names::JobId;
use crate::time::Timestamp;

/// How the runs of a job relate to the span of its submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceOrigin {
    /// The first run is a child of it. Any other run is the root of a trace of its own, with a link
    /// to it.
    Parent(TraceParent),
    /// Every run is the root of a trace of its own, with a link to it: the job was created by a
    /// cron, or is due later.
    Link(TraceParent),
}

/// The trace of one run, and its span there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTrace {
    /// The trace.
    pub trace_id: TraceId,
    /// The span of the run.
    pub span_id: SpanId,
    /// The span of the submission, if it is the parent of the run's span.
    pub parent: Option<TraceParent>,
    /// The span of the submission, if the run's span only has a link to it.
    pub link: Option<TraceParent>,
}

impl TraceOrigin {
    /// Returns the origin of a job that is submitted within this span. `now` tells whether the job
    /// is due later.
    #[must_use]
    pub fn new(span: TraceParent, scheduled_at: Option<Timestamp>, now: Timestamp) -> TraceOrigin {
        match scheduled_at {
            Some(at) if at > now => TraceOrigin::Link(span),
            Some(_) | None => TraceOrigin::Parent(span),
        }
    }

    /// Returns the span of the submission.
    #[must_use]
    pub fn span(&self) -> TraceParent {
        match self {
            TraceOrigin::Parent(span) | TraceOrigin::Link(span) => *span,
        }
    }

    /// Returns the trace of a run of the job with this id.
    #[must_use]
    pub fn run(&self, id: JobId, attempt: u32) -> RunTrace {
        // A UUID has fixed bits, where samplers expect random ones.
        let digest = Sha256::digest(format!("capstan run {id}"));
        let own_trace = TraceId(std::array::from_fn(|at| digest[at]));
        let span_id = SpanId(std::array::from_fn(|at| digest[16 + at]));
        match self {
            TraceOrigin::Parent(parent) if attempt <= 1 => {
                RunTrace { trace_id: parent.trace_id, span_id, parent: Some(*parent), link: None }
            }
            TraceOrigin::Parent(link) | TraceOrigin::Link(link) => {
                RunTrace { trace_id: own_trace, span_id, parent: None, link: Some(*link) }
            }
        }
    }
}

/// Reads the origin of a stored job. One that this build cannot read is none: it must not keep the
/// job from running.
pub(crate) fn read_origin<'de, D>(deserializer: D) -> Result<Option<TraceOrigin>, D::Error>
where
    D: Deserializer<'de>,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(TraceOrigin::deserialize(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMISSION: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn submission() -> TraceParent {
        TraceParent::parse(SUBMISSION).unwrap()
    }

    #[test]
    fn only_the_first_run_of_a_job_that_is_due_at_once_is_a_child_of_the_submission() {
        let (id, now) = (JobId::random(), Timestamp::from_ms(5_000));
        let at = |ms| Some(Timestamp::from_ms(ms));
        let run = |scheduled_at, attempt| {
            TraceOrigin::new(submission(), scheduled_at, now).run(id, attempt)
        };
        let first = run(None, 1);
        assert_eq!((first.trace_id, first.parent), (submission().trace_id, Some(submission())));
        assert_eq!(run(at(5_000), 1), first);
        for other in [run(None, 2), run(at(5_001), 1)] {
            assert_ne!(other.trace_id, submission().trace_id);
            assert_eq!((other.parent, other.link), (None, Some(submission())));
            assert_eq!(other, run(at(6_000), 3), "it follows from the id");
        }
        let another = TraceOrigin::Link(submission()).run(JobId::random(), 1);
        assert_ne!(another.trace_id, run(None, 2).trace_id);
    }
}
