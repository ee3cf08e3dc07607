//! Whole-system tests: services that run in the process of a test, observed from outside.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod batching;
mod broker_faults;
mod cancellation;
mod capacity;
mod cli;
mod clock_steps;
mod crons;
mod debounce;
mod dependencies;
mod docs;
mod example_network;
mod example_registry;
mod failover;
mod fairness;
mod hostile_tenant;
mod job_path;
mod locks;
mod lost_leases;
mod lost_writes;
mod mixed_fleets;
mod monitoring;
mod network_faults;
mod order;
mod outage;
mod queue_retirement;
mod redis_users;
mod sentinel;
mod series;
mod status;
mod subscriptions;
mod top;
mod unreadable_records;
mod worker_commands;
mod worker_shutdown;
