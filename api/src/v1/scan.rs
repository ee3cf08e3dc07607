//! Lists that no index contains: the jobs of the smallest suitable index are examined, newest
//! first, in small steps and for a limited time, and the matching ones are sorted.

use std::time::Duration;

use domain::job::{ActionName, JobId, Timestamp};
use store::{JobIndex, JobRow, JobRows, RowFields, Store, StoreError};
use tokio::time::Instant;

use super::filter::{Column, Condition, JobQuery, Number, Text, Time};
use super::job::change_score;
use super::state::State;
use crate::app::App;
use crate::error::Error;

/// Up to this many jobs of an index are sorted by id; larger results keep the order of the index.
pub(super) const SORTED_JOBS: u64 = 2000;
/// How long a scan may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// A scan ends when it has found this many jobs.
const MAX_FOUND: usize = 100_000;

/// The result of a scan.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The ids of the jobs of the page.
    pub(super) ids: Vec<JobId>,
    /// The number of jobs that match.
    pub(super) total: u64,
    /// True if the scan ended before it had examined all jobs.
    pub(super) is_truncated: bool,
}

/// The value of the column by which jobs are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Number(i64),
    Text(String),
}

/// A job that matches, in the order of sorting: first whether the column is empty, then its value,
/// then the number of the job.
type Match = (bool, Option<SortKey>, u64, JobId);

/// Scans and sorts jobs, and reads those of the page. Only a few long scans run at the same time.
pub(super) async fn scan(app: &App, query: &JobQuery) -> Result<Found, Error> {
    let store = &app.store;
    let Some(conditions) = resolve(store, &query.conditions).await? else {
        return Ok(Found::default());
    };
    let Some(mut rows) = smallest_index(store, query).await? else { return Ok(Found::default()) };
    let _permit = match rows.total() > SORTED_JOBS {
        true => Some(app.scans.acquire().await.map_err(|_| Error::Internal)?),
        false => None,
    };
    let deadline = Instant::now() + TIME_LIMIT;
    let mut found: Vec<Match> = Vec::new();
    let mut is_truncated = false;
    while let Some(batch) = rows.next().await? {
        for row in batch.iter().filter(|row| conditions.iter().all(|one| one.is_met(row))) {
            let key = sort_key(row, query.sort);
            found.push((key.is_none(), key, row.number, row.id));
        }
        if found.len() >= MAX_FOUND || Instant::now() > deadline {
            is_truncated = true;
            break;
        }
    }
    if query.sort == Column::Number(Number::NextJobId) {
        look_up_next_numbers(store, &mut found).await?;
    }
    found.sort_unstable();
    if query.descending {
        found.reverse();
    }
    let total = found.len() as u64;
    let start = (query.page - 1).saturating_mul(query.per_page);
    let page = found.into_iter().skip(usize::try_from(start).unwrap_or(usize::MAX));
    let ids: Vec<JobId> = page.take(query.per_page as usize).map(|(.., id)| id).collect();
    Ok(Found { ids, total, is_truncated })
}

/// A condition that can be evaluated without the store.
enum ResolvedCondition<'a> {
    Column(&'a Condition),
    NextJob(JobId),
}

/// Looks up the jobs that conditions reference by number; `None` if one does not exist, so that no
/// job can match.
async fn resolve<'a>(
    store: &Store,
    conditions: &'a [Condition],
) -> Result<Option<Vec<ResolvedCondition<'a>>>, StoreError> {
    let mut resolved = Vec::new();
    for condition in conditions {
        let Condition::Number(Number::NextJobId, number) = condition else {
            resolved.push(ResolvedCondition::Column(condition));
            continue;
        };
        let Ok(number) = u64::try_from(*number) else { return Ok(None) };
        let Some(job) = store.job_numbered(number).await? else { return Ok(None) };
        resolved.push(ResolvedCondition::NextJob(job.id));
    }
    Ok(Some(resolved))
}

