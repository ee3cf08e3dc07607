//! Starts the services of a test environment in the process of the test.

use testkit::{Service, TestEnv, serve};

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
        serve(|requested| worker::run(config, worker::Shutdown { requested, ..Default::default() }))
    }
}
