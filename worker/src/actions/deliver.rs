//! The action that delivers a message to a subscription. It reads the subscription's URL and secret
//! when it runs, so that a retry uses the current ones. Each try is a separate job; all of them
//! send the same message.

use std::time::Duration;

use domain::job::Exception;
use domain::subscription::{EventDelivery, SigningSecret};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde_json::json;
use store::{DeliveryAttempt, LogSource, Store, Subscription};

use super::parameters;
use super::webhook::{HttpClient, STOPPED, TIMEOUT, WebhookMessage, send, status_of};
use crate::action::{Action, ActionResult};
use crate::context::Context;
use crate::context::log_writer::JobLog;
use crate::context::stop::stop_requested;

/// The status code with which a receiver refuses all further messages.
const GONE: u16 = 410;
/// The pause between two tries to read from an unavailable store.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Delivers messages to subscriptions.
pub(super) struct Deliver {
    http: HttpClient,
    store: Store,
}

impl Action for Deliver {
    fn run(&self, context: Context) -> BoxFuture<'_, ActionResult> {
        self.deliver(context).boxed()
    }
}

impl Deliver {
    pub(super) fn new(http: HttpClient, store: Store) -> Deliver {
        Deliver { http, store }
    }

    async fn deliver(&self, mut context: Context) -> ActionResult {
        let delivery: EventDelivery =
            parameters::deserialize(context.job.spec.parameters.as_ref())?;
        if !delivery.created(&context.job.spec) {
            let why = "only subscriptions create jobs of this action; to test one, use \
                       POST /subscriptions/{name}/test";
            return Err(Exception::new("NotADelivery", why));
        }
        let log = context.log.clone();
        let found = tokio::select! {
            found = self.subscription(&delivery) => found?,
            () = stop_requested(&mut context.stop) => {
                return Err(Exception::new(STOPPED, "stopped while the store was unavailable"));
            }
        };
        let Some(subscription) = found else {
            return Ok(skipped(&log, "the subscription is deleted").await);
        };
        if subscription.paused && !delivery.is_test() {
            self.record(&subscription, &delivery, DeliveryAttempt::Dropped).await;
            return Ok(skipped(&log, "the subscription is paused").await);
        }
        let message = message(&subscription, &delivery);
        let sent = send(&self.http, &message, context).await;
        let Err(exception) = &sent else {
            self.record(&subscription, &delivery, DeliveryAttempt::Delivered).await;
            return sent;
        };
        if exception.kind != STOPPED {
            self.record(&subscription, &delivery, DeliveryAttempt::Failed(&exception.message))
                .await;
        }
        if status_of(exception) == Some(GONE) {
            self.pause(&subscription).await?;
            self.record(&subscription, &delivery, DeliveryAttempt::Dropped).await;
            let why = "the receiver is gone, so the subscription was paused";
            return Ok(skipped(&log, why).await);
        }
        sent
    }

    /// Returns the subscription of a delivery, or `None` when it was deleted. Waits while the store
    /// is unavailable.
    async fn subscription(
        &self,
        delivery: &EventDelivery,
    ) -> Result<Option<Subscription>, Exception> {
        loop {
            match self.store.subscription(&delivery.subscription).await {
                Ok(found) => return Ok(found.filter(|found| delivery.is_for(found.id))),
                Err(error) if error.is_unavailable() => tokio::time::sleep(STORE_PAUSE).await,
                Err(error) => return Err(Exception::new("BadSubscription", error.to_string())),
            }
        }
    }

    /// Pauses a subscription, unless it was changed since it was read.
    async fn pause(&self, subscription: &Subscription) -> Result<(), Exception> {
        let name = &subscription.name;
        tracing::warn!(subscription = %name, "receiver is gone, pausing the subscription");
        let paused = self.store.pause_subscription(name, true, Some(subscription)).await;
        paused.map_err(|error| Exception::new("StoreUnavailable", error.to_string()))?;
        Ok(())
    }

    /// Records the outcome of a try for operators. Nothing else depends on it, so a failure is
    /// ignored.
    async fn record(
        &self,
        subscription: &Subscription,
        delivery: &EventDelivery,
        tried: DeliveryAttempt<'_>,
    ) {
        if let Err(error) = self.store.record_attempt(subscription, delivery, tried).await {
            tracing::debug!(%error, "outcome of a delivery is not recorded");
        }
    }
}

/// Returns the result of a delivery that is no longer needed.
async fn skipped(log: &JobLog, why: &str) -> Option<serde_json::Value> {
    log.line(LogSource::Capstan, format!("not delivered: {why}")).await;
    Some(json!({"delivered": false, "why": why}))
}

fn message(subscription: &Subscription, delivery: &EventDelivery) -> WebhookMessage {
    WebhookMessage {
        id: delivery.message.to_string(),
        url: subscription.spec.url.url().clone(),
        headers: HeaderMap::new(),
        body: json!(delivery.body).to_string().into_bytes(),
        keys: subscription.secrets.iter().map(SigningSecret::key).map(<[u8]>::to_vec).collect(),
        timeout: TIMEOUT,
        tries: 1,
    }
}
