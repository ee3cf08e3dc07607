//! The filter of a bulk operation in JSON: the parameters of `GET /jobs`, by the same names.

use domain::job::Status;
use serde::{Deserialize, Serialize};
use store::JobFilter;
use utoipa::ToSchema;

use crate::error::Error;
use crate::query::Query;
use crate::v0::wire::schemas;

/// The jobs of a bulk operation. All conditions must hold.
///
/// Without `status` and `running`, an operation considers only jobs that it can change: `cancel`
/// those that are waiting or running, `retry` finished jobs except those that are `done`, `delete`
/// all jobs.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::v0) struct BulkFilter {
    /// Only jobs of this action. `any` selects all actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9_.-]{0,64}$")]
    action: Option<String>,
    /// Only jobs claimed by this worker. `any` selects all workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^(any|[0-9a-f]{12})?$")]
    worker: Option<String>,
    /// `true` selects only running jobs, `false` only jobs that are not running.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<bool>,
    /// Only jobs in one of these statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schemas::Status>>)]
    status: Option<Vec<Status>>,
    /// Only jobs that are due at or after this time, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::OptionalTime>)]
    since: Option<String>,
    /// Only jobs that are due at or before this time, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::OptionalTime>)]
    until: Option<String>,
    /// Only children of this job, or of a job that it retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::OptionalJobId>)]
    parent: Option<String>,
    /// Only jobs with each of these labels, as `name:text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Vec<String>>,
    /// Only jobs that this cron created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9_.-]{0,64}$")]
    cron: Option<String>,
    /// Only jobs that the token with this name submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_by: Option<String>,
    /// Only jobs with this fairness key.
    #[serde(skip_serializing_if = "Option::is_none")]
    fairness_key: Option<String>,
    /// Only jobs that failed with this fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^([0-9a-f]{16})?$")]
    fingerprint: Option<String>,
    /// Must be `true` if no condition is given. Every job is then selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
}

impl BulkFilter {
    /// Returns the filter as the query of a list.
    pub(in crate::v0) fn query(&self) -> Result<Query, Error> {
        if self.status.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("filter.status", "it must name at least one status"));
        }
        let flag = |value: Option<bool>| value.map(|value| value.to_string());
        let statuses = self
            .status
            .as_ref()
            .map(|statuses| statuses.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(","));
        let given = [
            ("action", self.action.clone()),
            ("worker", self.worker.clone()),
            ("running", flag(self.running)),
            ("status", statuses),
            ("since", self.since.clone()),
            ("until", self.until.clone()),
            ("parent", self.parent.clone()),
            ("cron", self.cron.clone()),
            ("scheduledBy", self.scheduled_by.clone()),
            ("fairnessKey", self.fairness_key.clone()),
            ("fingerprint", self.fingerprint.clone()),
            ("all", flag(self.all)),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let labels = self.label.iter().flatten().map(|label| ("label", label.clone()));
        Ok(Query::of(given.chain(labels)))
    }

    /// Returns the conditions in one line, for the audit.
    pub(in crate::v0) fn summary(&self) -> String {
        serde_json::to_string(self).unwrap_or_default().chars().take(256).collect()
    }
}

impl From<JobFilter> for BulkFilter {
    fn from(filter: JobFilter) -> BulkFilter {
        let JobFilter { action, worker, parent, statuses, since, until, .. } = filter;
        let labels: Vec<String> = filter.labels.iter().map(ToString::to_string).collect();
        BulkFilter {
            action: action.map(String::from),
            worker: worker.map(String::from),
            running: None,
            status: Some(statuses).filter(|statuses| !statuses.is_empty()),
            since: since.map(|at| at.to_string()),
            until: until.map(|at| at.to_string()),
            parent: parent.map(|id| id.to_string()),
            label: Some(labels).filter(|labels| !labels.is_empty()),
            cron: filter.cron.map(String::from),
            scheduled_by: filter.scheduled_by,
            fairness_key: filter.fairness_key,
            fingerprint: filter.fingerprint.map(|one| one.to_string()),
            all: None,
        }
    }
}
