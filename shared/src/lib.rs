//! What two services of Capstan must agree on.
//!
//! `job`, `bounds`, `capacity`, `lock`, `cron`, `event` and `subscription` are pure. `store` is the only place that knows
//! Redis, `broker` the only one that knows AMQP, `config` the only one that reads the environment.

pub mod bounds;
pub mod broker;
pub mod capacity;
pub mod config;
pub mod cron;
pub mod event;
#[doc(hidden)]
pub mod fuzzing;
pub mod group;
pub mod job;
pub mod lock;
pub mod queue;
pub mod store;
pub mod subscription;
pub mod telemetry;
pub mod tokens;
pub mod watch;
