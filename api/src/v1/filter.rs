//! The query of GET /jobs, parsed as the reference does. The grammar is lenient: unknown parameters
//! are ignored, and of a repeated parameter the first counts. Pure.

use std::collections::HashSet;

use domain::job::Timestamp;

use super::pattern::Pattern;
use super::state::State;

const DEFAULT_PER_PAGE: i128 = 50;
const MAX_PER_PAGE: i128 = 1000;

/// A column by which jobs can be filtered and sorted. The other columns contain JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Status,
    Number(Number),
    Time(Time),
    Text(Text),
}

/// A column of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Id,
    NextJobId,
    ChangeScore,
}

/// A column of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Scheduled,
    Start,
    Finish,
}

/// A column of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    FunctionName,
    ScheduledBy,
    Comment,
    TicketRef,
}

impl Column {
    fn named(name: &str) -> Option<Column> {
        Some(match name {
            "status" => Column::Status,
            "id" => Column::Number(Number::Id),
            "next_job_id" => Column::Number(Number::NextJobId),
            "change_score" => Column::Number(Number::ChangeScore),
            "scheduled_time" => Column::Time(Time::Scheduled),
            "start_time" => Column::Time(Time::Start),
            "finish_time" => Column::Time(Time::Finish),
            "function_name" => Column::Text(Text::FunctionName),
            "scheduled_by" => Column::Text(Text::ScheduledBy),
            "comment" => Column::Text(Text::Comment),
            "ticket_ref" => Column::Text(Text::TicketRef),
            _ => return None,
        })
    }
}

/// A condition that a job must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Its state is this one.
    State(State),
    /// The column has this number.
    Number(Number, i128),
    /// The column has this time. `None` is a time that no job can have.
    Time(Time, Option<Timestamp>),
    /// The column has this text.
    Is(Text, String),
    /// The column contains this text.
    Contains(Text, Pattern),
}

/// The selection, order, page and format of the jobs in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobQuery {
    /// The conditions, which a job must all meet.
    pub(super) conditions: Vec<Condition>,
    /// The column by which jobs are sorted.
    pub(super) sort: Column,
    /// Whether the largest values come first.
    pub(super) descending: bool,
    /// The number of the page, from 1.
    pub(super) page: u64,
    /// The number of jobs in a page.
    pub(super) per_page: u64,
    /// The indexes of the `job_tasks` of each device that are omitted.
    pub(super) omitted_tasks: Vec<usize>,
    /// The parameters of the query, each once.
    pub(super) parameters: Vec<(String, String)>,
}

/// Parses a query. An error is the reference's text after `Unable to filter jobs: `.
pub(super) fn parse_query(raw: Option<&str>) -> Result<JobQuery, String> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut known = HashSet::new();
    for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
        if known.insert(name.clone()) {
            parameters.push((name.into_owned(), value.into_owned()));
        }
    }
    let given = |name: &str| {
        let found = parameters.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    };
    let filters = parameters.iter().filter_map(|(key, value)| Some((filter_key(key)?, value)));
    let conditions = filters.map(|((name, operator), value)| condition(name, operator, value));
    let conditions = conditions.collect::<Result<_, _>>()?;
    let sort = given("sort").unwrap_or_default().to_lowercase();
    let per_page = given("per_page").map_or(Some(DEFAULT_PER_PAGE), whole_number);
    let per_page = per_page.filter(|count| (1..=MAX_PER_PAGE).contains(count));
    let per_page = per_page.ok_or("per_page argument must be integer between 1-1000")?;
    let column = Column::named(sort.trim_start_matches('-'));
    let page = given("page").and_then(whole_number).unwrap_or(1);
    Ok(JobQuery {
        conditions,
        descending: column.is_some() && sort.starts_with('-'),
        sort: column.unwrap_or(Column::Number(Number::Id)),
        page: u64::try_from(page.max(1)).unwrap_or(u64::MAX),
        per_page: per_page as u64,
        omitted_tasks: omitted_tasks(given("filter_jobresult").unwrap_or_default()),
        parameters,
    })
}

