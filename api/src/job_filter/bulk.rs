//! The filters of changes of many jobs. Selecting all jobs must be explicit.

use domain::job::Status;
use store::{BulkVerb, JobFilter};

use super::{filter, statuses};
use crate::error::{CANCEL_ALL, Error, SELECT_ALL};
use crate::query::Query;

const CANCEL_PARAMETERS: [&str; 7] =
    ["action", "worker", "running", "status", "since", "until", "all"];

/// Parses the query of a bulk cancellation; `None` if no job can match. Cancelling all jobs must be
/// explicit.
pub(crate) fn cancel_filter(raw: Option<&str>) -> Result<Option<JobFilter>, Error> {
    let query = Query::read(raw, &CANCEL_PARAMETERS)?;
    let statuses = statuses(&query)?;
    let filter = filter(&query, Vec::new())?;
    check_narrowed(&query, &filter, statuses.as_deref(), ("all", CANCEL_ALL))?;
    let cancellable = considered(BulkVerb::Cancel).into_iter();
    let selected = |status: &Status| statuses.as_ref().is_none_or(|named| named.contains(status));
    let statuses: Vec<Status> = cancellable.filter(selected).collect();
    Ok((!statuses.is_empty()).then_some(JobFilter { statuses, ..filter }))
}

/// Parses the filter of a bulk operation. Selecting all jobs must be explicit.
pub(crate) fn bulk_filter(query: &Query, verb: BulkVerb) -> Result<JobFilter, Error> {
    let statuses = statuses(query)?;
    let filter = filter(query, Vec::new())?;
    check_narrowed(query, &filter, statuses.as_deref(), ("filter", SELECT_ALL))?;
    let statuses = statuses.unwrap_or_else(|| considered(verb));
    if statuses.is_empty() {
        return Err(Error::invalid("status", "no job has one of these statuses and this running"));
    }
    Ok(JobFilter { statuses, ..filter })
}

/// The statuses that a bulk operation considers unless its filter names some. The jobs of all others
/// cannot be changed, or, if they are done, should not be repeated by accident.
pub(crate) fn considered(verb: BulkVerb) -> Vec<Status> {
    let is_considered = |status: &Status| match verb {
        BulkVerb::Cancel => matches!(status, Status::Waiting | Status::Running),
        BulkVerb::Retry => status.is_final() && !matches!(status, Status::Done | Status::Deleted),
        BulkVerb::Delete => *status != Status::Deleted,
    };
    Status::ALL.into_iter().filter(is_considered).collect()
}

fn check_narrowed(
    query: &Query,
    filter: &JobFilter,
    statuses: Option<&[Status]>,
    (field, why): (&str, &str),
) -> Result<(), Error> {
    let is_narrowed = statuses.is_some() || *filter != JobFilter::default();
    if is_narrowed || query.switch("all")? == Some(true) {
        return Ok(());
    }
    Err(Error::invalid(field, why))
}
