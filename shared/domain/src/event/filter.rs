//! Which events a subscription or a client of the event stream receives.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::entry::{Event, EventKind};
use crate::job::Status;
use crate::names::{ActionName, JobId};

/// Selects events. All conditions must hold; an empty one holds for every event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Kinds of events to include; empty includes all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<EventKind>,
    /// Include only events of jobs of this action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// Include only events of this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Include only events of jobs that have entered one of these statuses; empty includes all
    /// events.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub statuses: BTreeSet<Status>,
}

impl EventFilter {
    /// Returns true if the event satisfies every condition.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        let kind = event.kind();
        let field = |name: &str| event.fields.get(name).map(String::as_str);
        let status = || field("status").and_then(|word| word.parse().ok());
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.action.as_ref().is_none_or(|action| field("action") == Some(action.as_str()))
            && self.job.is_none_or(|id| field("job") == Some(id.to_string().as_str()))
            && (self.statuses.is_empty()
                || kind == EventKind::Job && status().is_some_and(|to| self.statuses.contains(&to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(fields: &[(&str, &str)]) -> Event {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Event { id: "1763740800123-7".parse().unwrap(), fields: fields.collect() }
    }

    #[test]
    fn a_filter_matches_only_events_that_satisfy_every_condition() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let job = event(&[("job", id), ("action", "gc"), ("worker", "w"), ("status", "running")]);
        let worker = event(&[("worker", "w"), ("status", "running")]);
        let cases = [
            (json!({}), true, true),
            (json!({"kinds": ["job"]}), true, false),
            (json!({"kinds": ["worker", "cron"]}), false, true),
            (json!({"action": "gc"}), true, false),
            (json!({"action": "other"}), false, false),
            (json!({"job": id}), true, false),
            (json!({"job": "a261713a-9514-43f9-a7e5-50e7a9fa1d48"}), false, false),
            // The status of a worker is not a job status.
            (json!({"statuses": ["running", "done"]}), true, false),
            (json!({"statuses": ["done"]}), false, false),
        ];
        for (filter, of_job, of_worker) in cases {
            let read: EventFilter = serde_json::from_value(filter.clone()).unwrap();
            assert_eq!(
                (read.matches(&job), read.matches(&worker)),
                (of_job, of_worker),
                "{filter}"
            );
        }
    }
}
