//! `/failures`: what fails, grouped by fingerprint, and since when.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::Timestamp;
use store::FailureGroup;

use super::chart::bars;
use super::format::{Moment, count, number};
use super::layout::{Layout, Section, html};
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::failures::{RecentFailures, groups_since};
use crate::query::Query;

/// How many groups are shown.
const MOST_GROUPS: usize = 100;
/// How many bars a chart of a group has.
const BARS: usize = 24;
/// The periods: each with its name in the URL and in words.
const PERIODS: [(&str, &str); 4] = [
    ("1h", "last hour"),
    ("6h", "last 6 hours"),
    ("24h", "last 24 hours"),
    ("168h", "last 7 days"),
];

#[derive(Template)]
#[template(path = "failures.html")]
struct FailuresPage {
    layout: Layout,
    periods: [(&'static str, &'static str, bool); 4],
    /// The period in the commands for a terminal.
    since: &'static str,
    summary: String,
    groups: Vec<Shown>,
    more: usize,
    can_retry: bool,
}

/// A group as the page shows it.
struct Shown {
    fingerprint: String,
    action: String,
    kind: String,
    message: String,
    count: String,
    first: Moment,
    last: Moment,
    sample: String,
    bars: String,
    bars_words: String,
}

/// Shows the page.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &["since"])?;
    let recent = groups_since(&app.store, &query).await?;
    let chosen = query.text("since").unwrap_or("1h");
    let live = format!("/failures{}", raw.map(|raw| format!("?{raw}")).unwrap_or_default());
    let layout = Layout::new(&app, caller, Section::Failures, "Failures", live).await?;
    let failures = recent.groups.iter().map(|group| group.count).sum();
    let summary = match recent.groups.len() as u64 {
        0 => "No job failed.".to_owned(),
        groups => format!("{} in {}.", count(failures, "failure"), count(groups, "group")),
    };
    let page = FailuresPage {
        since: PERIODS.iter().map(|(name, _)| *name).find(|name| *name == chosen).unwrap_or("1h"),
        periods: PERIODS.map(|(name, words)| (name, words, name == chosen)),
        summary,
        groups: recent.groups.iter().take(MOST_GROUPS).map(|one| shown(one, &recent)).collect(),
        more: recent.groups.len().saturating_sub(MOST_GROUPS),
        can_retry: layout.may("/bulk"),
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

fn shown(group: &FailureGroup, recent: &RecentFailures) -> Shown {
    let parts = in_parts(&group.counts, recent.since, recent.now);
    let busiest = parts.iter().copied().max().unwrap_or_default();
    Shown {
        fingerprint: group.fingerprint.to_string(),
        action: group.kind.action.to_string(),
        kind: group.kind.exception.clone(),
        message: group.kind.message.clone(),
        count: number(group.count),
        first: Moment::new(group.first_seen, recent.now),
        last: Moment::new(group.last_seen, recent.now),
        sample: group.sample.to_string(),
        bars: bars(&parts),
        bars_words: format!("at most {} in a part of the period", number(busiest)),
    }
}

/// Adds up the counts of a period in parts of equal length; the oldest first. An interval that
/// began before the period belongs to the first part.
fn in_parts(counts: &BTreeMap<i64, u64>, since: Timestamp, now: Timestamp) -> [u64; BARS] {
    let mut parts = [0; BARS];
    let length = (now.ms() - since.ms()).max(1);
    for (at, count) in counts {
        let part = (at - since.ms()).max(0) * BARS as i64 / length;
        parts[(part as usize).min(BARS - 1)] += count;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_up_in_parts_of_the_period() {
        let at = Timestamp::from_ms;
        let counts = [(-100, 1), (0, 2), (99, 3), (2_300, 4), (2_400, 5)].into();
        let parts = in_parts(&counts, at(0), at(2_400));
        assert_eq!((parts[0], parts[1], parts[23]), (6, 0, 9));
        assert_eq!(in_parts(&counts, at(0), at(0)).iter().sum::<u64>(), 15);
    }
}
