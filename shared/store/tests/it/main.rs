//! The scripts of the store on a real Redis: what each promises, what it refuses, and that a
//! refusal changes nothing.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod audit;
mod batching;
mod bulk;
mod calendar_limits;
mod calls;
mod cancel;
mod chains;
mod checkpoints;
mod claim;
mod crons;
mod debounce;
mod events;
mod fairness;
mod finish;
mod format;
mod held_back;
mod history;
mod idempotency;
mod leases;
mod limits;
mod lists;
mod locks;
mod log;
mod lost_writes;
mod model;
mod order;
mod outbox;
mod queue_limits;
mod quotas;
mod redis_commands;
mod relations;
mod retirement;
mod routing;
mod script_costs;
mod series;
mod services;
mod signals;
mod subscriptions;
mod unreadable;
mod windows;
mod worker_loss;
