//! Refuses new jobs that have expired before they are submitted.

use store::{Store, StoreError};

use super::draft::Draft;
use crate::deadline::in_time;
use crate::error::Error;

/// Refuses a job whose `expiresAt` has passed, by the clock of the store. A repeated submission is
/// answered like the first one.
pub(crate) async fn check_expiry(store: &Store, draft: &Draft) -> Result<(), Error> {
    match first_expired(store, std::slice::from_ref(draft)).await? {
        Some(_) => Err(expired()),
        None => Ok(()),
    }
}

/// The same for a batch. The error names the job.
pub(crate) async fn check_expiries(store: &Store, drafts: &[Draft]) -> Result<(), Error> {
    match first_expired(store, drafts).await? {
        Some(index) => Err(expired().in_job(index)),
        None => Ok(()),
    }
}

fn expired() -> Error {
    Error::invalid("expiresAt", "it is in the past")
}

async fn first_expired(store: &Store, drafts: &[Draft]) -> Result<Option<usize>, Error> {
    if !drafts.iter().any(|draft| draft.spec.expires_at.is_some()) {
        return Ok(None);
    }
    let finding = async {
        let now = store.now().await?;
        for (index, draft) in drafts.iter().enumerate() {
            let has_passed = draft.spec.expires_at.is_some_and(|at| at <= now);
            if has_passed && !(draft.reserve_id && store.is_known(draft.id).await?) {
                return Ok(Some(index));
            }
        }
        Ok::<_, StoreError>(None)
    };
    in_time(async { Ok(finding.await?) }).await
}
