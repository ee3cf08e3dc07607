//! Filters and counts of operations as people read them.

use store::JobFilter;

use crate::bulk::Counts;
use crate::web::format::number;
use crate::web::jobs::written;

/// Returns a filter as a search.
pub(super) fn search_of(filter: &JobFilter) -> String {
    let statuses: Vec<&str> = filter.statuses.iter().map(|one| one.as_str()).collect();
    let given = [
        ("status", Some(statuses.join(",")).filter(|text| !text.is_empty())),
        ("action", filter.action.as_ref().map(ToString::to_string)),
        ("worker", filter.worker.as_ref().map(ToString::to_string)),
        ("parent", filter.parent.map(|id| id.to_string())),
        ("cron", filter.cron.as_ref().map(ToString::to_string)),
        ("by", filter.scheduled_by.clone()),
        ("key", filter.fairness_key.clone()),
        ("fingerprint", filter.fingerprint.map(|one| one.to_string())),
        ("since", filter.since.map(|at| at.to_string())),
        ("until", filter.until.map(|at| at.to_string())),
    ];
    let given = given.into_iter().filter_map(|(key, value)| Some(written(key, &value?)));
    let labels = filter.labels.iter().map(|label| written("label", &label.to_string()));
    given.chain(labels).collect::<Vec<_>>().join(" ")
}

/// Returns the numbers of the jobs that are not changed, with the reasons in words.
pub(super) fn reasons(refused: &Counts) -> Vec<(String, String)> {
    let words = |reason: &str| match reason {
        "finished" => "have finished".to_owned(),
        "alreadyStopping" => "are being stopped".to_owned(),
        "notFinished" => "have not finished".to_owned(),
        "alreadyRetried" => "were already retried".to_owned(),
        "uniqueKeyTaken" => "have a unique key that an unfinished job has".to_owned(),
        "deleted" => "are deleted".to_owned(),
        "notAuthorized" => "may be changed only by admins".to_owned(),
        "quotaExceeded" => "would exceed a quota".to_owned(),
        "tooManyQueues" => "would need too many queues".to_owned(),
        "unreadable" => "cannot be read".to_owned(),
        other => other.to_owned(),
    };
    refused.iter().map(|(reason, count)| (number(*count), words(reason))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::search::Search;

    #[test]
    fn a_filter_is_shown_as_a_search_that_can_be_read() {
        let filter = JobFilter {
            action: Some("scan".parse().unwrap()),
            labels: vec!["team:a b".parse().unwrap()],
            scheduled_by: Some("subscription ops".to_owned()),
            ..JobFilter::default()
        };
        let text = search_of(&filter);
        assert_eq!(text, "action:scan by:\"subscription ops\" label:\"team:a b\"");
        assert_eq!(text.parse::<Search>().unwrap().to_string(), text);
    }
}
