//! A schedule in words, for `capstan crons explain`.

use std::collections::BTreeSet;

use super::calendar::Calendar;
use super::field::{Field, FieldKind, SpecialDay};
use super::schedule::{Rule, Schedule};

const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The most times of day that are listed one by one.
const MAX_TIMES: usize = 6;

impl Schedule {
    /// Describes the schedule in words: `at 03:54:57 every day`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Every(seconds) => {
                format!("every {seconds} seconds, counted from 1970-01-01T00:00:00Z")
            }
            Rule::Calendar(calendar) => {
                [times(calendar), days(calendar), months(calendar)].concat()
            }
        }
    }
}

fn times(calendar: &Calendar) -> String {
    let [seconds, minutes, hours, ..] = &calendar.fields;
    let all = |field: &Field| field.values.iter().copied().collect::<Vec<_>>();
    let (s, m, h) = (all(seconds), all(minutes), all(hours));
    if s.len() * m.len() * h.len() <= MAX_TIMES {
        let times = h.iter().flat_map(|h| m.iter().map(move |m| (h, m)));
        let times = times.flat_map(|(h, m)| s.iter().map(move |s| (h, m, s)));
        let times: Vec<String> = times.map(|(h, m, s)| format!("{h:02}:{m:02}:{s:02}")).collect();
        return format!("at {}", joined(&times));
    }
    match (s.as_slice(), m.as_slice(), hours.allows_all()) {
        _ if seconds.allows_all() && minutes.allows_all() && hours.allows_all() => {
            "every second".to_owned()
        }
        ([0], _, true) if minutes.allows_all() => "every minute".to_owned(),
        ([0], [0], true) => "every hour".to_owned(),
        _ => format!("at {} of {} of {}", unit(seconds), unit(minutes), unit(hours)),
    }
}

fn unit(field: &Field) -> String {
    let singular = match field.kind {
        FieldKind::Seconds => "second",
        FieldKind::Minutes => "minute",
        FieldKind::Hours => "hour",
        FieldKind::DaysOfMonth | FieldKind::Months | FieldKind::DaysOfWeek => "day",
    };
    if field.allows_all() {
        return format!("every {singular}");
    }
    let step = field.text.strip_prefix("*/").and_then(|step| step.parse::<u32>().ok());
    match step {
        Some(step) => format!("every {} {singular} from 0 on", ordinal(step)),
        None => {
            let values = ranges(&field.values, |value| value.to_string());
            let one = field.values.len() == 1;
            format!("{singular}{} {}", if one { "" } else { "s" }, joined(&values))
        }
    }
}

fn days(calendar: &Calendar) -> String {
    let [_, _, hours, of_month, _, of_week] = &calendar.fields;
    match (of_month.is_star(), of_week.is_star()) {
        (true, true) if hours.allows_all() => String::new(),
        (true, true) => " every day".to_owned(),
        (false, true) => format!(" on {}", days_of_month(of_month)),
        (true, false) => format!(" on {}", days_of_week(of_week)),
        (false, false) => {
            format!(" on {}, and on {}", days_of_month(of_month), days_of_week(of_week))
        }
    }
}

fn days_of_month(field: &Field) -> String {
    let mut parts = Vec::new();
    if !field.values.is_empty() {
        let values = ranges(&field.values, ordinal);
        parts.push(format!("the {}", joined(&values)));
    }
    parts.extend(field.special_days.iter().map(|special| match *special {
        SpecialDay::BeforeLast(0) => "the last day of the month".to_owned(),
        SpecialDay::BeforeLast(1) => "the day before the last day of the month".to_owned(),
        SpecialDay::BeforeLast(days) => format!("{days} days before the last day of the month"),
        SpecialDay::LastWeekday => "the last weekday of the month".to_owned(),
        SpecialDay::NearestWeekday(day) => {
            format!("the weekday nearest to the {}", ordinal(day))
        }
        SpecialDay::Nth(..) | SpecialDay::LastOf(_) => String::new(),
    }));
    joined(&parts)
}

fn days_of_week(field: &Field) -> String {
    let name = |day: u32| WEEKDAYS[day as usize % 7].to_owned();
    let mut parts = ranges(&field.values, name);
    parts.extend(field.special_days.iter().map(|special| match *special {
        SpecialDay::Nth(day, which) => format!("the {} {} of the month", ordinal(which), name(day)),
        SpecialDay::LastOf(day) => format!("the last {} of the month", name(day)),
        SpecialDay::BeforeLast(_) | SpecialDay::LastWeekday | SpecialDay::NearestWeekday(_) => {
            String::new()
        }
    }));
    joined(&parts)
}

fn months(calendar: &Calendar) -> String {
    let months = &calendar.fields[4];
    if months.allows_all() {
        return String::new();
    }
    let names = ranges(&months.values, |month| MONTHS[month as usize - 1].to_owned());
    format!(" in {}", joined(&names))
}

/// Names values, and joins three or more consecutive ones into a range.
fn ranges(values: &BTreeSet<u32>, name: impl Fn(u32) -> String) -> Vec<String> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &value in values {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == value => *end = value,
            _ => runs.push((value, value)),
        }
    }
    let names = runs.into_iter().flat_map(|(from, to)| match to - from {
        0 => vec![name(from)],
        1 => vec![name(from), name(to)],
        _ => vec![format!("{} to {}", name(from), name(to))],
    });
    names.collect()
}

fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, 1 | 21 | 31 | 41 | 51) => "st",
        (2, 2 | 22 | 32 | 42 | 52) => "nd",
        (3, 3 | 23 | 33 | 43 | 53) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests;
