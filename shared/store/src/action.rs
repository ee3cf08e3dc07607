//! Actions: what their jobs have by default, and what operators have configured.

mod announced;
mod config;
mod defaults;

pub use config::ActionConfig;
pub use defaults::{ActionDefaults, AllDefaults, RunningPer};
