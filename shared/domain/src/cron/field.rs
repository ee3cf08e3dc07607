//! One field of a crontab line: the values that it allows, and days that depend on the month.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::error::InvalidSchedule;

/// The position of a field in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Seconds,
    Minutes,
    Hours,
    DaysOfMonth,
    Months,
    DaysOfWeek,
}

/// What a field may contain.
struct Rules {
    name: &'static str,
    /// The distinct values: what a star stands for.
    all: RangeInclusive<u32>,
    names: &'static [&'static str],
    example: &'static str,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MINUTE: &str = "0, 15,45, 0-29 or */10";
const DAY_OF_MONTH: &str = "1, 1,15, L (the last), L-2, LW or 15W";
const DAY_OF_WEEK: &str = "1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)";

const RULES: [Rules; 6] = [
    Rules { name: "seconds", all: 0..=59, names: &[], example: MINUTE },
    Rules { name: "minutes", all: 0..=59, names: &[], example: MINUTE },
    Rules { name: "hours", all: 0..=23, names: &[], example: "3, 8,20, 9-17 or */2" },
    Rules { name: "day of month", all: 1..=31, names: &[], example: DAY_OF_MONTH },
    Rules { name: "month", all: 1..=12, names: &MONTHS, example: "1, 6-8, JAN or JAN,JUL" },
    Rules { name: "day of week", all: 0..=6, names: &DAYS, example: DAY_OF_WEEK },
];

impl FieldKind {
    /// Every field, in the order of the line.
    pub(super) const ALL: [FieldKind; 6] = [
        FieldKind::Seconds,
        FieldKind::Minutes,
        FieldKind::Hours,
        FieldKind::DaysOfMonth,
        FieldKind::Months,
        FieldKind::DaysOfWeek,
    ];

    fn rules(self) -> &'static Rules {
        &RULES[self as usize]
    }

    /// The smallest and the largest number that is accepted. 7 is Sunday, as 0 is.
    fn bounds(self) -> (u32, u32) {
        let all = &self.rules().all;
        (*all.start(), if self == FieldKind::DaysOfWeek { 7 } else { *all.end() })
    }
}

/// A day that depends on the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpecialDay {
    /// `L-n`: n days before the last day of the month.
    BeforeLast(u32),
    /// `LW`: the last weekday, Monday to Friday, of the month.
    LastWeekday,
    /// `nW`: the weekday nearest to the n-th, in the same month.
    NearestWeekday(u32),
    /// `d#n`: the n-th such day of the week in the month.
    Nth(u32, u32),
    /// `dL`: the last such day of the week in the month.
    LastOf(u32),
}

/// A parsed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) kind: FieldKind,
    /// The text in capitals.
    pub(super) text: String,
    pub(super) values: BTreeSet<u32>,
    pub(super) special_days: Vec<SpecialDay>,
}

impl Field {
    /// Parses a field without white space.
    pub(super) fn parse(kind: FieldKind, text: &str) -> Result<Field, InvalidSchedule> {
        let text = text.to_ascii_uppercase();
        let (mut values, mut special_days) = (BTreeSet::new(), Vec::new());
        for item in text.split(',') {
            let item = Item { kind, text: item };
            item.parse(&mut values, &mut special_days).map_err(|reason| {
                let (excerpt, rules) = (text.chars().take(40).collect::<String>(), kind.rules());
                let reason = format!(
                    "{} {excerpt:?}: {reason}; write it like {}",
                    rules.name, rules.example
                );
                InvalidSchedule::in_field(rules.name, reason)
            })?;
        }
        Ok(Field { kind, text, values, special_days })
    }

    /// Returns true for a star without a step, which restricts nothing.
    pub(super) fn is_star(&self) -> bool {
        matches!(self.text.as_str(), "*" | "?" | "*/1" | "?/1")
    }

    /// Returns true if the field begins with a star.
    pub(super) fn begins_with_star(&self) -> bool {
        self.text.starts_with(['*', '?'])
    }

    /// Returns true if every value is allowed, with or without a star.
    pub(super) fn allows_all(&self) -> bool {
        self.kind.rules().all.clone().all(|value| self.values.contains(&value))
    }
}

/// One item of the comma-separated list in a field.
struct Item<'a> {
    kind: FieldKind,
    text: &'a str,
}

