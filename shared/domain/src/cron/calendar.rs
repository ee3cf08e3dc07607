//! The walk from one firing to the next: the `cron` crate's, given explicit lists, and through changes of clocks.

use chrono::{DateTime, NaiveDateTime, Utc};
use cron::Schedule as Engine;

use super::InvalidSchedule;
use super::days::Days;
use super::field::{Field, KINDS, Set};
use super::zone::{TimeZone, Wall, later};

/// A line by the calendar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calendar {
    pub(super) fields: [Field; 6],
    pub(super) days: Days,
    engines: Vec<Engine>,
}

impl Calendar {
    pub(super) fn new(parts: &[&str]) -> Result<Calendar, InvalidSchedule> {
        let mut read = Vec::with_capacity(6);
        for (kind, text) in KINDS.into_iter().zip(parts) {
            read.push(Field::read(kind, text)?);
        }
        let fields: [Field; 6] =
            read.try_into().map_err(|_| InvalidSchedule::line("it must have six fields"))?;
        let [seconds, minutes, hours, of_month, months, of_week] = &fields;
        let days = Days::new(of_month.clone(), of_week.clone());
        let mut engines = Vec::new();
        for (of_month, of_week) in days.for_the_engine() {
            if of_month.is_empty() || of_week.is_empty() {
                continue;
            }
            let text = format!(
                "{} {} {} {} {} {}",
                list(seconds.values, 60),
                list(minutes.values, 60),
                list(hours.values, 24),
                list(of_month, 31),
                list(months.values, 12),
                weekdays(of_week)
            );
            // What was read above is a line that the engine takes; if not, it must be said.
            let engine = text.parse().map_err(|error| InvalidSchedule::line(format!("{error}")))?;
            engines.push(engine);
        }
        Ok(Calendar { fields, days, engines })
    }

    /// Unix cron's distinction: a line that names its second, minute and hour means times of the day, each of which
    /// is to come once a day; a line with a star among them means an interval, which knows nothing of days.
    pub(super) fn is_fixed(&self) -> bool {
        self.fields[..3].iter().all(|field| !field.starred)
    }

    /// The first time after this on a wall whose clock is never changed.
    pub(super) fn next_on_wall(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        self.engines.iter().filter_map(|engine| self.next_of(engine, after)).min()
    }

    fn next_of(&self, engine: &Engine, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut after = after;
        loop {
            let found = engine.after(&after.and_utc()).next()?.naive_utc();
            if self.days.include(found.date()) {
                return Some(found);
            }
            after = later(found.date().succ_opt()?.and_hms_opt(0, 0, 0)?, -1);
        }
    }

    /// Each time of the day comes once: after the gap that it falls into, in the first pass of an overlap.
    pub(super) fn next_fixed(&self, after: DateTime<Utc>, zone: TimeZone) -> Option<DateTime<Utc>> {
        let mut wall = zone.wall(after);
        loop {
            wall = self.next_on_wall(wall)?;
            let at = match zone.moments(wall) {
                Wall::Once(at) | Wall::Twice(at, _) => at,
                Wall::Never => zone.after_gap(wall)?.0,
            };
            if at > after {
                return Some(at);
            }
        }
    }

    /// Whatever the wall shows, as often as it shows it.
    pub(super) fn next_repeated(
        &self,
        after: DateTime<Utc>,
        zone: TimeZone,
    ) -> Option<DateTime<Utc>> {
        let wall = zone.wall(after);
        let mut candidate = self.next_on_wall(wall)?;
        if let Wall::Twice(early, late) = zone.moments(wall) {
            let here = |at: DateTime<Utc>, pass: DateTime<Utc>| (at - pass).abs() < late - early;
            if early == after {
                // In the first pass: what is left of it comes first, then the second from its beginning.
                match zone.moments(candidate) {
                    Wall::Twice(at, _) if here(at, early) => return Some(at),
                    Wall::Once(_) | Wall::Twice(_, _) | Wall::Never => {}
                }
                let again = self.next_on_wall(later(zone.second_pass(early, late), -1))?;
                candidate = candidate.min(again);
            }
            match zone.moments(candidate) {
                Wall::Twice(_, at) if here(at, late) => return Some(at),
                Wall::Once(_) | Wall::Twice(_, _) | Wall::Never => {}
            }
        }
        loop {
            match zone.moments(candidate) {
                Wall::Once(at) | Wall::Twice(at, _) => return Some(at),
                Wall::Never => {
                    let (_, end) = zone.after_gap(candidate)?;
                    candidate = self.next_on_wall(later(end, -1))?;
                }
            }
        }
    }
}

/// Values as the engine reads them: all of them are a star.
fn list(values: Set, all: usize) -> String {
    let values: Vec<String> = values.values().map(|value| value.to_string()).collect();
    if values.len() == all { "*".to_owned() } else { values.join(",") }
}

/// The engine counts weekdays from 1, Sunday.
fn weekdays(values: Set) -> String {
    let mut from_one = Set::default();
    values.values().for_each(|value| from_one.add(value + 1));
    list(from_one, 7)
}
