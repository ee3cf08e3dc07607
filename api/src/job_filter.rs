//! The queries of job lists and of bulk cancellation, parsed into a filter of the store.

use domain::job::Status;
use store::{JobFilter, JobIdPage, JobIndex, Store};

use crate::error::{CANCEL_ALL, Error};
use crate::query::Query;

const LIST_PARAMETERS: [&str; 11] = [
    "action",
    "worker",
    "running",
    "start",
    "limit",
    "status",
    "since",
    "until",
    "parent",
    "sort",
    "fingerprint",
];
/// The statuses of jobs that have a fingerprint.
const FAILED: [Status; 2] = [Status::Error, Status::WorkerDead];
const CANCEL_PARAMETERS: [&str; 7] =
    ["action", "worker", "running", "status", "since", "until", "all"];

/// A page of a list, as its query selects it.
#[derive(Debug)]
pub(crate) struct ListQuery {
    /// The jobs; `None` if no job can match.
    pub(crate) filter: Option<JobFilter>,
    /// True for all jobs in the order of submission, the newest first.
    pub(crate) is_by_submission: bool,
    /// The offset of the first job.
    pub(crate) start: usize,
    /// The largest number of jobs.
    pub(crate) limit: usize,
}

impl ListQuery {
    /// Finds the jobs of the page.
    pub(crate) async fn find(self, store: &Store) -> Result<JobIdPage, Error> {
        let ListQuery { filter, is_by_submission, start, limit } = self;
        let Some(filter) = filter else { return Ok(JobIdPage::default()) };
        if is_by_submission {
            let range = (start as u64, limit as u64);
            let (ids, total) = store.page_ids(&JobIndex::Number, true, range).await?;
            return Ok(JobIdPage { ids, total, cut: false });
        }
        Ok(store.job_ids(&filter, start, limit).await?)
    }
}

/// Parses the query of a list; `limits` are the default and the largest number of jobs in a page.
pub(crate) fn list_query(raw: Option<&str>, limits: (u32, u32)) -> Result<ListQuery, Error> {
    let query = Query::read(raw, &LIST_PARAMETERS)?;
    let mut statuses = statuses(&query)?;
    let fingerprint = query.value("fingerprint")?;
    if fingerprint.is_some() {
        let named = statuses.unwrap_or(FAILED.to_vec());
        statuses = Some(named.into_iter().filter(|status| FAILED.contains(status)).collect());
    }
    let none_can_match = statuses.as_ref().is_some_and(Vec::is_empty);
    let filter = filter(&query, statuses.unwrap_or_default())?;
    let mut filter = JobFilter { fingerprint, ..filter };
    let is_by_submission = query.text("sort") == Some("-createdAt");
    if is_by_submission && filter != JobFilter::default() {
        let reason = "-createdAt lists all jobs; with a filter, use scheduledAt or -scheduledAt";
        return Err(Error::invalid("sort", reason));
    }
    filter.soonest_first = match query.text("sort") {
        None | Some("-scheduledAt" | "-createdAt") => false,
        Some("scheduledAt") => true,
        Some(_) => {
            let reason = "it must be scheduledAt, -scheduledAt or -createdAt";
            return Err(Error::invalid("sort", reason));
        }
    };
    let (start, limit) = query.page(limits.0, limits.1)?;
    let filter = (!none_can_match).then_some(filter);
    Ok(ListQuery { filter, is_by_submission, start, limit })
}

