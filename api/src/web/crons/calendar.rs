//! What crons do next: the firings of the next day, those of the next week by hour, the minutes in
//! which several fire, and the days on which a clock changes. Pure.

use std::collections::BTreeMap;

use domain::job::Timestamp;
use store::Cron;

use crate::web::format::{Moment, count};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How many days the calendar has.
const DAYS: i64 = 7;
/// A cron with more firings in a week is left out of the calendar.
const MOST_FIRINGS: usize = 24 * 7 + 2;
/// How many firings are computed in all.
const MOST_COMPUTED: usize = 10_000;
/// How many firings of the next day, and how many collisions, are listed.
const MOST_LISTED: usize = 20;
/// The size of a cell, and the place that the names of days need.
const CELL: (usize, usize) = (26, 22);
const DAY_WIDTH: usize = 84;
const HOUR_HEIGHT: usize = 18;

/// The calendar as the page shows it.
pub(super) struct Calendar {
    /// The firings of the next 24 hours, at most 20.
    pub(super) day: Vec<Firing>,
    /// The number of firings in the next 24 hours, if not all of them are listed.
    pub(super) more_in_day: String,
    /// The hours of the next seven days in which a cron fires.
    pub(super) cells: Vec<Cell>,
    /// The names of the days with the places where they stand.
    pub(super) days: Vec<Label>,
    /// The names of the hours with the places where they stand.
    pub(super) hours: Vec<Label>,
    /// The minutes in which several crons fire, at most 20.
    pub(super) collisions: Vec<Collision>,
    /// The crons that fire too often for the calendar.
    pub(super) frequent: Vec<String>,
    /// The changes of clocks in the next seven days.
    pub(super) clock_changes: Vec<ClockChange>,
    /// True if there are more crons than were computed.
    pub(super) is_cut: bool,
}

/// A firing.
pub(super) struct Firing {
    /// The time.
    pub(super) moment: Moment,
    /// The time in the zone of the cron.
    pub(super) local: String,
    /// The name of the cron.
    pub(super) cron: String,
}

/// An hour in which crons fire.
pub(super) struct Cell {
    /// Its left edge.
    pub(super) x: usize,
    /// Its upper edge.
    pub(super) y: usize,
    /// How many firings it has, from 1 to 4; 4 is more.
    pub(super) level: u8,
    /// The hour and its firings, in words.
    pub(super) title: String,
}

/// A text of the calendar.
pub(super) struct Label {
    /// Its left edge.
    pub(super) x: usize,
    /// Its base line.
    pub(super) y: usize,
    /// The text.
    pub(super) text: String,
}

/// A minute in which several crons fire.
pub(super) struct Collision {
    /// The minute.
    pub(super) moment: Moment,
    /// The names of the crons.
    pub(super) crons: Vec<String>,
    /// The number of crons that are not named.
    pub(super) more: usize,
}

/// A change of the clock of a time zone.
pub(super) struct ClockChange {
    /// The time zone.
    pub(super) zone: String,
    /// The moment.
    pub(super) moment: Moment,
    /// The local time after the change.
    pub(super) local: String,
}

impl Calendar {
    /// Returns the calendar of these crons.
    pub(super) fn new(crons: &[Cron], now: Timestamp) -> Calendar {
        let first_day = now.ms().div_euclid(DAY_MS) * DAY_MS;
        let until = Timestamp::from_ms(first_day + DAYS * DAY_MS);
        let (mut left, mut is_cut) = (MOST_COMPUTED, false);
        let (mut firings, mut frequent): (Vec<(Timestamp, &Cron)>, Vec<String>) = <_>::default();
        for cron in crons.iter().filter(|cron| !cron.paused) {
            if left == 0 {
                is_cut = true;
                break;
            }
            let ticks = std::iter::successors(cron.next_run, |tick| cron.spec.next(*tick));
            let ticks = ticks.take_while(|tick| *tick < until).take(MOST_FIRINGS.min(left));
            let ticks: Vec<Timestamp> = ticks.collect();
            left -= ticks.len();
            match ticks.len() == MOST_FIRINGS {
                true => frequent.push(cron.name.to_string()),
                false => firings.extend(ticks.into_iter().map(|tick| (tick, cron))),
            }
        }
        firings.sort_by(|a, b| (a.0, a.1.name.as_str()).cmp(&(b.0, b.1.name.as_str())));
        let in_day = firings.iter().filter(|(at, _)| at.ms() < now.ms() + DAY_MS).count();
        let listed = in_day.min(MOST_LISTED);
        Calendar {
            day: firings.iter().take(listed).map(|one| firing(one, now)).collect(),
            more_in_day: match in_day > listed {
                true => format!("the first {listed} of {in_day}"),
                false => String::new(),
            },
            cells: cells(&firings, first_day),
            days: (0..DAYS).map(|day| day_label(first_day, day)).collect(),
            hours: (0..24).step_by(3).map(hour_label).collect(),
            collisions: collisions(&firings, now),
            frequent,
            clock_changes: clock_changes(crons, now, until),
            is_cut,
        }
    }

