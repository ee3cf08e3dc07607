//! Traces: spans are recorded when they have ended, and sent to a collector in the background. Off
//! unless a collector is set; then nothing is recorded and nothing is allocated.
//!
//! Spans are built here rather than by a layer of `tracing`, because one call of a script or of the
//! broker belongs to many jobs, each of which has a trace of its own.

mod exporter;
mod operation;
mod settings;

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use domain::settings::InvalidSetting;
use domain::trace::{SpanId, TraceId, TraceParent};
use opentelemetry::trace::{Link, SpanContext, Status, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample, SpanData, SpanEvents,
    SpanLinks,
};
use prometheus_client::registry::Registry;

use exporter::Queue;
pub use exporter::{Exporter, RunningExporter};
pub use operation::{Operation, TracedRun};
pub use settings::TraceSettings;

/// Records spans. Cheap to clone; one that is off records nothing.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Recorder>>);

struct Recorder {
    sampler: Sampler,
    ids: RandomIdGenerator,
    queue: Queue,
}

/// A span that has ended.
pub struct Span<'a> {
    /// Its trace and its id.
    pub context: TraceParent,
    /// The span that it is part of.
    pub parent: Option<SpanId>,
    /// A span of another trace that led to it.
    pub link: Option<TraceParent>,
    /// What it did.
    pub operation: Operation<'a>,
    /// From when to when.
    pub time: Range<SystemTime>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Traces {
    /// Creates the recorder of a service, and the task that sends what it records. Both do nothing
    /// if the settings name no collector. The metrics are registered in either case.
    pub fn new(
        settings: &TraceSettings,
        service: &'static str,
        registry: &mut Registry,
    ) -> Result<(Traces, Exporter), InvalidSetting> {
        let (queue, exporter) = exporter::exporter(settings, service, registry)?;
        let sampler = settings.sampler()?;
        let recorder = queue
            .map(|queue| Arc::new(Recorder { sampler, ids: RandomIdGenerator::default(), queue }));
        Ok((Traces(recorder), exporter))
    }

    /// True if spans are recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns a new span: in the trace of its parent, or the root of a new one. While traces are
    /// off it is the parent, so that a caller's trace reaches those behind Capstan.
    #[must_use]
    pub fn begin(&self, parent: Option<TraceParent>) -> Option<TraceParent> {
        let Some(recorder) = &self.0 else { return parent };
        let new_trace = || TraceId(recorder.ids.new_trace_id().to_bytes());
        let trace_id = parent.map_or_else(new_trace, |parent| parent.trace_id);
        Some(recorder.begin(trace_id, self.new_span(), parent))
    }

    /// Returns the span with these ids, with the sampler's decision. `None` while traces are off.
    #[must_use]
    pub fn begin_as(
        &self,
        trace_id: TraceId,
        span_id: SpanId,
        parent: Option<TraceParent>,
    ) -> Option<TraceParent> {
        self.0.as_ref().map(|recorder| recorder.begin(trace_id, span_id, parent))
    }

    /// Returns a span within another, which has the same decision of the sampler.
    #[must_use]
    pub fn within(&self, parent: TraceParent) -> TraceParent {
        TraceParent { span_id: self.new_span(), ..parent }
    }

    /// Records a span that has ended. Never waits: when the collector does not keep up, the span is
    /// dropped and counted.
    pub fn record(&self, span: Span<'_>) {
        if let Some(recorder) = self.0.as_ref().filter(|_| span.context.sampled) {
            recorder.queue.push(span_data(span));
        }
    }

    fn new_span(&self) -> SpanId {
        let new = |recorder: &Arc<Recorder>| recorder.ids.new_span_id().to_bytes();
        SpanId(self.0.as_ref().map_or([1; 8], new))
    }
}

impl Recorder {
    fn begin(
        &self,
        trace_id: TraceId,
        span_id: SpanId,
        parent: Option<TraceParent>,
    ) -> TraceParent {
        let parent = parent.map(|parent| Context::new().with_remote_span_context(context(parent)));
        let kind = opentelemetry::trace::SpanKind::Internal;
        let id = opentelemetry::trace::TraceId::from_bytes(trace_id.0);
        let sampled = self.sampler.should_sample(parent.as_ref(), id, "", &kind, &[], &[]);
        let sampled = sampled.decision == SamplingDecision::RecordAndSample;
        TraceParent { trace_id, span_id, sampled }
    }
}

fn context(span: TraceParent) -> SpanContext {
    let trace_id = opentelemetry::trace::TraceId::from_bytes(span.trace_id.0);
    let span_id = opentelemetry::trace::SpanId::from_bytes(span.span_id.0);
    let flags = if span.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(trace_id, span_id, flags, true, TraceState::default())
}

fn span_data(span: Span<'_>) -> SpanData {
    let mut links = SpanLinks::default();
    links.links.extend(span.link.map(|link| Link::with_context(context(link))));
    let no_parent = opentelemetry::trace::SpanId::INVALID;
    let parent = |id: SpanId| opentelemetry::trace::SpanId::from_bytes(id.0);
    SpanData {
        span_context: context(span.context),
        parent_span_id: span.parent.map_or(no_parent, parent),
        parent_span_is_remote: span.operation.parent_is_remote(),
        span_kind: span.operation.kind(),
        name: span.operation.name().into(),
        start_time: span.time.start,
        end_time: span.time.end,
        attributes: span.operation.attributes(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("capstan")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

#[cfg(test)]
mod tests;
