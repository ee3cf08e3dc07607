//! Crons: set, read, deleted and run on demand; and their ticks made into jobs.

mod delete;
mod due;
mod fire;
mod firing;
mod read;
mod run;
mod set;

pub use due::{DueCron, DueCrons};
pub use fire::FireAnswer;
pub use read::{Cron, Skip};
pub use set::{CronSet, SetCron};
