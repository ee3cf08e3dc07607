//! Jobs of the action `deliver`, which only admins may change.

use domain::job::{ActionName, JobId};
use store::{Store, StoreError};

use crate::auth::Caller;
use crate::error::Error;

/// Refuses a change of a job that the caller may not make. The action of a job never changes.
pub(crate) async fn check_job(store: &Store, caller: &Caller, id: JobId) -> Result<(), Error> {
    if without_deliveries(store, caller, vec![id]).await?.is_empty() {
        return caller.check_action(&ActionName::deliver());
    }
    Ok(())
}

/// Returns the jobs that the caller may change.
pub(crate) async fn without_deliveries(
    store: &Store,
    caller: &Caller,
    mut ids: Vec<JobId>,
) -> Result<Vec<JobId>, StoreError> {
    if !caller.may_change_deliveries() {
        let mut deliver = store.are_of_action(&ids, &ActionName::deliver()).await?.into_iter();
        ids.retain(|_| deliver.next() != Some(true));
    }
    Ok(ids)
}
