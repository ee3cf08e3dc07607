//! Whole-system tests: the services of a test environment, and what they did, read from the events.

mod services;
mod timeline;

pub use services::StartServices;
pub use testkit::{
    LIMIT, Proxy, Received, Receiver, Redis, Reply, Service, TestEnv, assert_consistent, beat,
    disagreements, job, jobs, serve, service_url,
};
pub use timeline::{Idle, Run, Timeline};
