//! The scripts of the store on a real Redis: what each promises, what it refuses, and that a refusal changes nothing.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails")]

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
mod world;
