//! The domain of Capstan as values: jobs, capacity, locks, crons, events and subscriptions, and the
//! rules for valid ones.
//!
//! No I/O, no clock, no async; only new ids and secrets come from outside, as random bits. Imports
//! no other crate of the workspace; every other crate may import it.

pub mod access_tokens;
pub mod bounds;
pub mod capacity;
pub mod cron;
pub mod event;
pub mod explanation;
pub mod failure;
#[doc(hidden)]
pub mod fuzzing;
pub mod host_list;
pub mod job;
pub mod limit;
pub mod lock;
mod names;
mod priority;
pub mod queue;
pub mod scaling;
pub mod search;
pub mod series;
pub mod settings;
pub mod signal;
pub mod spans;
pub mod subscription;
mod time;
