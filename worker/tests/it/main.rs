//! Actions as jobs see them: real workers, Redis, RabbitMQ and processes, observed from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod checkpoints;
mod child_jobs;
mod commands;
mod deliveries;
mod env;
mod escape;
mod examples;
mod functions;
mod logs;
mod progress;
mod rate_limits;
mod resource_limits;
mod signals;
mod test_server;
mod webhook_addresses;
mod webhooks;
mod worker_death;
