//! Makes the crons in the store those of the file.

use std::time::Duration;

use domain::cron::CronName;
use store::{CronSet, SetCron, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// The number of crons that one call reads.
const PAGE: usize = 1000;
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Applies the crons of the file once, as soon as the store accepts them.
pub(crate) async fn apply_until_done(
    store: &Store,
    declared: &[SetCron],
    shutdown: &CancellationToken,
) {
    loop {
        match apply(store, declared).await {
            Ok(changed) => {
                tracing::info!(count = declared.len(), changed, "applied the crons file");
                return;
            }
            Err(error) => tracing::warn!(%error, "cannot apply the crons file, retrying"),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await.is_none() {
            return;
        }
    }
}

/// Creates or changes the crons of the file and deletes declared crons that the file no longer
/// contains. Crons that were created in another way are left alone, unless the file has one of the
/// same name. Returns the number of changes.
async fn apply(store: &Store, declared: &[SetCron]) -> Result<u64, StoreError> {
    let mut changed = 0;
    for cron in declared {
        match store.set_cron(cron).await? {
            CronSet::Created | CronSet::Changed => changed += 1,
            CronSet::Unchanged => {}
            CronSet::TooMany => {
                tracing::error!(cron.name = %cron.name, "cannot create a cron: there are too many");
            }
        }
    }
    for name in removed(store, declared).await? {
        tracing::warn!(cron.name = %name, "deleting a cron that the crons file no longer contains");
        changed += u64::from(store.delete_cron(&name).await?);
    }
    Ok(changed)
}

/// Returns the declared crons of the store that the file no longer contains.
async fn removed(store: &Store, declared: &[SetCron]) -> Result<Vec<CronName>, StoreError> {
    let is_in_file = |name: &CronName| declared.iter().any(|cron| cron.name == *name);
    let (mut start, mut removed) = (0, Vec::new());
    loop {
        let (page, _) = store.crons(start, PAGE).await?;
        start += page.len();
        let is_last = page.len() < PAGE;
        let gone = page.into_iter().filter(|cron| cron.declared && !is_in_file(&cron.name));
        removed.extend(gone.map(|cron| cron.name));
        if is_last {
            return Ok(removed);
        }
    }
}
