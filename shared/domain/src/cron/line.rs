//! The line: read, refused with what is wrong, and walked from one firing to the next.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::Kind;
use super::calendar::Calendar;
use super::zone::TimeZone;
use crate::time::{GoDuration, Timestamp};

/// When a cron fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    pub(super) when: When,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    /// So many seconds apart, counted from the beginning of 1970.
    Every(i64),
    /// By the calendar.
    Calendar(Box<Calendar>),
}

/// A line is wrong: where, what, and how it could be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct InvalidSchedule {
    field: Option<Kind>,
    why: String,
}

impl InvalidSchedule {
    pub(super) fn new(field: Option<Kind>, why: String) -> InvalidSchedule {
        InvalidSchedule { field, why }
    }

    pub(super) fn line(why: impl fmt::Display) -> InvalidSchedule {
        InvalidSchedule::new(
            None,
            format!("{why}; write it like 0 30 3 * * * (03:30:00 on every day)"),
        )
    }

    /// The field that is wrong; `None` when it is the whole line.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.field.map(Kind::name)
    }
}

/// No line is longer.
const MOST_CHARACTERS: usize = 255;
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
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first firing after a moment; `None` when there is none until the end of the year 2100.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: TimeZone) -> Option<Timestamp> {
        let after = DateTime::from_timestamp(after.ms().div_euclid(1000), 0)?;
        let next = match &self.when {
            When::Every(seconds) => {
                let next = (after.timestamp().div_euclid(*seconds) + 1) * seconds;
                DateTime::from_timestamp(next, 0)
            }
            When::Calendar(calendar) if calendar.is_fixed() => calendar.next_fixed(after, zone),
            When::Calendar(calendar) => calendar.next_repeated(after, zone),
        };
        // What comes after the year 9999 cannot be written.
        let next = next.map(|next| next.timestamp_millis());
        next.filter(|next| Timestamp::from_ms(*next).ms() == *next).map(Timestamp::from_ms)
    }

    fn read(text: &str) -> Result<When, InvalidSchedule> {
        if text.chars().count() > MOST_CHARACTERS {
            return Err(InvalidSchedule::line(format!(
                "it is longer than {MOST_CHARACTERS} characters"
            )));
        }
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(InvalidSchedule::line("it has a character that cannot be printed"));
        }
        let short: String = text.chars().take(60).collect();
        let lower = text.trim().to_ascii_lowercase();
        if let Some(span) = lower.strip_prefix("@every") {
            return every(span.trim()).map(When::Every);
        }
        let long = SHORT_FORMS.iter().find(|(name, _)| *name == lower).map(|(_, long)| *long);
        if lower.starts_with('@') && long.is_none() {
            let names = SHORT_FORMS.map(|(name, _)| name).join(", ");
            let why = format!("there is no {short:?}: there are {names} and @every 90s");
            return Err(InvalidSchedule::line(why));
        }
        let mut parts: Vec<&str> = long.unwrap_or(text).split_whitespace().collect();
        match parts.len() {
            6 => {}
            5 => parts.insert(0, "0"),
            7 => return Err(InvalidSchedule::line("it has seven fields, and years are not known")),
            count => {
                let order = "seconds, minutes, hours, day of month, month, day of week";
                let why =
                    format!("{short:?} has {count} fields and must have six ({order}) or five");
                return Err(InvalidSchedule::line(format!("{why} (without seconds)")));
            }
        }
        let calendar = Calendar::new(&parts)?;
        // From 1970 to 2100 every calendar comes by.
        let begin = NaiveDateTime::default();
        if calendar.next_on_wall(begin).is_none() {
            let why = format!("{short:?} can never fire: no month has such a day");
            return Err(InvalidSchedule::line(why));
        }
        Ok(When::Calendar(Box::new(calendar)))
    }
}

fn every(text: &str) -> Result<i64, InvalidSchedule> {
    let wrong =
        |why: String| InvalidSchedule::new(None, format!("{why}; write it like @every 90s"));
    let span: GoDuration =
        text.parse().map_err(|_| wrong(format!("@every {text:?} is no length of time")))?;
    match span.duration() {
        Some(span) if span.subsec_nanos() == 0 => Ok(span.as_secs() as i64),
        Some(_) => Err(wrong(format!("@every {text:?} is not a whole number of seconds"))),
        None => Err(wrong("@every must be followed by a length of time".to_owned())),
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Schedule, InvalidSchedule> {
        Ok(Schedule { when: Schedule::read(text)?, text: text.to_owned() })
    }
}

impl TryFrom<String> for Schedule {
    type Error = InvalidSchedule;

    fn try_from(text: String) -> Result<Schedule, InvalidSchedule> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(line: Schedule) -> String {
        line.text
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests;
