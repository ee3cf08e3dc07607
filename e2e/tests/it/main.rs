//! Whole-system tests: services of one env, looked at from outside.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod capacity;
mod competition;
mod crons;
mod life;
mod locks;
mod lost;
mod network;
mod outage;
mod registry;
mod road;
mod stop;
mod subscriptions;
mod world;