/// Parses the parameter `filter_jobresult` of the query of one job.
pub(super) fn omitted_tasks_of(raw: Option<&str>) -> Vec<usize> {
    let mut given = form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
    let found = given.find(|(name, _)| name == "filter_jobresult");
    omitted_tasks(&found.map(|(_, value)| value).unwrap_or_default())
}

/// Parses `filter[name]` and `filter[name][operator]` into the name and the operator. Anything else
/// is not a filter.
fn filter_key(key: &str) -> Option<(&str, &str)> {
    let inner = key.strip_prefix("filter[")?.strip_suffix(']')?;
    let (name, operator) = inner.split_once("][").unwrap_or((inner, "equals"));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let is_name = !name.is_empty() && name.chars().all(plain);
    let is_operator = !operator.is_empty() && operator.chars().all(|c| c.is_ascii_lowercase());
    (is_name && is_operator).then_some((name, operator))
}

/// Returns the condition of a filter. Every operator except `contains` means equality.
fn condition(name: &str, operator: &str, value: &str) -> Result<Condition, String> {
    let short = |text: &str| text.chars().take(64).collect::<String>();
    let name = name.replace('.', "_");
    let column = Column::named(&name)
        .ok_or_else(|| format!("{} is not a valid attribute to filter on", short(&name)))?;
    let contains = operator == "contains";
    let refuse = |kind: &str| match contains {
        true => Err(format!("Cannot use 'contains' operator for {kind} types")),
        false => Ok(()),
    };
    let invalid = || format!("{} is not a valid value for {name}", short(value));
    match column {
        Column::Status => {
            let upper = value.to_uppercase();
            let invalid = || format!("{} is not a valid value for status", short(&upper));
            let state = State::named(value).ok_or_else(invalid)?;
            refuse("enum")?;
            Ok(Condition::State(state))
        }
        Column::Number(column) => {
            refuse("integer")?;
            Ok(Condition::Number(column, whole_number(value).ok_or_else(invalid)?))
        }
        Column::Time(column) => {
            refuse("datetime")?;
            Ok(Condition::Time(column, time(value).ok_or_else(invalid)?))
        }
        Column::Text(column) => Ok(match contains {
            true => Condition::Contains(column, Pattern::new(value)),
            false => Condition::Is(column, value.to_owned()),
        }),
    }
}

/// Parses a whole number as Python's `int` does. A number out of range becomes the nearest one in
/// range.
fn whole_number(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_valid = digits
        .split('_')
        .all(|group| !group.is_empty() && group.chars().all(|digit| digit.is_ascii_digit()));
    if !is_valid {
        return None;
    }
    let number = digits.replace('_', "").parse().unwrap_or(i128::MAX);
    Some(if text.starts_with('-') { -number } else { number })
}

/// Parses a time in UTC with a precision of microseconds. Returns `Some(None)` for a time that is
/// not a whole number of milliseconds, because no job can have it.
fn time(text: &str) -> Option<Option<Timestamp>> {
    let text = text.trim();
    let text =
        if text.len() == 10 { format!("{text}T00:00:00") } else { text.replacen(' ', "T", 1) };
    let zoned = text.parse::<Timestamp>().or_else(|_| format!("{text}Z").parse());
    let at = zoned.ok()?;
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let mut digits = fraction.chars().take_while(char::is_ascii_digit).skip(3);
    Some(digits.all(|digit| digit == '0').then_some(at))
}

/// Returns the indexes of the `job_tasks` to omit, in descending order. As in the reference, a
/// repeated word omits two tasks.
fn omitted_tasks(list: &str) -> Vec<usize> {
    let indexes = list.split(',').filter_map(|word| match word {
        "config" => Some(1),
        "diff" => Some(2),
        _ => None,
    });
    let mut indexes: Vec<usize> = indexes.collect();
    indexes.sort_by(|a, b| b.cmp(a));
    indexes
}

#[cfg(test)]
mod tests;
