//! The schedule of a cron: a crontab line, a short form such as `@daily`, or `@every`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::error::InvalidSchedule;
use super::time_zone::TimeZone;
use crate::time::{GoDuration, Timestamp};

/// When a cron fires. Keeps the text, so that clients read back what they wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    pub(super) rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// Fires when this number of seconds divides the time since the beginning of 1970.
    Every(i64),
    /// Fires at the times that a crontab line selects.
    Calendar(Box<Calendar>),
}

const MAX_CHARACTERS: usize = 255;
const SHORT_FORMS: [(&str, &str); 7] = [
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
];

impl Schedule {
    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first firing after a moment, or `None` if there is none until the end of the
    /// year 2100.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: TimeZone) -> Option<Timestamp> {
        let after = DateTime::from_timestamp(after.ms().div_euclid(1000), 0)?;
        let next = match &self.rule {
            Rule::Every(seconds) => {
                let next = (after.timestamp().div_euclid(*seconds) + 1) * seconds;
                DateTime::from_timestamp(next, 0)
            }
            Rule::Calendar(line) if line.has_fixed_times() => line.next_fixed(after, zone),
            Rule::Calendar(line) => line.next_interval(after, zone),
        };
        // A timestamp cannot represent years after 9999.
        let next_ms = next?.timestamp_millis();
        Some(Timestamp::from_ms(next_ms)).filter(|next| next.ms() == next_ms)
    }
}

fn parse(text: &str) -> Result<Rule, InvalidSchedule> {
    if text.chars().count() > MAX_CHARACTERS {
        let reason = format!("it is longer than {MAX_CHARACTERS} characters");
        return Err(InvalidSchedule::in_line(reason));
    }
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(InvalidSchedule::in_line("it contains a control character"));
    }
    let lower = text.trim().to_ascii_lowercase();
    if let Some(interval) = lower.strip_prefix("@every") {
        return parse_interval(interval.trim()).map(Rule::Every);
    }
    let excerpt: String = text.chars().take(60).collect();
    let line = match SHORT_FORMS.iter().find(|(name, _)| *name == lower) {
        Some((_, line)) => line,
        None if lower.starts_with('@') => {
            let names = SHORT_FORMS.map(|(name, _)| name).join(", ");
            let reason = format!("{excerpt:?} is not one of {names} and @every 90s");
            return Err(InvalidSchedule::in_line(reason));
        }
        None => text,
    };
    let calendar = Calendar::parse(&split(line, &excerpt)?)?;
    // The years 1970 to 2100 contain every arrangement of days.
    if calendar.next_local(NaiveDateTime::default()).is_none() {
        let reason = format!("{excerpt:?} never fires: no month has such a day");
        return Err(InvalidSchedule::in_line(reason));
    }
    Ok(Rule::Calendar(Box::new(calendar)))
}

/// Splits a line into six fields. A line of five fields fires at second 0.
fn split<'a>(line: &'a str, excerpt: &str) -> Result<Vec<&'a str>, InvalidSchedule> {
    let mut fields: Vec<&str> = line.split_whitespace().collect();
    match fields.len() {
        6 => Ok(fields),
        5 => {
            fields.insert(0, "0");
            Ok(fields)
        }
        7 => Err(InvalidSchedule::in_line("it has seven fields; years are not supported")),
        count => Err(InvalidSchedule::in_line(format!(
            "{excerpt:?} has {count} fields and must have six (seconds, minutes, hours, day of month, \
             month, day of week) or five (without seconds)"
        ))),
    }
}

fn parse_interval(text: &str) -> Result<i64, InvalidSchedule> {
    let error = InvalidSchedule::in_interval;
    let duration: GoDuration =
        text.parse().map_err(|_| error(format!("@every {text:?} is not a valid duration")))?;
    match duration.duration() {
        Some(duration) if duration.subsec_nanos() == 0 => Ok(duration.as_secs() as i64),
        Some(_) => Err(error(format!("@every {text:?} is not a whole number of seconds"))),
        None => Err(error("@every must be followed by a duration".to_owned())),
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Schedule, InvalidSchedule> {
        Ok(Schedule { rule: parse(text)?, text: text.to_owned() })
    }
}

impl TryFrom<String> for Schedule {
    type Error = InvalidSchedule;

    fn try_from(text: String) -> Result<Schedule, InvalidSchedule> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.text
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests;
