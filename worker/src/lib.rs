//! The worker: consumes offers that fit its capacity, claims jobs, runs them, and records how they
//! ended. It keeps no durable state: when it dies, its lease expires and its jobs move on.
//!
//! An offer becomes a running job in five steps. `engine/intake/consumer.rs` receives the offer
//! from the broker, and `engine/intake.rs` hands it to the admission.
//! `engine/admission/decisions.rs` decides that some of its jobs fit, reserves their capacity and
//! orders a claim. `engine/store_batcher.rs` claims the jobs in the store; the offer is
//! acknowledged once none of its jobs is left to claim. `engine/attempt.rs` runs the action of each
//! claimed job with a `context`. The store batcher records the outcome, and the admission frees the
//! capacity.
//!
//! The modules form layers. A module may import from the layers below its own, and from files of
//! its own layer that do not import it back:
//!
//! ```text
//! worker               builds the actions, starts the engine, serves health and metrics
//! actions  │  engine   what jobs do  │  which jobs run here, and when; neither imports the other
//! action               the `Action` trait, and the registry of a worker's actions
//! context              what a run is given: its job, log, progress, checkpoints, signals, child jobs
//! config, job_user, networks, metrics
//! ```

mod action;
mod actions;
mod config;
mod context;
mod engine;
#[doc(hidden)]
pub mod fuzzing;
mod job_user;
mod metrics;
mod networks;
mod worker;

pub use action::{Action, ActionResult};
pub use actions::LoadError;
pub use config::{Config, Shutdown};
pub use context::Context;
pub use context::checkpoint::{CheckpointError, Checkpoints};
pub use context::child::{Child, InvalidChild};
pub use context::child_jobs::{ChildJobs, SpawnError};
pub use context::log_writer::JobLog;
pub use context::progress::{Progress, ProgressError, ProgressReporter};
pub use context::rate_limits::{HoldBackError, RateLimits};
pub use context::signals::Signals;
pub use context::stop::{StopReason, StopSignal};
pub use domain::job::{DependencyCondition, Exception, GoDuration, JobId};
pub use domain::lock::{LockTemplates, Locks};
pub use domain::signal::{SignalName, SignalWait};
pub use job_user::JobUser;
pub use networks::AllowedNetworks;
pub use store::ActionDefaults;
pub use worker::Worker;

/// Runs a worker that has the built-in actions and those of its actions file, until `shutdown`.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    Worker::new(config).run_until(shutdown).await
}

/// The examples of `docs/rust.md`, compiled as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rust.md")]
mod documentation {}
