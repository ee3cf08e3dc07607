//! One field of a line: its text read into the values that it allows. Pure.

use super::InvalidSchedule;

/// Which field of the line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Seconds,
    Minutes,
    Hours,
    DaysOfMonth,
    Months,
    DaysOfWeek,
}

/// The six fields in the order of the line.
pub(super) const KINDS: [Kind; 6] =
    [Kind::Seconds, Kind::Minutes, Kind::Hours, Kind::DaysOfMonth, Kind::Months, Kind::DaysOfWeek];

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Kind {
    /// As people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Seconds => "seconds",
            Kind::Minutes => "minutes",
            Kind::Hours => "hours",
            Kind::DaysOfMonth => "day of month",
            Kind::Months => "month",
            Kind::DaysOfWeek => "day of week",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Kind::Seconds | Kind::Minutes => "0, 15,45, 0-29 or */10",
            Kind::Hours => "3, 8,20, 9-17 or */2",
            Kind::DaysOfMonth => "1, 1,15, L (the last), L-2, LW or 15W",
            Kind::Months => "1, 6-8, JAN or JAN,JUL",
            Kind::DaysOfWeek => "1 (Monday), 1-5, SUN, FRI#2 (the second) or FRIL (the last)",
        }
    }

    /// The least and the largest value; the largest weekday is a second Sunday.
    pub(super) fn bounds(self) -> (u32, u32) {
        match self {
            Kind::Seconds | Kind::Minutes => (0, 59),
            Kind::Hours => (0, 23),
            Kind::DaysOfMonth => (1, 31),
            Kind::Months => (1, 12),
            Kind::DaysOfWeek => (0, 7),
        }
    }

    fn names(self) -> (&'static [&'static str], u32) {
        match self {
            Kind::Months => (&MONTHS, 1),
            Kind::DaysOfWeek => (&WEEKDAYS, 0),
            Kind::Seconds | Kind::Minutes | Kind::Hours | Kind::DaysOfMonth => (&[], 0),
        }
    }

    /// The error for a field that is wrong.
    fn refuse(self, text: &str, why: impl std::fmt::Display) -> InvalidSchedule {
        let short: String = text.chars().take(40).collect();
        let (name, example) = (self.name(), self.example());
        InvalidSchedule::new(
            Some(self),
            format!("{name} {short:?}: {why}; write it like {example}"),
        )
    }
}

/// Whole numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set(u64);

impl Set {
    pub(super) fn add(&mut self, value: u32) {
        self.0 |= 1 << value;
    }

    pub(super) fn has(self, value: u32) -> bool {
        value < 64 && self.0 & (1 << value) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn values(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |value| self.has(*value))
    }
}

/// A day that depends on the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// `L-n`: so many days before the last day of the month.
    Last(u32),
    /// `LW`: the last day from Monday to Friday.
    LastWorkday,
    /// `nW`: the day from Monday to Friday that is nearest to the n-th, in the same month.
    Nearest(u32),
    /// `d#n`: the n-th such weekday of the month.
    Nth(u32, u32),
    /// `dL`: the last such weekday of the month.
    LastOf(u32),
}

/// A field that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// Without blanks, in capitals.
    pub(super) text: String,
    pub(super) values: Set,
    pub(super) specials: Vec<Special>,
    /// It begins with a star (or question mark).
    pub(super) starred: bool,
}

impl Field {
    /// It is a star without a step: it restricts nothing.
    pub(super) fn is_star(&self) -> bool {
        matches!(self.text.as_str(), "*" | "?" | "*/1" | "?/1")
    }

    /// It allows every value that the kind has.
    pub(super) fn is_all(&self) -> bool {
        let (least, largest) = self.kind.bounds();
        let largest = if self.kind == Kind::DaysOfWeek { 6 } else { largest };
        (least..=largest).all(|value| self.values.has(value))
    }

