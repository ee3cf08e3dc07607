//! Crons: the schedule, the definition, and which firings are due.
//!
//! A schedule is a Unix crontab line with an optional leading field of seconds. The `cron` crate
//! finds the next time of day in the months that a line allows. This module adds what that crate
//! lacks: Unix numbers for weekdays (the crate counts from 1), "either" between the two day fields
//! (the crate requires both), `L`, `W` and `#`, errors that name the field, and changes of the
//! clock.

mod calendar;
mod days;
mod description;
mod due;
mod error;
mod field;
mod schedule;
mod spec;
mod time_zone;

pub use due::{Due, MAX_CAUGHT_UP, due};
pub use error::InvalidSchedule;
pub use schedule::Schedule;
pub use spec::{Cause, CronSpec, Firing, Misfire, Overlap, job_id};
pub use time_zone::{TimeZone, UnknownTimeZone};

pub use crate::names::CronName;
