//! Changes jobs for an operation, with the calls that also change single jobs.

use domain::job::{Cancellation, JobId, Status};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use store::{BulkVerb, CancelAnswer, DeleteAnswer, ErrorClass, RetryAnswer, Store, StoreError};
use uuid::Uuid;

use super::eligibility::{Counts, count};

/// The number of jobs that are retried or deleted at the same time.
const CONCURRENT_CALLS: usize = 16;

/// Who requests the changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester<'a> {
    /// The owner of the token.
    pub(crate) name: &'a str,
    /// The operation. The ids of retries are derived from it, so that a repeated step creates none.
    pub(crate) operation: Uuid,
    /// True if another process may have changed some of these jobs for this operation.
    pub(crate) is_repeated: bool,
}

/// Changes these jobs, counts those that were refused, and returns how many were changed.
pub(crate) async fn apply(
    store: &Store,
    verb: BulkVerb,
    ids: &[JobId],
    requester: Requester<'_>,
    refused: &mut Counts,
) -> Result<u64, StoreError> {
    let Requester { operation, is_repeated, .. } = requester;
    let refusals = match verb {
        BulkVerb::Cancel => cancel(store, ids, requester).await?,
        BulkVerb::Retry => {
            all(ids.iter().map(|id| retry(store.clone(), *id, operation).boxed()).collect()).await?
        }
        BulkVerb::Delete => {
            all(ids.iter().map(|id| delete(store.clone(), *id, is_repeated).boxed()).collect())
                .await?
        }
    };
    let changed = refusals.iter().filter(|refusal| refusal.is_none()).count();
    refusals.into_iter().flatten().for_each(|reason| count(refused, reason));
    Ok(changed as u64)
}

type Refusal = Option<&'static str>;

async fn cancel(
    store: &Store,
    ids: &[JobId],
    requester: Requester<'_>,
) -> Result<Vec<Refusal>, StoreError> {
    let why = Cancellation { by: requester.name.to_owned(), reason: String::new() };
    let refusal = |answer| match answer {
        CancelAnswer::Requested(_) => None,
        CancelAnswer::Already(Status::Cancel | Status::CancelRequest) if requester.is_repeated => {
            None
        }
        CancelAnswer::Already(Status::CancelRequest) => Some("alreadyStopping"),
        CancelAnswer::Already(_) => Some("finished"),
        CancelAnswer::Gone => Some("deleted"),
    };
    Ok(store.cancel(ids, &why).await?.into_iter().map(refusal).collect())
}

/// A call about one job, which owns what it needs.
type Call = BoxFuture<'static, Result<Refusal, StoreError>>;

/// Makes a call for each job.
async fn all(calls: Vec<Call>) -> Result<Vec<Refusal>, StoreError> {
    stream::iter(calls).buffered(CONCURRENT_CALLS).try_collect().await
}

async fn retry(store: Store, id: JobId, operation: Uuid) -> Result<Refusal, StoreError> {
    let follow_up = JobId::derived(operation, &id.to_string());
    of_one_job(store.retry(id, follow_up).await.map(|answer| match answer {
        RetryAnswer::Created => None,
        RetryAnswer::Followed(_) => Some("alreadyRetried"),
        RetryAnswer::Taken(_) => Some("uniqueKeyTaken"),
        RetryAnswer::Refused(Status::Deleted) | RetryAnswer::Gone => Some("deleted"),
        RetryAnswer::Refused(_) => Some("notFinished"),
    }))
}

async fn delete(store: Store, id: JobId, is_repeated: bool) -> Result<Refusal, StoreError> {
    of_one_job(store.delete(id).await.map(|answer| match answer {
        DeleteAnswer::Deleted | DeleteAnswer::Requested => None,
        DeleteAnswer::Gone if is_repeated => None,
        DeleteAnswer::Gone => Some("deleted"),
    }))
}

/// Only an unavailable store ends a step; any other error concerns one job.
fn of_one_job(answer: Result<Refusal, StoreError>) -> Result<Refusal, StoreError> {
    match answer {
        Err(error) if error.class() != ErrorClass::Unavailable => Ok(Some(reason(&error))),
        answer => answer,
    }
}

fn reason(error: &StoreError) -> &'static str {
    if matches!(error, StoreError::QuotaExceeded(_)) {
        return "quotaExceeded";
    }
    if matches!(error, StoreError::TooManyQueues(_)) { "tooManyQueues" } else { "unreadable" }
}
