//! A development server: a private Redis and RabbitMQ, then the scheduler, the workers and the API,
//! as child processes.
//!
//! `capstan up`, `./dev` and the test environment share this implementation. It imports no other
//! crate of the workspace: it knows the services only as programs and environment variables.
//!
//! From the bottom up: `error`, `ports` ← `probe`, `log`, `run` ← `process` ← `redis`, `rabbitmq`
//! ← `servers`, `services`.

mod error;
mod log;
mod ports;
mod probe;
mod process;
mod rabbitmq;
mod redis;
mod run;
mod servers;
mod services;

pub use error::Error;
pub use log::Log;
pub use ports::free_port;
pub use probe::Probe;
pub use process::Process;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use run::{MARK, Run};
pub use servers::Servers;
pub use services::{Services, Settings};
