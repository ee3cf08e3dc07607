//! Sends spans to a collector over OTLP/HTTP. A collector that is slow, down or refuses never delays
//! a job: the queue is bounded, and what does not fit or cannot be sent is dropped and counted.

use std::time::Duration;

use domain::settings::InvalidSetting;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use prost::Message;
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::settings::TraceSettings;

/// How many spans wait for the exporter, a few megabytes.
const QUEUE_SPANS: usize = 4096;
/// How many spans one request carries.
const BATCH_SPANS: usize = 512;
/// How long the exporter waits for a batch to fill.
const LINGER: Duration = Duration::from_secs(1);
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a batch is sent that the collector could not take.
const TRIES: u32 = 3;
/// The pause before the second try. It doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the spans that are left at shutdown are sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// The part of an answer that is read.
const ANSWER_BYTES: usize = 64 * 1024;

/// The end of the queue where spans are put in.
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    dropped: Counter,
}

impl Queue {
    /// Adds a span, or drops it if there is no room.
    pub(super) fn push(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.dropped.inc();
        }
    }
}

/// The task that sends spans.
pub struct Exporter(Option<Sender>);

struct Sender {
    spans: mpsc::Receiver<SpanData>,
    client: Client,
    url: Url,
    resource: ResourceAttributesWithSchema,
    exported: Counter,
    dropped: Counter,
    /// How many spans are on their way.
    in_flight: u64,
    failing: bool,
}

/// Why a batch was not sent.
enum SendError {
    /// Another try may succeed.
    Temporary(String),
    /// It may not.
    Permanent(String),
}

/// Creates the queue and its exporter. There is no queue if the settings name no collector.
pub(super) fn exporter(
    settings: &TraceSettings,
    service: &'static str,
    registry: &mut Registry,
) -> Result<(Option<Queue>, Exporter), InvalidSetting> {
    let (exported, dropped) = (Counter::default(), Counter::default());
    registry.register("trace_spans_exported", "Spans that the collector took", exported.clone());
    let help = "Spans that were not sent, because the collector was slow, down or refused them";
    registry.register("trace_spans_dropped", help, dropped.clone());
    let (headers, resource) = (settings.headers()?, settings.resource(service)?);
    let Some(url) = settings.url()? else { return Ok((None, Exporter(None))) };
    let client = Client::builder()
        .default_headers(headers)
        .redirect(redirect::Policy::none())
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|error| InvalidSetting::new("OTEL_EXPORTER_OTLP_ENDPOINT", error))?;
    let (sender, spans) = mpsc::channel(QUEUE_SPANS);
    let queue = Queue { spans: sender, dropped: dropped.clone() };
    let resource = (&resource).into();
    let (in_flight, failing) = (0, false);
    let sender = Sender { spans, client, url, resource, exported, dropped, in_flight, failing };
    Ok((Some(queue), Exporter(Some(sender))))
}

/// An exporter that runs. Dropping it ends it.
pub struct RunningExporter {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl RunningExporter {
    /// Sends the spans that are left, for a limited time. Call it when nothing records any more.
    pub async fn flush(mut self) {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

impl Exporter {
    /// Starts to send spans.
    #[must_use]
    pub fn start(self) -> RunningExporter {
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        if let Some(sender) = self.0 {
            task.spawn(sender.run(stop.clone()));
        }
        RunningExporter { stop, task }
    }
}

impl Sender {
    /// Sends spans until `stop`, and then those that are left, for a limited time.
    async fn run(mut self, stop: CancellationToken) {
        let too_late = async {
            stop.cancelled().await;
            sleep(FLUSH_TIMEOUT).await;
        };
        tokio::select! {
            () = self.send_all(&stop) => {}
            () = too_late => {}
        }
        self.spans.close();
        let left = self.in_flight + self.spans.len() as u64;
        if left > 0 {
            self.dropped.inc_by(left);
            tracing::warn!(spans = left, "spans dropped: the collector did not take them in time");
        }
    }

    async fn send_all(&mut self, stop: &CancellationToken) {
        loop {
            let batch = self.next_batch(stop).await;
            if !batch.is_empty() {
                self.export(batch).await;
            } else if stop.is_cancelled() {
                return;
            }
        }
    }

    /// Returns the next spans; none if there were none for a while. Does not wait after `stop`.
    async fn next_batch(&mut self, stop: &CancellationToken) -> Vec<SpanData> {
        let mut batch = Vec::new();
        let fill = async {
            while batch.len() < BATCH_SPANS {
                let room = BATCH_SPANS - batch.len();
                if self.spans.recv_many(&mut batch, room).await == 0 {
                    // Nothing records spans any more.
                    stop.cancelled().await;
                    break;
                }
            }
        };
        tokio::select! {
            biased;
            () = fill => {}
            () = stop.cancelled() => {}
            () = sleep(LINGER) => {}
        }
        batch
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        self.in_flight = spans;
        let sent = self.send_repeatedly(body).await;
        self.in_flight = 0;
        match sent {
            Ok(rejected) => {
                let rejected = rejected.min(spans);
                self.exported.inc_by(spans - rejected);
                self.dropped.inc_by(rejected);
                if self.failing {
                    tracing::info!("the collector takes spans again");
                }
                self.failing = false;
            }
            Err(SendError::Temporary(error) | SendError::Permanent(error)) => {
                self.dropped.inc_by(spans);
                if !self.failing {
                    tracing::warn!(error, "cannot send spans, dropping them until it works");
                }
                self.failing = true;
            }
        }
    }

    async fn send_repeatedly(&self, body: Vec<u8>) -> Result<u64, SendError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.send(body.clone()).await {
                Err(SendError::Temporary(_)) => sleep(pause).await,
                other @ (Ok(_) | Err(SendError::Permanent(_))) => return other,
            }
            pause *= 2;
        }
        self.send(body).await
    }

    /// Sends a batch once. Returns how many of its spans the collector rejected.
    async fn send(&self, body: Vec<u8>) -> Result<u64, SendError> {
        let request = self.client.post(self.url.clone());
        let request = request.header(header::CONTENT_TYPE, "application/x-protobuf").body(body);
        // The URL may hold credentials.
        let temporary = |error: reqwest::Error| SendError::Temporary(causes(&error.without_url()));
        let response = request.send().await.map_err(temporary)?;
        match response.status() {
            status if status.is_success() => {}
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => {
                return Err(SendError::Temporary(format!("the collector answers {status}")));
            }
            status => return Err(SendError::Permanent(format!("the collector answers {status}"))),
        }
        Ok(rejected(&read_start(response).await.map_err(temporary)?))
    }
}

async fn read_start(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut start = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        start.extend_from_slice(&chunk);
        if start.len() > ANSWER_BYTES {
            break;
        }
    }
    Ok(start)
}

/// Returns how many spans an answer rejects. An answer that cannot be read rejects none.
fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
    u64::try_from(rejected).unwrap_or(0)
}

/// Returns an error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text.push_str(&format!(": {one}"));
        cause = one.source();
    }
    text
}