    /// Reads a field.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Field, InvalidSchedule> {
        let text = text.to_ascii_uppercase();
        let starred = text.starts_with(['*', '?']);
        let mut field = Field { kind, text, values: Set::default(), specials: vec![], starred };
        let text = field.text.clone();
        for item in text.split(',') {
            field.add(item).map_err(|why| kind.refuse(&text, why))?;
        }
        Ok(field)
    }

    fn add(&mut self, item: &str) -> Result<(), String> {
        if item.is_empty() {
            return Err("a value is missing beside a comma".to_owned());
        }
        if let Some(special) = self.special(item)? {
            self.specials.push(special);
            return Ok(());
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        let (from, to) = self.range(range, step.is_some())?;
        for value in (from..=to).step_by(step.unwrap_or(1) as usize) {
            // 7 is Sunday too.
            let sunday = self.kind == Kind::DaysOfWeek && value == 7;
            self.values.add(if sunday { 0 } else { value });
        }
        Ok(())
    }

    fn step(&self, text: &str) -> Result<u32, String> {
        let (least, largest) = self.kind.bounds();
        let step = number(text).ok_or_else(|| format!("the step {text:?} is no whole number"))?;
        if step == 0 {
            return Err("a step of 0 leads nowhere".to_owned());
        }
        if step > largest - least {
            return Err(format!("a step of {step} is larger than the whole field"));
        }
        Ok(step)
    }

    fn range(&self, text: &str, stepped: bool) -> Result<(u32, u32), String> {
        let (least, mut largest) = self.kind.bounds();
        let days = matches!(self.kind, Kind::DaysOfMonth | Kind::DaysOfWeek);
        if text == "*" || (text == "?" && days) {
            largest = if self.kind == Kind::DaysOfWeek { 6 } else { largest };
            return Ok((least, largest));
        }
        let Some((from, to)) = text.split_once('-') else {
            let from = self.value(text)?;
            let end =
                if self.kind == Kind::DaysOfWeek { largest.min(6).max(from) } else { largest };
            return Ok((from, if stepped { end } else { from }));
        };
        let (from, mut to) = (self.value(from)?, self.value(to)?);
        // FRI-SUN ends at the second Sunday.
        if self.kind == Kind::DaysOfWeek && to == 0 && from > 0 {
            to = 7;
        }
        if from > to {
            return Err(format!("the range {text} runs backwards"));
        }
        Ok((from, to))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let (least, largest) = self.kind.bounds();
        let (names, first) = self.kind.names();
        if let Some(at) = names.iter().position(|name| *name == text) {
            return Ok(first + at as u32);
        }
        match number(text) {
            Some(value) if (least..=largest).contains(&value) => Ok(value),
            Some(value) => Err(format!("{value} is not between {least} and {largest}")),
            None if text.is_empty() => Err("a value is missing".to_owned()),
            None => Err(format!("{:?} is no value", text.chars().take(20).collect::<String>())),
        }
    }

    fn special(&self, item: &str) -> Result<Option<Special>, String> {
        match self.kind {
            Kind::DaysOfMonth => self.special_day(item),
            Kind::DaysOfWeek => self.special_weekday(item),
            Kind::Seconds | Kind::Minutes | Kind::Hours | Kind::Months => Ok(None),
        }
    }

    fn special_day(&self, item: &str) -> Result<Option<Special>, String> {
        match item {
            "L" => return Ok(Some(Special::Last(0))),
            "LW" | "WL" => return Ok(Some(Special::LastWorkday)),
            _ => {}
        }
        if let Some(before) = item.strip_prefix("L-") {
            let before = number(before).filter(|before| *before <= 30);
            let before = before.ok_or("after L- there must be a number of days from 0 to 30")?;
            return Ok(Some(Special::Last(before)));
        }
        let Some(day) = item.strip_suffix('W') else { return Ok(None) };
        Ok(Some(Special::Nearest(self.value(day)?)))
    }

    fn special_weekday(&self, item: &str) -> Result<Option<Special>, String> {
        if item == "L" {
            return Err(
                "L alone is no day of a week: the last Friday of a month is FRIL".to_owned()
            );
        }
        if let Some((day, which)) = item.split_once('#') {
            let day = self.value(day)? % 7;
            if which == "L" {
                return Ok(Some(Special::LastOf(day)));
            }
            let which = number(which).filter(|which| (1..=5).contains(which));
            let which = which.ok_or("after # there must be a number from 1 to 5")?;
            return Ok(Some(Special::Nth(day, which)));
        }
        // No weekday's name ends with an L.
        let Some(day) = item.strip_suffix('L') else { return Ok(None) };
        Ok(Some(Special::LastOf(self.value(day)? % 7)))
    }
}

/// A whole number of few digits, without a sign.
fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
