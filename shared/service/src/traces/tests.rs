use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prometheus_client::encoding::text::encode;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use domain::job::ActionName;

/// A request as the collector received it.
type Received = (HeaderMap, ExportTraceServiceRequest);

#[derive(Clone)]
struct Collector {
    received: mpsc::UnboundedSender<Received>,
    /// The answers to the first requests; the others are accepted.
    answers: Arc<Vec<(StatusCode, Vec<u8>)>>,
    requests: Arc<AtomicUsize>,
}

async fn traces(
    State(collector): State<Collector>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    let request = collector.requests.fetch_add(1, Ordering::Relaxed);
    let answer = collector.answers.get(request).cloned();
    let answer = answer.unwrap_or((StatusCode::OK, Vec::new()));
    if answer.0.is_success() {
        let body = ExportTraceServiceRequest::decode(body).unwrap();
        collector.received.send((headers, body)).unwrap();
    }
    answer
}

async fn collector(
    answers: Vec<(StatusCode, Vec<u8>)>,
) -> (String, mpsc::UnboundedReceiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (received, receiver) = mpsc::unbounded_channel();
    let collector = Collector { received, answers: answers.into(), requests: Arc::default() };
    let routes = Router::new().route("/v1/traces", post(traces)).with_state(collector);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, receiver)
}

struct Recording {
    traces: Traces,
    exporter: Option<Exporter>,
    registry: Registry,
}

fn recording(endpoint: &str, change: impl FnOnce(&mut TraceSettings)) -> Recording {
    let mut settings =
        TraceSettings { otlp_endpoint: endpoint.to_owned(), ..TraceSettings::default() };
    change(&mut settings);
    let mut registry = Registry::default();
    let (traces, exporter) = Traces::new(&settings, "capstan-test", &mut registry).unwrap();
    Recording { traces, exporter: Some(exporter), registry }
}

impl Recording {
    fn record(&self, count: usize) {
        let action: ActionName = "noop".parse().unwrap();
        let now = SystemTime::now();
        for _ in 0..count {
            let operation = Operation::Submit { action: &action, id: None, jobs: 1, cron: None };
            let context = self.traces.begin(None).unwrap();
            let (parent, link, error) = (None, None, None);
            let span = Span { context, parent, link, operation, time: now..now, error };
            self.traces.record(span);
        }
    }

    /// Sends what was recorded, as at a shutdown.
    async fn flush(&mut self) {
        self.exporter.take().unwrap().start().flush().await;
    }

    fn counts(&self) -> (u64, u64) {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse().unwrap()
        };
        (count("trace_spans_exported_total"), count("trace_spans_dropped_total"))
    }
}

#[tokio::test]
async fn spans_are_sent_with_the_headers_and_the_resource_of_the_settings() {
    let (url, mut received) = collector(Vec::new()).await;
    let mut recording = recording(&url, |settings| {
        settings.otlp_headers = "x-tenant=a%20b".to_owned();
        settings.otel_service_name = "my-api".to_owned();
        settings.otel_resource_attributes = "deployment.environment.name=test".to_owned();
    });
    recording.record(700);
    recording.flush().await;
    assert_eq!(recording.counts(), (700, 0));
    let (headers, first) = received.recv().await.unwrap();
    assert_eq!(headers["x-tenant"], "a b");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let resource = format!("{:?}", first.resource_spans[0].resource);
    for value in ["my-api", "deployment.environment.name", "service.version"] {
        assert!(resource.contains(value), "{resource}");
    }
    assert_eq!(first.resource_spans[0].scope_spans[0].spans.len(), 512);
}

#[tokio::test]
async fn what_a_collector_rejects_is_counted_and_what_it_cannot_take_now_is_sent_again() {
    let partial = ExportTracePartialSuccess { rejected_spans: 2, ..Default::default() };
    let partial = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let answers = vec![
        (StatusCode::SERVICE_UNAVAILABLE, Vec::new()),
        (StatusCode::OK, partial),
        (StatusCode::FORBIDDEN, Vec::new()),
    ];
    let (url, mut received) = collector(answers).await;
    let mut recording = recording(&url, |_| {});
    let running = recording.exporter.take().unwrap().start();
    recording.record(5);
    received.recv().await.unwrap();
    while recording.counts() != (3, 2) {
        tokio::task::yield_now().await;
    }
    recording.record(4);
    running.flush().await;
    assert_eq!(recording.counts(), (3, 6), "a refusal is final");
}

#[tokio::test]
async fn a_collector_that_never_answers_costs_a_bounded_queue_and_a_bounded_shutdown() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut recording = recording(&format!("http://{}", silent.local_addr().unwrap()), |_| {});
    recording.record(5_000);
    assert_eq!(recording.counts(), (0, 5_000 - 4_096));
    let flushing = tokio::time::timeout(Duration::from_secs(60), recording.flush());
    flushing.await.expect("the flush has a limit");
    assert_eq!(recording.counts(), (0, 5_000), "every span is counted");
}

#[tokio::test]
async fn a_collector_that_is_down_drops_spans() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut recording = recording(&format!("http://{unused}"), |_| {});
    recording.record(3);
    recording.flush().await;
    assert_eq!(recording.counts(), (0, 3));
}

#[tokio::test]
async fn without_a_collector_nothing_is_recorded_and_a_callers_span_is_passed_on() {
    let mut recording = recording("", |_| {});
    let caller = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert!(!recording.traces.is_on());
    assert_eq!(recording.traces.begin(None), None);
    assert_eq!(recording.traces.begin(caller), caller);
    recording.flush().await;
    assert_eq!(recording.counts(), (0, 0));
}

#[tokio::test]
async fn the_sampler_decides_for_new_traces_and_callers_decide_for_theirs() {
    let with = |sampler: &str| {
        recording("http://127.0.0.1:9", |s| s.otel_traces_sampler = sampler.to_owned()).traces
    };
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sampled = TraceParent::parse(sampled).unwrap();
    let unsampled = TraceParent { sampled: false, ..sampled };
    let decisions = |traces: &Traces| {
        [None, Some(sampled), Some(unsampled)].map(|from| traces.begin(from).unwrap().sampled)
    };
    assert_eq!(decisions(&with("")), [true, true, false]);
    assert_eq!(decisions(&with("parentbased_always_off")), [false, true, false]);
    assert_eq!(decisions(&with("always_off")), [false, false, false]);
    let traces = with("");
    let (child, other) = (traces.begin(Some(sampled)).unwrap(), traces.begin(None).unwrap());
    assert_eq!(child.trace_id, sampled.trace_id);
    assert_ne!(child.span_id, sampled.span_id);
    assert_ne!(other.trace_id, sampled.trace_id);
}
