//! Operations on a subscription: pause, resume and test it.

use domain::job::Job;
use domain::subscription::{EventDelivery, SubscriptionName};
use store::Subscription;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;

/// Returns a subscription.
pub(crate) async fn find(app: &App, name: &SubscriptionName) -> Result<Subscription, Error> {
    let one = app.store.subscription(name).await?;
    one.ok_or_else(|| Error::NoSuchSubscription(name.to_string()))
}

/// Pauses or resumes a subscription and returns it.
pub(crate) async fn set_paused(
    app: &App,
    name: &SubscriptionName,
    paused: bool,
) -> Result<Subscription, Error> {
    if !app.store.pause_subscription(name, paused, None).await? {
        return Err(Error::NoSuchSubscription(name.to_string()));
    }
    find(app, name).await
}

/// Sends a test message and returns the job that sends it.
pub(crate) async fn test(
    app: &App,
    caller: &Caller,
    name: &SubscriptionName,
) -> Result<Job, Error> {
    let one = find(app, name).await?;
    let message = EventDelivery::test((&one.name, one.id), app.store.now().await?);
    let job = message.job(&one.spec);
    app.store.submit(std::slice::from_ref(&job)).await?;
    app.metrics.submitted(1);
    caller.set_subject(job.id);
    app.store.job(job.id).await?.ok_or(Error::Internal)
}