    /// Returns the width of the calendar.
    pub(super) fn width(&self) -> usize {
        DAY_WIDTH + 24 * CELL.0
    }

    /// Returns the height of the calendar.
    pub(super) fn height(&self) -> usize {
        HOUR_HEIGHT + DAYS as usize * CELL.1
    }

    /// Returns true if there is something to show.
    pub(super) fn any(&self) -> bool {
        !self.cells.is_empty() || !self.frequent.is_empty()
    }
}

fn firing((at, cron): &(Timestamp, &Cron), now: Timestamp) -> Firing {
    Firing {
        moment: Moment::new(*at, now),
        local: cron.spec.time_zone.format(*at),
        cron: cron.name.to_string(),
    }
}

/// Returns the hours in which crons fire.
fn cells(firings: &[(Timestamp, &Cron)], first_day: i64) -> Vec<Cell> {
    let mut hours: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (at, cron) in firings {
        let hour = (at.ms() - first_day).div_euclid(HOUR_MS);
        hours.entry(hour).or_default().push(cron.name.as_str());
    }
    let cell = |(hour, names): (i64, Vec<&str>)| {
        let fired = names.len();
        let mut names = names;
        names.sort_unstable();
        names.dedup();
        let begin = Timestamp::from_ms(first_day + hour * HOUR_MS).to_string();
        let begin = begin.replace('T', " ").chars().take(16).collect::<String>();
        let named = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        Cell {
            x: DAY_WIDTH + (hour % 24) as usize * CELL.0,
            y: HOUR_HEIGHT + (hour / 24) as usize * CELL.1,
            level: fired.min(4) as u8,
            title: format!("from {begin} UTC: {} of {named}", count(fired as u64, "firing")),
        }
    };
    hours.into_iter().filter(|(hour, _)| (0..24 * DAYS).contains(hour)).map(cell).collect()
}

fn day_label(first_day: i64, day: i64) -> Label {
    let text =
        domain::cron::TimeZone::default().format(Timestamp::from_ms(first_day + day * DAY_MS));
    let y = HOUR_HEIGHT + day as usize * CELL.1 + 15;
    // Like `Mon 11-30`.
    let text = format!("{} {}", &text[..3], text.get(9..14).unwrap_or_default());
    Label { x: 0, y, text }
}

fn hour_label(hour: usize) -> Label {
    Label { x: DAY_WIDTH + hour * CELL.0, y: 12, text: format!("{hour:02}:00") }
}

/// Returns the minutes in which several crons fire.
fn collisions(firings: &[(Timestamp, &Cron)], now: Timestamp) -> Vec<Collision> {
    let mut minutes: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (at, cron) in firings {
        let names = minutes.entry(at.ms().div_euclid(60_000)).or_default();
        if !names.contains(&cron.name.as_str()) {
            names.push(cron.name.as_str());
        }
    }
    let several = minutes.into_iter().filter(|(_, names)| names.len() > 1);
    let collision = |(minute, names): (i64, Vec<&str>)| Collision {
        moment: Moment::new(Timestamp::from_ms(minute * 60_000), now),
        more: names.len().saturating_sub(5),
        crons: names.into_iter().take(5).map(ToOwned::to_owned).collect(),
    };
    several.take(MOST_LISTED).map(collision).collect()
}

fn clock_changes(crons: &[Cron], now: Timestamp, until: Timestamp) -> Vec<ClockChange> {
    let zones = crons.iter().filter(|cron| !cron.paused).map(|cron| cron.spec.time_zone);
    let zones: BTreeMap<String, domain::cron::TimeZone> =
        zones.map(|zone| (zone.to_string(), zone)).collect();
    let change = |(name, zone): (String, domain::cron::TimeZone)| {
        let at = zone.change_between(now, until)?;
        Some(ClockChange { zone: name, moment: Moment::new(at, now), local: zone.format(at) })
    };
    zones.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests;
