//! The times that a crontab line selects, and how they pass through changes of the clock.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc,
};
use cron::Schedule as Engine;

use super::days;
use super::error::InvalidSchedule;
use super::field::{Field, FieldKind};
use super::time_zone::TimeZone;

/// No line fires after this year, the last that the engine knows.
const LAST_YEAR: i32 = 2100;
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// A parsed crontab line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calendar {
    pub(super) fields: [Field; 6],
    /// Finds the times of day in the selected months; it ignores the day fields.
    engine: Engine,
}

impl Calendar {
    pub(super) fn parse(texts: &[&str]) -> Result<Calendar, InvalidSchedule> {
        let fields = FieldKind::ALL.into_iter().zip(texts);
        let fields = fields.map(|(kind, text)| Field::parse(kind, text));
        let fields: [Field; 6] = fields
            .collect::<Result<Vec<_>, _>>()?
            .try_into()
            .map_err(|_| InvalidSchedule::in_line("it must have six fields"))?;
        let [seconds, minutes, hours, _, months, _] = &fields;
        let [seconds, minutes, hours, months] =
            [seconds, minutes, hours, months].map(|field| list(&field.values));
        let engine = format!("{seconds} {minutes} {hours} * {months} *").parse();
        let engine = engine.map_err(|error| InvalidSchedule::in_line(format!("{error}")))?;
        Ok(Calendar { fields, engine })
    }

    /// Returns true if no field of the time begins with a star. As in Vixie cron, such a line names
    /// times of day, each of which fires once a day; any other line is an interval, which is
    /// independent of days.
    pub(super) fn has_fixed_times(&self) -> bool {
        self.fields[..3].iter().all(|field| !field.begins_with_star())
    }

    /// Returns the first selected local time after another, regardless of the clock of any time
    /// zone.
    pub(super) fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut from = after + SECOND;
        loop {
            let day = self.next_selected_day(from.date())?;
            if day > from.date() {
                from = day.and_time(NaiveTime::MIN);
            }
            let found = self.engine.after(&(from - SECOND).and_utc()).next()?.naive_utc();
            if found.date() == day {
                return Some(found);
            }
            from = found;
        }
    }

    /// Returns the first selected day from a date on.
    fn next_selected_day(&self, from: NaiveDate) -> Option<NaiveDate> {
        let mut days = from.iter_days().take_while(|day| day.year() <= LAST_YEAR);
        days.find(|day| self.selects(*day))
    }

    fn selects(&self, date: NaiveDate) -> bool {
        let [_, _, _, of_month, months, of_week] = &self.fields;
        months.values.contains(&date.month()) && days::select(of_month, of_week, date)
    }

    /// Returns the next firing of a line with fixed times: a time in a gap fires once, right after
    /// the gap; a time in an overlap fires in the first pass only.
    pub(super) fn next_fixed(&self, after: DateTime<Utc>, zone: TimeZone) -> Option<DateTime<Utc>> {
        let mut local = zone.local(after);
        loop {
            local = self.next_local(local)?;
            let at = match zone.moments(local).earliest() {
                Some(at) => at,
                None => zone.end_of_gap(local)?.0,
            };
            if at > after {
                return Some(at);
            }
        }
    }

    /// Returns the next firing of an interval, which fires whenever the local clock shows a
    /// selected time: not in a gap, and in both passes of an overlap.
    pub(super) fn next_interval(
        &self,
        after: DateTime<Utc>,
        zone: TimeZone,
    ) -> Option<DateTime<Utc>> {
        let local = zone.local(after);
        let mut next = self.next_local(local)?;
        if let MappedLocalTime::Ambiguous(early, late) = zone.moments(local) {
            let same_pass =
                |at: DateTime<Utc>, pass: DateTime<Utc>| (at - pass).abs() < late - early;
            if early == after {
                // In the first pass: first the rest of it, then the second pass from its beginning.
                if let MappedLocalTime::Ambiguous(at, _) = zone.moments(next)
                    && same_pass(at, early)
                {
                    return Some(at);
                }
                let repeated = self.next_local(zone.start_of_second_pass(early, late) - SECOND)?;
                next = next.min(repeated);
            }
            if let MappedLocalTime::Ambiguous(_, at) = zone.moments(next)
                && same_pass(at, late)
            {
                return Some(at);
            }
        }
        loop {
            if let Some(at) = zone.moments(next).earliest() {
                return Some(at);
            }
            next = self.next_local(zone.end_of_gap(next)?.1 - SECOND)?;
        }
    }
}

fn list(values: &BTreeSet<u32>) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
