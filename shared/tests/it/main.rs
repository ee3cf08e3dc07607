//! The store's scripts and the broker, on a real Redis and a real RabbitMQ: what each promises, what it refuses,
//! and that a refusal changes nothing.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod broker;
mod cron_oracle;
mod crons;
mod finishing;
mod history;
mod leases;
mod listing;
mod locks;
mod log;
mod lost;
mod model;
mod outbox;
mod relations;
mod same;
mod starting;
mod stopping;
mod subscriptions;
mod tls;
mod world;
