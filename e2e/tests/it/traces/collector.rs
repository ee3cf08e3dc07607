//! A collector of traces: it takes spans over OTLP/HTTP and shows them as trees.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message;
use testkit::{Receiver, Reply, TestEnv};

/// A collector on a free port of this machine.
pub(super) struct Collector(Receiver);

impl Collector {
    pub(super) async fn new() -> Collector {
        Collector(Receiver::new().await)
    }

    /// A collector that takes connections and requests and never answers.
    pub(super) async fn silent() -> Collector {
        Collector(Receiver::replying(|_| Reply::Never).await)
    }

    /// The flag that makes a service send its spans here.
    pub(super) fn flag(&self) -> String {
        format!("--otel-exporter-otlp-endpoint={}", self.0.url(""))
    }

    pub(super) fn has_requests(&self) -> bool {
        !self.0.at("/v1/traces").is_empty()
    }

    /// The spans received so far, each with the name of its service.
    pub(super) fn spans(&self) -> Vec<(String, Span)> {
        let mut spans = Vec::new();
        for request in self.0.at("/v1/traces") {
            assert_eq!(request.header("content-type"), "application/x-protobuf");
            let request = ExportTraceServiceRequest::decode(request.body).unwrap();
            for of_service in request.resource_spans {
                let attributes = of_service.resource.unwrap().attributes;
                let service = text(&attributes, "service.name");
                let scopes = of_service.scope_spans.into_iter();
                spans.extend(scopes.flat_map(|one| one.spans).map(|span| (service.clone(), span)));
            }
        }
        spans
    }

    /// Waits until there are `count` spans, and returns all.
    pub(super) async fn wait_for(&self, env: &TestEnv, count: usize) -> Vec<(String, Span)> {
        let enough = async || self.spans().len() >= count;
        env.eventually(&format!("the collector has {count} spans"), enough).await;
        self.spans()
    }
}

/// The value of an attribute, or an empty text.
pub(super) fn text(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|one| one.key == name);
    match found.and_then(|one| one.value.clone()?.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shows spans as one tree per trace. Traces are named A, B, … as `first` and their roots order
/// them, and spans of one parent are ordered by name.
pub(super) fn trees(spans: &[(String, Span)], first: &str) -> String {
    let mut traces: BTreeMap<(bool, String), Vec<&(String, Span)>> = BTreeMap::new();
    for span in spans {
        let root = spans.iter().filter(|one| one.1.trace_id == span.1.trace_id);
        let root = root.map(|one| one.1.start_time_unix_nano).min();
        let key = format!("{:020} {}", root.unwrap_or(0), hex(&span.1.trace_id));
        traces.entry((hex(&span.1.trace_id) != first, key)).or_default().push(span);
    }
    let mut text = String::new();
    for (name, of_trace) in ('A'..).zip(traces.values()) {
        let _ = writeln!(text, "trace {name}");
        let known = |id: &[u8]| of_trace.iter().any(|one| one.1.span_id == id);
        let roots = of_trace.iter().filter(|one| !known(&one.1.parent_span_id));
        write_spans(&mut text, roots.copied().collect(), (of_trace, spans), 1);
    }
    text
}

fn write_spans(
    text: &mut String,
    mut some: Vec<&(String, Span)>,
    (of_trace, all): (&[&(String, Span)], &[(String, Span)]),
    depth: usize,
) {
    some.sort_by_key(|one| one.1.name.clone());
    for (service, span) in some {
        let kind = SpanKind::try_from(span.kind).unwrap().as_str_name();
        let kind = kind.trim_start_matches("SPAN_KIND_").to_lowercase();
        let _ = write!(text, "{}{} ({service}, {kind})", "  ".repeat(depth), span.name);
        for (label, name) in [
            ("attempt", "capstan.job.attempt"),
            ("status", "capstan.job.status"),
            ("", "error.type"),
        ] {
            let value = self::text(&span.attributes, name);
            if !value.is_empty() {
                let _ = write!(text, " {}", format!("{label} {value}").trim_start());
            }
        }
        for link in &span.links {
            let to = all.iter().find(|one| one.1.span_id == link.span_id);
            let _ = write!(text, " -> {}", to.map_or("unknown", |one| one.1.name.as_str()));
        }
        text.push('\n');
        let children = of_trace.iter().filter(|one| one.1.parent_span_id == span.span_id);
        write_spans(text, children.copied().collect(), (of_trace, all), depth + 1);
    }
}
