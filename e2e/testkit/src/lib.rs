//! The building blocks of tests in every crate: [`TestEnv`], the consistency check over the whole
//! store, a proxy whose connections can be cut, and a private Redis that can be killed.
//!
//! Imports `domain`, `store`, `broker` and `devserver`. It imports no service.

#![expect(clippy::panic, reason = "a panic is how a test fails")]

mod actions_file;
mod consistency;
mod env;
mod fake_clock;
mod fixtures;
mod gate;
mod private_redis;
mod private_sentinels;
mod process_group;
mod proxy;
mod receiver;
mod redis_cli;
mod service;

pub use actions_file::ActionsFile;
pub use consistency::{assert_consistent, disagreements};
pub use env::{DEADLINE, TestEnv, environment_variable};
pub use fake_clock::FakeClock;
pub use fixtures::{heartbeat, job, jobs, shared_queue, with_parameters};
pub use gate::Gate;
pub use private_redis::PrivateRedis;
pub use private_sentinels::PrivateSentinels;
pub use process_group::is_process_group_empty;
pub use proxy::Proxy;
pub use receiver::{Received, Receiver, Reply};
pub use redis_cli::redis_cli;
pub use service::{Service, serve};