/// Returns the jobs of the index with the fewest jobs to examine; `None` if no job can match.
async fn smallest_index(store: &Store, query: &JobQuery) -> Result<Option<JobRows>, StoreError> {
    let columns = query.conditions.iter().map(Condition::column).chain([query.sort]);
    let mut needs = RowFields::default();
    for column in columns {
        needs.spec |= matches!(column, Column::Text(column) if column != Text::FunctionName);
        needs.result |= column == Column::Number(Number::ChangeScore);
    }
    let mut smallest = store.job_rows(&JobIndex::Number, None, needs).await?;
    for condition in &query.conditions {
        let (index, only) = match condition {
            Condition::State(state) => (JobIndex::Statuses(state.statuses()), None),
            Condition::Is(Text::FunctionName, name) => match name.parse::<ActionName>() {
                Ok(action) => (JobIndex::Action(action), None),
                Err(_) => return Ok(None),
            },
            Condition::Number(Number::Id, id) => match i64::try_from(*id) {
                Ok(id) => (JobIndex::Number, Some(id)),
                Err(_) => return Ok(None),
            },
            Condition::Time(Time::Scheduled, Some(at)) => (JobIndex::Due, Some(at.ms())),
            Condition::Time(_, None) => return Ok(None),
            Condition::Number(..)
            | Condition::Time(_, Some(_))
            | Condition::Is(..)
            | Condition::Contains(..) => continue,
        };
        let rows = store.job_rows(&index, only, needs).await?;
        if rows.total() < smallest.total() {
            smallest = rows;
        }
    }
    Ok(Some(smallest))
}

impl ResolvedCondition<'_> {
    fn is_met(&self, row: &JobRow) -> bool {
        let condition = match self {
            ResolvedCondition::NextJob(id) => return row.next == Some(*id),
            ResolvedCondition::Column(condition) => condition,
        };
        match condition {
            Condition::State(state) => State::of(row.status) == *state,
            Condition::Number(Number::Id, id) => i128::from(row.number) == *id,
            Condition::Number(Number::ChangeScore, value) => {
                score(row).is_some_and(|score| i128::from(score) == *value)
            }
            // `resolve` has replaced it by `NextJob`.
            Condition::Number(Number::NextJobId, _) => false,
            Condition::Time(column, at) => at.is_some() && time(row, *column) == *at,
            Condition::Is(column, value) => text(row, *column) == Some(value),
            Condition::Contains(column, pattern) => {
                text(row, *column).is_some_and(|text| pattern.matches(text))
            }
        }
    }
}

impl Condition {
    fn column(&self) -> Column {
        match self {
            Condition::State(_) => Column::Status,
            Condition::Number(column, _) => Column::Number(*column),
            Condition::Time(column, _) => Column::Time(*column),
            Condition::Is(column, _) | Condition::Contains(column, _) => Column::Text(*column),
        }
    }
}

fn score(row: &JobRow) -> Option<i64> {
    row.result.as_ref().and_then(change_score)
}

fn time(row: &JobRow, column: Time) -> Option<Timestamp> {
    match column {
        Time::Scheduled => Some(row.scheduled_at),
        Time::Start => row.started_at,
        Time::Finish => row.finished_at,
    }
}

fn text(row: &JobRow, column: Text) -> Option<&str> {
    let spec = row.spec.as_ref();
    match column {
        Text::FunctionName => Some(&row.action),
        Text::ScheduledBy => spec?.scheduled_by.as_deref(),
        Text::Comment => spec?.comment.as_deref(),
        Text::TicketRef => spec?.ticket_ref.as_deref(),
    }
}

fn sort_key(row: &JobRow, column: Column) -> Option<SortKey> {
    match column {
        Column::Status => Some(SortKey::Number(State::of(row.status) as i64)),
        Column::Number(Number::Id) => Some(SortKey::Number(0)),
        Column::Number(Number::ChangeScore) => score(row).map(SortKey::Number),
        // The number is looked up when all matches are known.
        Column::Number(Number::NextJobId) => row.next.map(|_| SortKey::Number(0)),
        Column::Time(column) => time(row, column).map(|at| SortKey::Number(at.ms())),
        Column::Text(column) => text(row, column).map(|text| SortKey::Text(text.to_owned())),
    }
}

async fn look_up_next_numbers(store: &Store, found: &mut [Match]) -> Result<(), StoreError> {
    let with_next = found.iter().filter(|(is_empty, ..)| !is_empty);
    let with_next: Vec<JobId> = with_next.map(|(.., id)| *id).collect();
    let numbers = store.next_numbers(&with_next).await?;
    for (is_empty, key, _, id) in found {
        *key = numbers.get(id).map(|number| SortKey::Number(*number as i64));
        *is_empty = key.is_none();
    }
    Ok(())
}
