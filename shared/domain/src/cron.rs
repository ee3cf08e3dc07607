//! Crons: the line that says when, the definition of what, and which firings are due. Pure: no clock, no I/O.
//!
//! The line is Unix cron's with a leading field of seconds (or without: then at second 0). The `cron` crate walks the
//! calendar; what it does otherwise is set right here: it numbers weekdays from 1, Unix from 0; it joins the two day
//! fields with "and", Unix with "or"; it knows no `L`, `W` or `#`; it skips what falls into a gap of the clock.

mod calendar;
mod days;
mod field;
mod firing;
mod line;
mod spec;
mod words;
mod zone;

pub use firing::{Due, MAX_CAUGHT_UP, due};
pub use line::{InvalidSchedule, Schedule};
pub use spec::{Cause, CronSpec, Firing, Misfire, Overlap, job_id};
pub use zone::{TimeZone, UnknownTimeZone};

pub use crate::names::CronName;

use field::Kind;
