//! The groups of failures of a period, which v0 and the web page show.

use domain::job::Timestamp;
use store::{FailureGroup, Store};

use crate::error::Error;
use crate::query::{Query, moment};

const DEFAULT_PERIOD_MS: i64 = 60 * 60_000;
/// The longest period: groups are kept as long.
const LONGEST_PERIOD_MS: i64 = 7 * 24 * 60 * 60_000;

/// The failures of a period.
#[derive(Debug)]
pub(crate) struct RecentFailures {
    /// The start of the period.
    pub(crate) since: Timestamp,
    /// The end of the period.
    pub(crate) now: Timestamp,
    /// The groups, the largest first.
    pub(crate) groups: Vec<FailureGroup>,
}

/// Reads the groups of failures since the parameter `since`.
pub(crate) async fn groups_since(store: &Store, query: &Query) -> Result<RecentFailures, Error> {
    let now = store.now().await?;
    let since = moment(query, "since", now)?;
    let since = since.unwrap_or(Timestamp::from_ms(now.ms() - DEFAULT_PERIOD_MS));
    if since.ms() < now.ms() - LONGEST_PERIOD_MS {
        return Err(Error::invalid("since", "failures are kept for 7 days"));
    }
    let groups = store.failure_groups(since, now).await?;
    Ok(RecentFailures { since, now, groups })
}