impl Item<'_> {
    fn parse(
        &self,
        values: &mut BTreeSet<u32>,
        special_days: &mut Vec<SpecialDay>,
    ) -> Result<(), String> {
        if self.text.is_empty() {
            return Err("a value is missing next to a comma".to_owned());
        }
        if let Some(special) = self.special_day()? {
            special_days.push(special);
            return Ok(());
        }
        let (range, step) = match self.text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (self.text, None),
        };
        let (first, last) = self.range(range, step.is_some())?;
        let week = self.kind == FieldKind::DaysOfWeek;
        let range = (first..=last).step_by(step.unwrap_or(1));
        values.extend(range.map(|value| if week { value % 7 } else { value }));
        Ok(())
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let (min, max) = self.kind.bounds();
        match number(text) {
            None => Err(format!("the step {text:?} is not a whole number")),
            Some(0) => Err("the step must not be 0".to_owned()),
            Some(step) if step > max - min => {
                Err(format!("the step {step} is larger than the field"))
            }
            Some(step) => Ok(step as usize),
        }
    }

    fn range(&self, text: &str, has_step: bool) -> Result<(u32, u32), String> {
        let all = &self.kind.rules().all;
        let is_day = matches!(self.kind, FieldKind::DaysOfMonth | FieldKind::DaysOfWeek);
        if text == "*" || (text == "?" && is_day) {
            return Ok((*all.start(), *all.end()));
        }
        let Some((first, last)) = text.split_once('-') else {
            let first = self.value(text)?;
            return Ok((first, if has_step { first.max(*all.end()) } else { first }));
        };
        let (first, mut last) = (self.value(first)?, self.value(last)?);
        // The range FRI-SUN ends on the second Sunday.
        if self.kind == FieldKind::DaysOfWeek && last == 0 && first > 0 {
            last = 7;
        }
        if first > last {
            return Err(format!("the range {text} ends before it begins"));
        }
        Ok((first, last))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let (min, max) = self.kind.bounds();
        if let Some(at) = self.kind.rules().names.iter().position(|name| *name == text) {
            return Ok(min + at as u32);
        }
        match number(text) {
            Some(value) if (min..=max).contains(&value) => Ok(value),
            Some(value) => Err(format!("{value} is not between {min} and {max}")),
            None if text.is_empty() => Err("a value is missing".to_owned()),
            None => {
                Err(format!("{:?} is not a valid value", text.chars().take(20).collect::<String>()))
            }
        }
    }

    fn special_day(&self) -> Result<Option<SpecialDay>, String> {
        match self.kind {
            FieldKind::DaysOfMonth => self.special_day_of_month(),
            FieldKind::DaysOfWeek => self.special_day_of_week(),
            FieldKind::Seconds | FieldKind::Minutes | FieldKind::Hours | FieldKind::Months => {
                Ok(None)
            }
        }
    }

    fn special_day_of_month(&self) -> Result<Option<SpecialDay>, String> {
        if self.text == "L" {
            return Ok(Some(SpecialDay::BeforeLast(0)));
        }
        if matches!(self.text, "LW" | "WL") {
            return Ok(Some(SpecialDay::LastWeekday));
        }
        if let Some(days) = self.text.strip_prefix("L-") {
            let days = number(days).filter(|days| *days <= 30);
            let days = days.ok_or("L- must be followed by a number of days from 0 to 30")?;
            return Ok(Some(SpecialDay::BeforeLast(days)));
        }
        let Some(day) = self.text.strip_suffix('W') else { return Ok(None) };
        Ok(Some(SpecialDay::NearestWeekday(self.value(day)?)))
    }

    fn special_day_of_week(&self) -> Result<Option<SpecialDay>, String> {
        if self.text == "L" {
            return Err("L needs a day before it, such as FRIL for the last Friday".to_owned());
        }
        if let Some((day, nth)) = self.text.split_once('#') {
            let day = self.value(day)? % 7;
            if nth == "L" {
                return Ok(Some(SpecialDay::LastOf(day)));
            }
            let nth = number(nth).filter(|nth| (1..=5).contains(nth));
            let nth = nth.ok_or("# must be followed by a number from 1 to 5")?;
            return Ok(Some(SpecialDay::Nth(day, nth)));
        }
        // Day names never end with L.
        let Some(day) = self.text.strip_suffix('L') else { return Ok(None) };
        Ok(Some(SpecialDay::LastOf(self.value(day)? % 7)))
    }
}

/// Parses up to four digits, without a sign.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
