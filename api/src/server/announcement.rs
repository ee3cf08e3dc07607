//! Announces that this API runs, until shutdown. A store that does not answer is no failure: the
//! next announcement may succeed.

use domain::job::WorkerId;
use store::{ANNOUNCEMENT_PERIOD, Announcer, ServiceKind, Store};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Announces until `shutdown`, then removes the announcement.
pub(super) async fn run(store: Store, shutdown: CancellationToken) {
    let id = WorkerId::random();
    let version = env!("CARGO_PKG_VERSION");
    let mut announcer = Announcer::new(store, ServiceKind::Api, id.as_str(), version);
    let announcing = async {
        loop {
            if let Err(error) = announcer.announce(None).await {
                tracing::debug!(%error, "cannot announce that this API runs");
            }
            sleep(ANNOUNCEMENT_PERIOD).await;
        }
    };
    shutdown.run_until_cancelled(announcing).await;
    if let Err(error) = announcer.retract().await {
        tracing::debug!(%error, "the announcement stays until it expires");
    }
}
