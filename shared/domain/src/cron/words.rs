//! A line in words, for people.

use super::calendar::Calendar;
use super::field::{Field, Kind, Set, Special};
use super::line::{Schedule, When};

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
/// So many times of day are told one by one.
const MOST_TIMES: usize = 6;

impl Schedule {
    /// The line in words, `at 03:54:57 every day`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match &self.when {
            When::Every(seconds) => {
                format!("every {seconds} seconds, counted from 1970-01-01T00:00:00Z")
            }
            When::Calendar(calendar) => {
                [times(calendar), days(calendar), months(calendar)].concat()
            }
        }
    }
}

fn times(calendar: &Calendar) -> String {
    let [seconds, minutes, hours, ..] = &calendar.fields;
    let all = |field: &Field| field.values.values().collect::<Vec<_>>();
    let (s, m, h) = (all(seconds), all(minutes), all(hours));
    if s.len() * m.len() * h.len() <= MOST_TIMES {
        let times = h.iter().flat_map(|h| m.iter().map(move |m| (h, m)));
        let times = times.flat_map(|(h, m)| s.iter().map(move |s| (h, m, s)));
        let times: Vec<String> = times.map(|(h, m, s)| format!("{h:02}:{m:02}:{s:02}")).collect();
        return format!("at {}", joined(&times));
    }
    match (s.as_slice(), m.as_slice(), hours.is_all()) {
        _ if seconds.is_all() && minutes.is_all() && hours.is_all() => "every second".to_owned(),
        ([0], _, true) if minutes.is_all() => "every minute".to_owned(),
        ([0], [0], true) => "every hour".to_owned(),
        _ => format!("at {} of {} of {}", unit(seconds), unit(minutes), unit(hours)),
    }
}

fn unit(field: &Field) -> String {
    let singular = match field.kind {
        Kind::Seconds => "second",
        Kind::Minutes => "minute",
        Kind::Hours => "hour",
        Kind::DaysOfMonth | Kind::Months | Kind::DaysOfWeek => "day",
    };
    if field.is_all() {
        return format!("every {singular}");
    }
    let step = field.text.strip_prefix("*/").and_then(|step| step.parse::<u32>().ok());
    match step {
        Some(step) => format!("every {} {singular} from 0 on", ordinal(step)),
        None => {
            let values = ranges(field.values, |value| value.to_string());
            let one = field.values.values().count() == 1;
            format!("{singular}{} {}", if one { "" } else { "s" }, joined(&values))
        }
    }
}

fn days(calendar: &Calendar) -> String {
    let [_, _, hours, of_month, _, of_week] = &calendar.fields;
    match (of_month.is_star(), of_week.is_star()) {
        (true, true) if hours.is_all() => String::new(),
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
        let values = ranges(field.values, ordinal);
        parts.push(format!("the {}", joined(&values)));
    }
    parts.extend(field.specials.iter().map(|special| match *special {
        Special::Last(0) => "the last day of the month".to_owned(),
        Special::Last(1) => "the last day but one of the month".to_owned(),
        Special::Last(before) => format!("the day {before} days before the last of the month"),
        Special::LastWorkday => "the last day from Monday to Friday of the month".to_owned(),
        Special::Nearest(day) => {
            format!("the day from Monday to Friday nearest to the {}", ordinal(day))
        }
        Special::Nth(..) | Special::LastOf(_) => String::new(),
    }));
    joined(&parts)
}

fn days_of_week(field: &Field) -> String {
    let name = |day: u32| WEEKDAYS[day as usize % 7].to_owned();
    let mut parts = ranges(field.values, name);
    parts.extend(field.specials.iter().map(|special| match *special {
        Special::Nth(day, which) => format!("the {} {} of the month", ordinal(which), name(day)),
        Special::LastOf(day) => format!("the last {} of the month", name(day)),
        Special::Last(_) | Special::LastWorkday | Special::Nearest(_) => String::new(),
    }));
    joined(&parts)
}

fn months(calendar: &Calendar) -> String {
    let months = &calendar.fields[4];
    if months.is_all() {
        return String::new();
    }
    let names = ranges(months.values, |month| MONTHS[month as usize - 1].to_owned());
    format!(" in {}", joined(&names))
}

/// Three and more that follow each other are one range.
fn ranges(values: Set, name: impl Fn(u32) -> String) -> Vec<String> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values.values() {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == value => *end = value,
            _ => runs.push((value, value)),
        }
    }
    let told = runs.into_iter().flat_map(|(from, to)| match to - from {
        0 => vec![name(from)],
        1 => vec![name(from), name(to)],
        _ => vec![format!("{} to {}", name(from), name(to))],
    });
    told.collect()
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
