//! The days that the two day fields select. As in Unix cron, either field is sufficient if both are
//! restricted; if one is a star, the other decides. Vixie cron also treats a star with a step as a
//! star, which croniter calls the cron bug; Capstan follows the manual, as croner and croniter do.

use chrono::{Datelike, NaiveDate};

use super::field::{Field, SpecialDay};

/// Returns true if the day fields select the date.
pub(super) fn select(of_month: &Field, of_week: &Field, date: NaiveDate) -> bool {
    let matches_month = matches(of_month, date.day(), date);
    let matches_week = matches(of_week, weekday(date), date);
    if of_month.is_star() || of_week.is_star() {
        matches_month && matches_week
    } else {
        matches_month || matches_week
    }
}

fn matches(field: &Field, value: u32, date: NaiveDate) -> bool {
    field.values.contains(&value) || field.special_days.iter().any(|day| is(*day, date))
}

fn is(special: SpecialDay, date: NaiveDate) -> bool {
    let (day, last) = (date.day(), u32::from(date.num_days_in_month()));
    match special {
        SpecialDay::BeforeLast(days) => day + days == last,
        SpecialDay::LastWeekday => day == nearest_weekday(date, last),
        // A month of 30 days has no 31st, so 31W selects nothing in it.
        SpecialDay::NearestWeekday(target) => {
            target <= last && day == nearest_weekday(date, target)
        }
        SpecialDay::Nth(target, nth) => weekday(date) == target && day.div_ceil(7) == nth,
        SpecialDay::LastOf(target) => weekday(date) == target && day + 7 > last,
    }
}

/// The day from Monday to Friday that is nearest to `target`, in the month of `date`.
fn nearest_weekday(date: NaiveDate, target: u32) -> u32 {
    let last = u32::from(date.num_days_in_month());
    match date.with_day(target).map_or(1, weekday) {
        6 if target == 1 => 3,
        6 => target - 1,
        0 if target == last => target - 2,
        0 => target + 1,
        _ => target,
    }
}

/// The day of the week; Sunday is 0.
fn weekday(date: NaiveDate) -> u32 {
    date.weekday().num_days_from_sunday()
}