/// Parses the query of a bulk cancellation; `None` if no job can match. Cancelling all jobs must be
/// explicit.
pub(crate) fn cancel_filter(raw: Option<&str>) -> Result<Option<JobFilter>, Error> {
    let query = Query::read(raw, &CANCEL_PARAMETERS)?;
    let statuses = statuses(&query)?;
    let filter = filter(&query, Vec::new())?;
    // A fingerprint selects jobs that have ended.
    let JobFilter {
        action,
        worker,
        parent,
        since,
        until,
        fingerprint: _,
        statuses: _,
        soonest_first: _,
    } = &filter;
    let narrowed = action.is_some()
        || worker.is_some()
        || parent.is_some()
        || since.is_some()
        || until.is_some();
    if !narrowed && statuses.is_none() && query.switch("all")? != Some(true) {
        return Err(Error::invalid("all", CANCEL_ALL));
    }
    let cancellable = [Status::Waiting, Status::Running].into_iter();
    let selected = |status: &Status| statuses.as_ref().is_none_or(|named| named.contains(status));
    let statuses: Vec<Status> = cancellable.filter(selected).collect();
    Ok((!statuses.is_empty()).then_some(JobFilter { statuses, ..filter }))
}

fn filter(query: &Query, statuses: Vec<Status>) -> Result<JobFilter, Error> {
    Ok(JobFilter {
        action: query.value_unless_any("action")?,
        worker: query.value_unless_any("worker")?,
        parent: query.value("parent")?,
        statuses,
        since: query.value("since")?,
        until: query.value("until")?,
        ..JobFilter::default()
    })
}

