//! What must hold for any query and body of this surface.

use serde::de::DeserializeOwned;
use serde_json::json;
use shared::fuzzing::{LONGEST_REFUSAL, same_as_json};
use shared::job::Status;
use shared::store::{ActionDefaults, Filter};

use super::action_config::ActionConfigCreate;
use super::body::parse;
use super::change::Change;
use super::cron::CronCreate;
use super::list;
use super::lock::SetLock;
use super::refusal::answer;
use super::submission::{BatchSubmission, JobSubmission};
use crate::auth::Caller;
use crate::error::Error;

/// What was refused, checked to be the client's fault and told in few words.
fn told<T>(read: Result<T, Error>) -> Option<T> {
    let refused = |error: Error| {
        let (status, body) = answer(&error);
        assert!(status.is_client_error(), "{error}");
        assert!(json!(body).to_string().len() <= 3 * LONGEST_REFUSAL, "{error}");
    };
    read.map_err(refused).ok()
}

/// The query of a list, and of a cancellation of many.
pub fn list_query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(wanted) = told(list::wanted(Some(text))) {
        assert!(wanted.limit <= 1000 && wanted.start <= i32::MAX as usize);
        if let Some(filter) = &wanted.filter {
            let query = written(filter, wanted.start, wanted.limit);
            let again = told(list::wanted(Some(&query))).and_then(|again| again.filter);
            assert_eq!(again.as_ref(), Some(filter), "{query}");
        }
    }
    if let Some(Some(filter)) = told(list::to_cancel(Some(text))) {
        let live = [Status::Waiting, Status::Running];
        assert!(filter.statuses.iter().all(|status| live.contains(status)));
    }
}

/// The query that asks for this.
fn written(filter: &Filter, start: usize, limit: usize) -> String {
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
    let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    add("status", Some(statuses.join(",")));
    query.finish()
}

/// A body, whatever it is sent to.
pub fn submission(bytes: &[u8]) {
    let (caller, defaults) = (Caller::default(), ActionDefaults::default());
    let job = told(read::<JobSubmission>(bytes).and_then(|job| job.draft(None, &caller)));
    let batch = read::<BatchSubmission>(bytes).and_then(|batch| batch.drafts(None, &caller));
    for draft in job.into_iter().chain(told(batch).into_iter().flatten()) {
        if let Some(job) = told(draft.fill(&defaults)) {
            same_as_json(&job.spec);
        }
    }
    if let Some(cron) = told(read::<CronCreate>(bytes).and_then(CronCreate::wanted)) {
        same_as_json(&cron.spec);
    }
    let config = read::<ActionConfigCreate>(bytes).and_then(ActionConfigCreate::checked);
    if let Some((_, defaults)) = told(config) {
        same_as_json(&defaults);
    }
    told(read::<SetLock>(bytes).and_then(SetLock::wanted));
    told(read::<Change>(bytes));
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    parse(bytes)
}
