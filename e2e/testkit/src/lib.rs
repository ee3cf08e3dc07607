//! What tests of every crate are built from: [`TestEnv`], the consistency check over the whole store, a proxy that can
//! be cut, a private Redis that can be killed. Imports `domain`, `store` and `broker`, and no service.

#![expect(clippy::panic, reason = "a panic is how a test fails")]

mod consistency;
mod env;
mod fixtures;
mod proxy;
mod receiver;
mod redis;
mod service;

pub use consistency::{assert_consistent, disagreements};
pub use env::{LIMIT, TestEnv, service_url};
pub use fixtures::{beat, job, jobs};
pub use proxy::Proxy;
pub use receiver::{Received, Receiver, Reply};
pub use redis::Redis;
pub use service::{Service, serve};