/// Returns the statuses that both `running` and `status` select; `None` if neither is given.
fn statuses(query: &Query) -> Result<Option<Vec<Status>>, Error> {
    let running =
        if query.text("running") == Some("any") { None } else { query.switch("running")? };
    let named = query.text("status").map(|list| list.split(',').map(str::parse).collect());
    let named: Option<Vec<Status>> = named
        .transpose()
        .map_err(|error: domain::job::UnknownStatus| Error::invalid("status", error))?;
    if running.is_none() && named.is_none() {
        return Ok(None);
    }
    let selected = |status: &Status| {
        running.is_none_or(|running| status.is_running() == running)
            && named.as_ref().map_or(*status != Status::Deleted, |named| named.contains(status))
    };
    Ok(Some(Status::ALL.into_iter().filter(selected).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(queries: &[&str], expected: &Expect) {
        let read = |raw: &&str| match list_query(Some(raw), (10, 1000)) {
            Err(error) => format!("{error}\n"),
            Ok(ListQuery { filter: None, .. }) => "nothing\n".to_owned(),
            Ok(ListQuery { filter: Some(filter), is_by_submission, start, limit }) => {
                let statuses: Vec<_> = filter.statuses.iter().map(|one| one.as_str()).collect();
                let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
                format!(
                    "{start}+{limit} action {} worker {} parent {} from {} to {} status [{}]{}{}\n",
                    text(filter.action.map(|action| action.to_string())),
                    text(filter.worker.map(|worker| worker.to_string())),
                    text(filter.parent.map(|parent| parent.to_string())),
                    text(filter.since.map(|at| at.to_string())),
                    text(filter.until.map(|at| at.to_string())),
                    statuses.join(" "),
                    match (filter.soonest_first, is_by_submission) {
                        (true, _) => " soonest first",
                        (false, true) => " by submission",
                        (false, false) => "",
                    },
                    filter.fingerprint.map(|one| format!(" {one}")).unwrap_or_default(),
                )
            }
        };
        expected.assert_eq(&queries.iter().map(read).collect::<String>());
    }

    #[test]
    fn a_query_is_parsed_into_a_filter() {
        check(
            &[
                "",
                "action=any&worker=any&running=any",
                "action=&worker=&running=&start=&limit=",
                "action=gc&worker=0123456789ab&start=3&limit=1000",
                "running=t",
                "running=F",
                "status=done,error",
                "status=deleted",
                "status=done,running,done&running=true",
                "status=done&running=true",
                "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00%2B01:00",
                "parent=1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
                "sort=scheduledAt&limit=1",
                "sort=-scheduledAt",
                "sort=-createdAt&start=2",
                "fingerprint=00ff00ff00ff00ab",
                "fingerprint=00ff00ff00ff00ab&status=error,done",
                "fingerprint=00ff00ff00ff00ab&running=true",
            ],
            &expect![[r#"
                0+10 action - worker - parent - from - to - status []
                0+10 action - worker - parent - from - to - status []
                0+10 action - worker - parent - from - to - status []
                3+1000 action gc worker 0123456789ab parent - from - to - status []
                0+10 action - worker - parent - from - to - status [running cancel_request]
                0+10 action - worker - parent - from - to - status [waiting done error cancel worker_dead worker_shutdown worker_resurrection]
                0+10 action - worker - parent - from - to - status [done error]
                0+10 action - worker - parent - from - to - status [deleted]
                0+10 action - worker - parent - from - to - status [running]
                nothing
                0+10 action - worker - parent - from 2026-01-01T00:00:00Z to 2026-01-01T23:00:00Z status []
                0+10 action - worker - parent 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b from - to - status []
                0+1 action - worker - parent - from - to - status [] soonest first
                0+10 action - worker - parent - from - to - status []
                2+10 action - worker - parent - from - to - status [] by submission
                0+10 action - worker - parent - from - to - status [error worker_dead] 00ff00ff00ff00ab
                0+10 action - worker - parent - from - to - status [error] 00ff00ff00ff00ab
                nothing
            "#]],
        );
    }

    #[test]
    fn only_waiting_and_running_jobs_are_cancelled_and_all_only_explicitly() {
        let queries = [
            "",
            "action=any&worker=&running=any",
            "all=false",
            "all=maybe",
            "all=true",
            "all=t&action=gc",
            "action=gc",
            "running=true",
            "running=false",
            "status=waiting,done",
            "status=done",
            "since=2026-01-01T00:00:00Z",
            "limit=5",
        ];
        let read = |raw: &str| match cancel_filter(Some(raw)) {
            Err(error) => format!("{error}\n"),
            Ok(None) => "nothing\n".to_owned(),
            Ok(Some(filter)) => {
                let statuses: Vec<_> = filter.statuses.iter().map(|one| one.as_str()).collect();
                format!("{} of {:?}\n", statuses.join(" "), filter.action.map(String::from))
            }
        };
        expect![[r#"
            all: set all=true to cancel every job, or give a filter
            all: set all=true to cancel every job, or give a filter
            all: set all=true to cancel every job, or give a filter
            all: "maybe" is not a boolean: use true or false
            waiting running of None
            waiting running of Some("gc")
            waiting running of Some("gc")
            running of None
            waiting of None
            waiting of None
            nothing
            waiting running of None
            limit: unknown query parameter; expected one of: action, worker, running, status, since, until, all
        "#]].assert_eq(&queries.map(read).concat());
    }

    #[test]
    fn an_invalid_parameter_is_named() {
        check(
            &[
                "limit=1001",
                "start=4294967296",
                "running=maybe",
                "status=done,",
                "status=finished",
                "since=yesterday",
                "action=a%20b",
                "worker=me",
                "parent=1",
                "sort=action",
                "sort=-createdAt&status=done",
                "fingerprint=gc",
                "limits=1",
            ],
            &expect![[r#"
                limit: "1001" is not a whole number from 0 to 1000
                start: "4294967296" is not a whole number from 0 to 2147483647
                running: "maybe" is not a boolean: use true or false
                status: "" is not a valid status; the statuses are waiting, running, cancel_request, done, error, cancel, worker_dead, worker_shutdown, worker_resurrection, deleted
                status: "finished" is not a valid status; the statuses are waiting, running, cancel_request, done, error, cancel, worker_dead, worker_shutdown, worker_resurrection, deleted
                since: "yesterday" is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z
                action: "a b" is not a valid action name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -
                worker: "me" is not a valid worker id: it must be 12 hexadecimal digits
                parent: "1" is not a valid job id: it must be a UUID
                sort: it must be scheduledAt, -scheduledAt or -createdAt
                sort: -createdAt lists all jobs; with a filter, use scheduledAt or -scheduledAt
                fingerprint: it is not a valid fingerprint: it must be 16 hexadecimal digits
                limits: unknown query parameter; did you mean limit? expected one of: action, worker, running, start, limit, status, since, until, parent, sort, fingerprint
            "#]],
        );
    }
}
