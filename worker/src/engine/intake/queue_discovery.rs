//! Discovers which queues exist, and receives the store's hints for this worker.

use std::time::Duration;

use domain::queue::QueueName;
use store::Hint;
use tokio::sync::watch;

use crate::engine::session::Session;

/// How often the queues are read from the store when no hint arrives.
const PERIOD: Duration = Duration::from_secs(1);
/// The pause before a lost subscription is made again.
const RESUBSCRIBE_PAUSE: Duration = Duration::from_millis(250);

/// Publishes the queues that exist and whose jobs this worker knows, at every hint and every
/// period, and wakes the heartbeat when a hint asks for it. Runs until the receivers of `queues` are gone.
pub(super) async fn run(session: Session, queues: watch::Sender<Vec<QueueName>>) {
    let store = &session.store.store;
    let mut subscription = None;
    while !queues.is_closed() {
        if subscription.is_none() {
            subscription = store.hints(&session.id).await.ok();
            // A heartbeat makes up for hints that were sent while there was no
            // subscription.
            session.heartbeat_now.notify_one();
        }
        match store.declared_queues().await {
            Ok(mut declared) => {
                declared.retain(|queue| can_consume(&session, queue));
                queues.send_if_modified(|known| {
                    let changed = *known != declared;
                    *known = declared;
                    changed
                });
            }
            // The subscription may be dead too, which a subscriber cannot notice.
            Err(_) => subscription = None,
        }
        let hint = async {
            match &mut subscription {
                Some(subscription) => subscription.next().await,
                None => std::future::pending().await,
            }
        };
        let lost = tokio::select! {
            hint = hint => {
                if hint == Some(Hint::Heartbeat) {
                    session.heartbeat_now.notify_one();
                }
                hint.is_none()
            }
            () = tokio::time::sleep(PERIOD) => false,
            () = queues.closed() => return,
        };
        if lost {
            subscription = None;
            tokio::time::sleep(RESUBSCRIBE_PAUSE).await;
        }
    }
}

/// Returns true if the worker knows the actions of all jobs in the queue. The jobs of a shared
/// queue are of actions that every live worker knows.
fn can_consume(session: &Session, queue: &QueueName) -> bool {
    let actions = &session.resources.actions;
    queue.action.as_ref().is_none_or(|action| actions.get(action).is_some())
}
