//! Starts the services of a test environment in the process of the test.

use std::time::Duration;

use serde_json::Value;
use testkit::{Service, TestEnv, serve};
use worker::{Context, Shutdown, Worker};

/// Long, so that a busy machine does not make workers lose their lease.
const LEASE: &str = "--lease=10s";

/// A flag for services in tests of workers that lose their lease.
pub const SHORT_LEASE: &str = "--lease=3s";

/// Starts services in a [`TestEnv`].
pub trait StartServices {
    /// Starts a scheduler with these flags.
    #[must_use]
    fn scheduler_with(&self, flags: &[&str]) -> Service;

    /// Starts a worker with these flags.
    #[must_use]
    fn worker_with(&self, flags: &[&str]) -> Service;

    /// Starts a worker with these flags that also knows these actions. They sleep for `seconds`, a
    /// parameter that is 0 by default.
    #[must_use]
    fn worker_that_knows(&self, actions: &[&str], flags: &[&str]) -> Service;

    /// Starts a scheduler.
    #[must_use]
    fn scheduler(&self) -> Service {
        self.scheduler_with(&[])
    }

    /// Starts a worker with this capacity.
    #[must_use]
    fn worker(&self, capacity: &str) -> Service {
        self.worker_with(&[&format!("--capacity={capacity}")])
    }
}

impl StartServices for TestEnv {
    fn scheduler_with(&self, flags: &[&str]) -> Service {
        let config: scheduler::Config = self.config(&[&[LEASE], flags].concat());
        serve(|shutdown| scheduler::run(config, shutdown))
    }

    fn worker_with(&self, flags: &[&str]) -> Service {
        let config: worker::Config = self.config(&[&[LEASE], flags].concat());
        serve(|requested| worker::run(config, Shutdown { requested, ..Shutdown::default() }))
    }

    fn worker_that_knows(&self, actions: &[&str], flags: &[&str]) -> Service {
        let mut worker = Worker::new(self.config(&[&[LEASE], flags].concat()));
        for name in actions {
            worker = worker.action(name, sleep);
        }
        serve(|requested| worker.run_until(Shutdown { requested, ..Shutdown::default() }))
    }
}

async fn sleep(parameters: Value, _context: Context) -> anyhow::Result<()> {
    let seconds = parameters["seconds"].as_f64().unwrap_or_default();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    Ok(())
}
