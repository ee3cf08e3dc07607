//! Properties that hold for every query and body of this surface.

use domain::fuzzing::{MAX_ERROR_BYTES, assert_json_round_trip};
use domain::job::Status;
use serde::de::DeserializeOwned;
use serde_json::json;
use store::{ActionDefaults, JobFilter};

use super::action_configs::action_config::ActionConfigCreate;
use super::crons::cron::CronCreate;
use super::jobs::change::JobUpdate;
use super::jobs::submission::{BatchSubmission, JobSubmission};
use super::locks::lock::SetLock;
use crate::auth::Caller;
use crate::error::Error;
use crate::job_filter::{cancel_filter, list_query as parse_list_query};
use crate::v0::wire::body::parse;
use crate::v0::wire::refusal::answer;

/// Returns a valid value. An error must be the client's and have a short message.
fn valid<T>(read: Result<T, Error>) -> Option<T> {
    let refused = |error: Error| {
        let (status, body) = answer(&error);
        assert!(status.is_client_error(), "{error}");
        assert!(json!(body).to_string().len() <= 3 * MAX_ERROR_BYTES, "{error}");
    };
    read.map_err(refused).ok()
}

/// Checks the query of a list and of a bulk cancellation.
pub fn list_query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(query) = valid(parse_list_query(Some(text), (10, 1000))) {
        assert!(query.limit <= 1000 && query.start <= i32::MAX as usize);
        if let Some(filter) = &query.filter {
            let query = to_query(filter, query.start, query.limit);
            let again =
                valid(parse_list_query(Some(&query), (10, 1000))).and_then(|again| again.filter);
            assert_eq!(again.as_ref(), Some(filter), "{query}");
        }
    }
    if let Some(Some(filter)) = valid(cancel_filter(Some(text))) {
        let live = [Status::Waiting, Status::Running];
        assert!(filter.statuses.iter().all(|status| live.contains(status)));
    }
}

/// Returns a query that selects the same jobs.
fn to_query(filter: &JobFilter, start: usize, limit: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("start", &start.to_string()).append_pair("limit", &limit.to_string());
    query.append_pair("sort", if filter.soonest_first { "scheduledAt" } else { "" });
    let mut add = |name: &str, value: Option<String>| {
        query.append_pair(name, &value.unwrap_or_default());
    };
    add("action", filter.action.as_ref().map(ToString::to_string));
    add("worker", filter.worker.as_ref().map(ToString::to_string));
    add("parent", filter.parent.map(|id| id.to_string()));
    add("since", filter.since.map(|at| at.to_string()));
    add("until", filter.until.map(|at| at.to_string()));
    add("cron", filter.cron.as_ref().map(ToString::to_string));
    add("scheduledBy", filter.scheduled_by.clone());
    add("fairnessKey", filter.fairness_key.clone());
    filter.labels.iter().for_each(|label| add("label", Some(label.to_string())));
    let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    add("status", Some(statuses.join(",")));
    query.finish()
}

/// Checks a body against every type of request.
pub fn submission(bytes: &[u8]) {
    let (caller, defaults) = (Caller::default(), ActionDefaults::default());
    let job = valid(read::<JobSubmission>(bytes).and_then(|job| job.draft(None, &caller)));
    let batch = read::<BatchSubmission>(bytes).and_then(|batch| batch.drafts(None, &caller));
    for draft in job.into_iter().chain(valid(batch).into_iter().flatten()) {
        if let Some(job) = valid(draft.fill(&defaults)) {
            assert_json_round_trip(&job.spec);
        }
    }
    if let Some(cron) = valid(read::<CronCreate>(bytes).and_then(CronCreate::validate)) {
        assert_json_round_trip(&cron.spec);
    }
    let config = read::<ActionConfigCreate>(bytes).and_then(ActionConfigCreate::validate);
    if let Some((_, defaults)) = valid(config) {
        assert_json_round_trip(&defaults);
    }
    valid(read::<SetLock>(bytes).and_then(SetLock::validate));
    valid(read::<JobUpdate>(bytes));
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    parse(bytes)
}
