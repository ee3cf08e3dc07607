//! The vocabulary of Capstan as values: what a job, a capacity map, a lock, a cron and an event are, and what is
//! valid. Imports no other crate of the workspace. No I/O, no clock, no async.

pub mod access_tokens;
pub mod bounds;
pub mod capacity;
pub mod cron;
pub mod event;
#[doc(hidden)]
pub mod fuzzing;
pub mod job;
pub mod lock;
pub mod names;
pub mod priority;
pub mod queue;
pub mod settings;
pub mod subscription;
pub mod time;
