//! Traces: the W3C trace context of a job's submission, and the trace that each run belongs to.

mod parent;
mod run;

pub use parent::{SpanId, TRACEPARENT_CHARACTERS, TraceId, TraceParent};
pub(crate) use run::read_origin;
pub use run::{RunTrace, TraceOrigin};
