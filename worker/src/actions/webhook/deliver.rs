//! The action that delivers a message to a subscription: where to, and the secret, are what the store says when it runs, so
//! that a retry goes where it should by then. Each try is a job of its own; all of them are one message.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde_json::json;
use domain::job::Exception;
use store::{Source, Store, Subscription, Tried};
use domain::subscription::{Delivery, Secret};

use super::{Client, Message, TIMEOUT, attempts};
use crate::actions::{Action, Context, Ended, Log};
use crate::board::asked_to_stop;
use crate::handler::parameters_of;

/// The answer that means: never send anything here again.
const GONE: u16 = 410;
/// Before the store is asked again that did not answer.
const AGAIN: Duration = Duration::from_millis(500);

/// Delivers messages.
pub(in crate::actions) struct Deliver {
    client: Client,
    store: Store,
}

impl Client {
    /// The action that delivers messages of subscriptions.
    pub(in crate::actions) fn deliver(&self, store: Store) -> Deliver {
        Deliver { client: self.clone(), store }
    }
}

impl Action for Deliver {
    fn run(&self, context: Context) -> BoxFuture<'_, Ended> {
        self.deliver(context).boxed()
    }
}

impl Deliver {
    async fn deliver(&self, mut context: Context) -> Ended {
        let message: Delivery = parameters_of(context.job.spec.parameters.as_ref())?;
        if !message.made(&context.job.spec) {
            let why =
                "only subscriptions make jobs of this action: POST /subscriptions/{name}/test";
            return Err(Exception::new("NotADelivery", why));
        }
        let log = context.log.clone();
        let found = tokio::select! {
            found = self.subscription(&message) => found?,
            () = asked_to_stop(&mut context.signal) => {
                return Err(Exception::new("Stopped", "the store did not answer until then"));
            }
        };
        let Some(subscription) = found else {
            return Ok(left(&log, "the subscription is deleted").await);
        };
        if subscription.paused && !message.is_test() {
            self.note(&subscription, &message, Tried::Left).await;
            return Ok(left(&log, "the subscription is paused").await);
        }
        let sent =
            attempts::deliver(&self.client, &addressed(&subscription, &message), context).await;
        let Err(exception) = &sent else {
            self.note(&subscription, &message, Tried::Delivered).await;
            return sent;
        };
        if exception.kind != attempts::STOPPED {
            self.note(&subscription, &message, Tried::Failed(&exception.message)).await;
        }
        if attempts::status_of(exception) == Some(GONE) {
            tracing::warn!(subscription = %subscription.name, "a receiver is gone: paused");
            let (name, seen) = (&subscription.name, Some(&subscription));
            let paused = self.store.pause_subscription(name, true, seen).await;
            paused.map_err(|error| Exception::new("StoreAway", error.to_string()))?;
            self.note(&subscription, &message, Tried::Left).await;
            return Ok(left(&log, "the receiver is gone, and the subscription paused").await);
        }
        sent
    }

    /// The subscription that a message is for; `None` when it is deleted. A store that is away is waited for.
    async fn subscription(&self, message: &Delivery) -> Result<Option<Subscription>, Exception> {
        loop {
            match self.store.subscription(&message.subscription).await {
                Ok(found) => return Ok(found.filter(|found| message.is_for(found.id))),
                Err(error) if error.is_unavailable() => tokio::time::sleep(AGAIN).await,
                Err(error) => return Err(Exception::new("BadSubscription", error.to_string())),
            }
        }
    }

    /// What is not noted is not shown, and nothing else follows from it.
    async fn note(&self, subscription: &Subscription, message: &Delivery, tried: Tried<'_>) {
        if let Err(error) = self.store.note_try(subscription, message, tried).await {
            tracing::debug!(%error, "how a try to deliver went is not noted");
        }
    }
}

/// There is nothing left to do: the job is done, and says why.
async fn left(log: &Log, why: &str) -> Option<serde_json::Value> {
    log.line(Source::Capstan, format!("not delivered: {why}")).await;
    Some(json!({"delivered": false, "why": why}))
}

fn addressed(subscription: &Subscription, message: &Delivery) -> Message {
    Message {
        id: message.message.to_string(),
        url: subscription.spec.url.url().clone(),
        headers: HeaderMap::new(),
        body: json!(message.body).to_string().into_bytes(),
        keys: subscription.secrets.iter().map(Secret::key).map(<[u8]>::to_vec).collect(),
        timeout: TIMEOUT,
        tries: 1,
    }
}
