//! Bulk operations: try one out, begin one, stop one.

use store::{BulkBegun, BulkOperation, BulkSpec, StopAnswer};
use uuid::Uuid;

use crate::app::App;
use crate::auth::Caller;
use crate::bulk::{Preview, preview};
use crate::error::Error;

/// Returns an operation.
pub(crate) async fn find(app: &App, id: Uuid) -> Result<BulkOperation, Error> {
    let found = app.store.bulk_operation(id).await?;
    found.ok_or_else(|| Error::NoSuchBulkOperation(id.to_string()))
}

/// Counts the jobs that an operation would change. Only a few counts run at the same time.
pub(crate) async fn dry_run(app: &App, spec: &BulkSpec) -> Result<Preview, Error> {
    let _scan = app.scans.acquire().await.map_err(|_| Error::Internal)?;
    Ok(preview(&app.store, spec).await?)
}

/// Stores an operation to be run, and returns it.
pub(crate) async fn begin(app: &App, id: Uuid, spec: &BulkSpec) -> Result<BulkOperation, Error> {
    match app.store.begin_bulk(id, spec).await? {
        BulkBegun::Begun => {}
        BulkBegun::TooMany => return Err(Error::TooManyBulkOperations),
    }
    app.new_operation.notify_one();
    find(app, id).await
}

/// Stops an operation after its current step, and returns it.
pub(crate) async fn stop(app: &App, caller: &Caller, id: Uuid) -> Result<BulkOperation, Error> {
    match app.store.stop_bulk(id, caller.name()).await? {
        StopAnswer::Stopped | StopAnswer::Already(_) => find(app, id).await,
        StopAnswer::Gone => Err(Error::NoSuchBulkOperation(id.to_string())),
    }
}
