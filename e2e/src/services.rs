//! The services of a test environment, each with settings as its flags would give them.

use testkit::{Service, TestEnv, serve};

/// Starts services in a [`TestEnv`]. The lease is short, so that tests see leases end soon.
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
        let config: scheduler::Config = self.config(&with_lease(flags));
        serve(|shutdown| scheduler::run(config, shutdown))
    }

    fn worker_with(&self, flags: &[&str]) -> Service {
        let config: worker::Config = self.config(&with_lease(flags));
        serve(|asked| worker::run(config, worker::Shutdown { asked, ..Default::default() }))
    }
}

fn with_lease<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["--lease=2s"];
    all.extend(flags);
    all
}
