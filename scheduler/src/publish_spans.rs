//! The spans of published offers. The outbox does not say which jobs are traced, so their records
//! are read: after the publish, beside the relay, and only while traces are on.

use std::ops::Range;
use std::time::SystemTime;

use broker::Offer;
use domain::job::JobId;
use domain::queue::QueueName;
use domain::trace::TraceParent;
use service::traces::{Operation, Span, Traces};
use store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::resources::Resources;

/// How many offers wait for their spans. Those that do not fit get none.
const QUEUE_OFFERS: usize = 256;

/// Takes the offers that the relay has published.
pub(crate) struct Published(Option<mpsc::Sender<PublishedOffer>>);

struct PublishedOffer {
    queue: QueueName,
    jobs: Vec<JobId>,
    time: Range<SystemTime>,
}

/// Records the spans of published offers.
pub(crate) struct PublishSpans {
    store: Store,
    traces: Traces,
    offers: mpsc::Receiver<PublishedOffer>,
    shutdown: CancellationToken,
}

/// Returns both ends of the queue of published offers.
pub(crate) fn channel(resources: &Resources) -> (Published, PublishSpans) {
    let Resources { store, traces, shutdown, .. } = resources.clone();
    let (sender, offers) = mpsc::channel(QUEUE_OFFERS);
    let published = Published(traces.is_on().then_some(sender));
    (published, PublishSpans { store, traces, offers, shutdown })
}

impl Published {
    /// Notes that offers were published from `start` until now. Never waits.
    pub(crate) fn note(&self, offers: &[(QueueName, Offer)], start: SystemTime) {
        let Some(sender) = &self.0 else { return };
        let end = SystemTime::now();
        for (queue, offer) in offers {
            let (queue, jobs) = (queue.clone(), offer.jobs.clone());
            let offer = PublishedOffer { queue, jobs, time: start..end };
            if let Err(error) = sender.try_send(offer) {
                tracing::debug!(%error, "offer gets no spans");
            }
        }
    }
}

impl PublishSpans {
    /// Records spans until shutdown, or until the relay has ended.
    pub(crate) async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        while let Some(Some(offer)) = shutdown.run_until_cancelled(self.offers.recv()).await {
            match self.store.parent_spans(&offer.jobs).await {
                Ok(parents) => self.record(&offer, &parents),
                Err(error) => tracing::debug!(%error, "offer gets no spans"),
            }
        }
    }

    fn record(&self, offer: &PublishedOffer, parents: &[Option<TraceParent>]) {
        let (queue, jobs) = (&offer.queue, offer.jobs.len());
        for (id, parent) in offer.jobs.iter().zip(parents) {
            let Some(parent) = parent.filter(|parent| parent.sampled) else { continue };
            self.traces.record(Span {
                context: self.traces.within(parent),
                parent: Some(parent.span_id),
                link: None,
                operation: Operation::Publish { queue, id: *id, jobs },
                time: offer.time.clone(),
                error: None,
            });
        }
    }
}
