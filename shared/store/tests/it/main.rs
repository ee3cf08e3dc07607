//! The scripts of the store on a real Redis: what each promises, what it refuses, and that a
//! refusal changes nothing.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod calls;
mod cancel;
mod claim;
mod crons;
mod finish;
mod history;
mod idempotency;
mod leases;
mod lists;
mod locks;
mod log;
mod model;
mod order;
mod outbox;
mod queue_limits;
mod redis_commands;
mod relations;
mod retirement;
mod routing;
mod subscriptions;
mod unreadable;
mod worker_loss;
