//! What an action is given when it runs.

pub(crate) mod checkpoint;
pub(crate) mod child;
pub(crate) mod child_jobs;
pub(crate) mod last_report;
pub(crate) mod log_writer;
pub(crate) mod progress;
pub(crate) mod rate_limits;
pub(crate) mod retrying_store;
pub(crate) mod signals;
pub(crate) mod stop;

use std::time::Duration;

use domain::job::{ClaimedJob, FencingToken, GoDuration, JobId};
use domain::lock::Locks;
use domain::signal::{SignalName, SignalWait};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::LogSource;

use checkpoint::{CheckpointError, Checkpoints};
use child::Child;
use child_jobs::{ChildJobs, SpawnError};
use log_writer::JobLog;
use progress::{Progress, ProgressError, ProgressReporter};
use rate_limits::{HoldBackError, RateLimits};
use signals::Signals;
use stop::{StopReason, StopSignal, stop_requested};

/// Everything that one run of an action may use.
pub struct Context {
    /// The job, with its parameters.
    pub job: ClaimedJob,
    /// The job's log.
    pub log: JobLog,
    /// The job's progress.
    pub progress: ProgressReporter,
    /// The checkpoint of the run before, and those of this run.
    pub checkpoints: Checkpoints,
    /// The job's child jobs.
    pub children: ChildJobs,
    /// The job's rate limits.
    pub rate_limits: RateLimits,
    /// The signal that continued the job, and the one for which it waits.
    pub signals: Signals,
    /// How long the action may take to stop after a stop request.
    pub stop_timeout: Duration,
    /// The stop request, if there is one.
    pub stop: StopSignal,
}

impl Context {
    /// Returns the fencing token of this run. Pass it to the systems that the job writes to, so
    /// that they can refuse writes of an older run.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.job.token
    }

    /// Returns the locks that the job holds, with the permits of each. [`Context::token`] is the
    /// fencing token of all of them: a later holder has a larger one.
    #[must_use]
    pub fn locks(&self) -> &Locks {
        &self.job.spec.locks
    }

    /// Creates child jobs and returns their ids, in order. A repeated run does not create a child a
    /// second time: see [`Child::key`].
    pub async fn spawn(&self, children: Vec<Child>) -> Result<Vec<JobId>, SpawnError> {
        self.children.spawn(children).await
    }

    /// Makes the job wait for its children after the action succeeds. The job occupies no worker
    /// while it waits, and fails if a child does not succeed.
    pub fn await_children(&self) {
        self.children.await_children();
    }

    /// Appends a line to the job's log; waits while the log's buffer is full.
    pub async fn log(&self, line: impl Into<String>) {
        self.log.line(LogSource::Stdout, line).await;
    }

    /// Reports progress. Never waits; of several reports within a second only the last is written.
    pub fn progress(&self, progress: Progress) -> Result<(), ProgressError> {
        self.progress.report(progress)
    }

    /// Saves a state from which the next run of the job continues, whatever ends this run. Never
    /// waits; of several states within a second only the last is written.
    pub fn checkpoint(&self, state: &impl Serialize) -> Result<(), CheckpointError> {
        self.checkpoints.save(state)
    }

    /// Returns the state that an earlier run of the job saved last. `None` means that the run starts
    /// from the beginning.
    pub fn resume<State: DeserializeOwned>(&self) -> Result<Option<State>, CheckpointError> {
        self.checkpoints.resume()
    }

    /// Returns the body of the signal that continued the job, or `{"timedOut":true}` if it was not
    /// sent in time. `None` means that the job has not waited for a signal.
    pub fn signal<Body: DeserializeOwned>(&self) -> Result<Option<Body>, serde_json::Error> {
        self.signals.received()
    }

    /// Makes the job wait for a signal after the action succeeds, for at most `timeout`. The job
    /// occupies no worker while it waits. A new run continues it, which reads the signal.
    pub fn wait_for_signal(&self, name: SignalName, timeout: GoDuration) {
        self.signals.wait_for(SignalWait { signal: name, timeout, roles: Vec::new() });
    }

    /// Lets no job start under a rate limit of this job for some time, because the service that it
    /// calls has requested a pause, for example by `Retry-After`.
    pub async fn hold_back(&self, rate: &str, time: Duration) -> Result<(), HoldBackError> {
        self.rate_limits.hold_back(rate, time).await
    }

    /// Returns why the job must stop, or `None`. Check it between two steps of a long computation.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        *self.stop.borrow()
    }

    /// Returns when the job must stop: it is cancelled, past its deadline, its worker is shutting
    /// down, or its claim is lost.
    pub async fn stopped(&self) {
        stop_requested(&mut self.stop.clone()).await;
    }
}
