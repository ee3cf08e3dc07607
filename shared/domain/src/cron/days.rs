//! Which days a line means. The two day fields are joined as Unix cron joins them: when both are restricted, a day
//! that either means is one; when one of them is a star, the other decides. (Vixie cron takes a star with a step for
//! a star too; croner and croniter do not, and croniter calls it the cron bug. We follow the manual, not the bug.)

use chrono::{Datelike, NaiveDate};

use super::field::{Field, Set, Special};

/// Both day fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    of_month: Field,
    of_week: Field,
}

impl Days {
    pub(super) fn new(of_month: Field, of_week: Field) -> Days {
        Days { of_month, of_week }
    }

    /// Either of the two is enough.
    pub(super) fn either(&self) -> bool {
        !self.of_month.is_star() && !self.of_week.is_star()
    }

    /// The line means this day.
    pub(super) fn include(&self, date: NaiveDate) -> bool {
        let (of_month, of_week) = (suits(&self.of_month, date), suits(&self.of_week, date));
        if self.either() { of_month || of_week } else { of_month && of_week }
    }

    /// Days of month and weekdays (0 is Sunday) for the engine, which joins the two with "and": pairs that
    /// together hold every day that is meant, and perhaps others.
    pub(super) fn for_the_engine(&self) -> Vec<(Set, Set)> {
        let of_month = superset(&self.of_month, 1..=31);
        let of_week = superset(&self.of_week, 0..=6);
        let (all_days, all_weekdays) = (set(1..=31), set(0..=6));
        if self.either() {
            vec![(of_month, all_weekdays), (all_days, of_week)]
        } else {
            vec![(of_month, of_week)]
        }
    }
}

fn set(values: impl Iterator<Item = u32>) -> Set {
    let mut set = Set::default();
    values.for_each(|value| set.add(value));
    set
}

/// The values of the field, and all that its special days can be.
fn superset(field: &Field, all: impl Iterator<Item = u32>) -> Set {
    if field.specials.is_empty() {
        return field.values;
    }
    let can_be = |value: u32| {
        field.values.has(value)
            || field.specials.iter().any(|special| match *special {
                Special::Last(before) => (28..=31).any(|last| value + before == last),
                Special::LastWorkday => value >= 26,
                Special::Nearest(day) => value + 2 >= day && value <= day + 2,
                Special::Nth(weekday, _) | Special::LastOf(weekday) => value == weekday,
            })
    };
    set(all.filter(|value| can_be(*value)))
}

fn suits(field: &Field, date: NaiveDate) -> bool {
    use super::field::Kind;
    let value = match field.kind {
        Kind::DaysOfWeek => weekday(date),
        Kind::Seconds | Kind::Minutes | Kind::Hours | Kind::DaysOfMonth | Kind::Months => {
            date.day()
        }
    };
    field.values.has(value) || field.specials.iter().any(|special| is(*special, date))
}

fn is(special: Special, date: NaiveDate) -> bool {
    let (day, last) = (date.day(), u32::from(date.num_days_in_month()));
    match special {
        Special::Last(before) => day + before == last,
        Special::LastWorkday => day == workday_near(date, last),
        // The 31st of a month of 30 days is no day, so nothing is near it.
        Special::Nearest(wanted) => wanted <= last && day == workday_near(date, wanted),
        Special::Nth(wanted, which) => weekday(date) == wanted && day.div_ceil(7) == which,
        Special::LastOf(wanted) => weekday(date) == wanted && day + 7 > last,
    }
}

/// The day from Monday to Friday nearest to `wanted` in the month of `date`.
fn workday_near(date: NaiveDate, wanted: u32) -> u32 {
    let last = u32::from(date.num_days_in_month());
    let weekday = date.with_day(wanted).map_or(1, weekday);
    match weekday {
        6 if wanted == 1 => 3,
        6 => wanted - 1,
        0 if wanted == last => wanted - 2,
        0 => wanted + 1,
        _ => wanted,
    }
}

/// 0 is Sunday.
fn weekday(date: NaiveDate) -> u32 {
    date.weekday().num_days_from_sunday()
}
