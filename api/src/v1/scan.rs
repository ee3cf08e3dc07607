//! Lists that no index serves: the jobs of the narrowest index are looked at, newest first, in
//! small steps and for a bounded time, and what matches is put in order.

use std::time::Duration;

use domain::job::{ActionName, Job, JobId, Timestamp};
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

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The page.
    pub(super) jobs: Vec<Job>,
    /// How many match.
    pub(super) total: u64,
    /// It ended before it had looked at all jobs.
    pub(super) cut: bool,
}

/// The values of a column, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Number(i64),
    Text(String),
}

/// A job that matches: none of the column comes last, and of the same the number decides.
type Match = (bool, Option<SortKey>, u64, JobId);

/// Walks, sorts, and reads the page. Of long walks some go on at once, others wait.
pub(super) async fn scan(app: &App, wanted: &JobQuery) -> Result<Found, Error> {
    let store = &app.store;
    let Some(conditions) = resolved(store, &wanted.conditions).await? else {
        return Ok(Found::default());
    };
    let Some(mut rows) = narrowest(store, wanted).await? else { return Ok(Found::default()) };
    let _permit = match rows.total() > SORTED_JOBS {
        true => Some(app.scans.acquire().await.map_err(|_| Error::Internal)?),
        false => None,
    };
    let until = Instant::now() + TIME_LIMIT;
    let mut found: Vec<Match> = Vec::new();
    let mut cut = false;
    while let Some(some) = rows.next().await? {
        for row in some.iter().filter(|row| conditions.iter().all(|one| one.holds(row))) {
            let key = key(row, wanted.sort);
            found.push((key.is_none(), key, row.number, row.id));
        }
        if found.len() >= MAX_FOUND || Instant::now() > until {
            cut = true;
            break;
        }
    }
    if wanted.sort == Column::Number(Number::NextJobId) {
        number_what_is_next(store, &mut found).await?;
    }
    found.sort_unstable();
    if wanted.descending {
        found.reverse();
    }
    let total = found.len() as u64;
    let start = (wanted.page - 1).saturating_mul(wanted.per_page);
    let page = found.into_iter().skip(usize::try_from(start).unwrap_or(usize::MAX));
    let ids: Vec<JobId> = page.take(wanted.per_page as usize).map(|(.., id)| id).collect();
    Ok(Found { jobs: store.jobs_by_id(&ids).await?, total, cut })
}

/// A condition, or the job that another must go on with.
enum Test<'a> {
    Of(&'a Condition),
    Next(JobId),
}

/// Looks up the jobs that conditions name by number; `None` when there is no such, and none can
/// match.
async fn resolved<'a>(
    store: &Store,
    conditions: &'a [Condition],
) -> Result<Option<Vec<Test<'a>>>, StoreError> {
    let mut tests = Vec::new();
    for condition in conditions {
        let Condition::Number(Number::NextJobId, number) = condition else {
            tests.push(Test::Of(condition));
            continue;
        };
        let Ok(number) = u64::try_from(*number) else { return Ok(None) };
        let Some(job) = store.job_numbered(number).await? else { return Ok(None) };
        tests.push(Test::Next(job.id));
    }
    Ok(Some(tests))
}

/// A walk over the index that leaves the fewest jobs to look at; `None` when no job can match.
async fn narrowest(store: &Store, wanted: &JobQuery) -> Result<Option<JobRows>, StoreError> {
    let columns = wanted.conditions.iter().map(Condition::column).chain([wanted.sort]);
    let mut needs = RowFields::default();
    for column in columns {
        needs.spec |= matches!(column, Column::Text(column) if column != Text::FunctionName);
        needs.result |= column == Column::Number(Number::ChangeScore);
    }
    let mut narrowest = store.job_rows(&JobIndex::Number, None, needs).await?;
    for condition in &wanted.conditions {
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
        if rows.total() < narrowest.total() {
            narrowest = rows;
        }
    }
    Ok(Some(narrowest))
}

impl Test<'_> {
    fn holds(&self, row: &JobRow) -> bool {
        let condition = match self {
            Test::Next(id) => return row.next == Some(*id),
            Test::Of(condition) => condition,
        };
        match condition {
            Condition::State(state) => State::of(row.status) == *state,
            Condition::Number(Number::Id, wanted) => i128::from(row.number) == *wanted,
            Condition::Number(Number::ChangeScore, wanted) => {
                score(row).is_some_and(|score| i128::from(score) == *wanted)
            }
            // It is looked up before.
            Condition::Number(Number::NextJobId, _) => false,
            Condition::Time(column, wanted) => wanted.is_some() && time(row, *column) == *wanted,
            Condition::Is(column, wanted) => text(row, *column) == Some(wanted),
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

fn key(row: &JobRow, column: Column) -> Option<SortKey> {
    match column {
        Column::Status => Some(SortKey::Number(State::of(row.status) as i64)),
        Column::Number(Number::Id) => Some(SortKey::Number(0)),
        Column::Number(Number::ChangeScore) => score(row).map(SortKey::Number),
        // Its number is looked up when all is found.
        Column::Number(Number::NextJobId) => row.next.map(|_| SortKey::Number(0)),
        Column::Time(column) => time(row, column).map(|at| SortKey::Number(at.ms())),
        Column::Text(column) => text(row, column).map(|text| SortKey::Text(text.to_owned())),
    }
}

async fn number_what_is_next(store: &Store, found: &mut [Match]) -> Result<(), StoreError> {
    let linked: Vec<JobId> = found.iter().filter(|(none, ..)| !none).map(|(.., id)| *id).collect();
    let numbers = store.next_numbers(&linked).await?;
    for (none, key, _, id) in found {
        *key = numbers.get(id).map(|number| SortKey::Number(*number as i64));
        *none = key.is_none();
    }
    Ok(())
}
