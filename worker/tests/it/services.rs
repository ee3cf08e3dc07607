//! Services for these tests, each with settings as its flags would give them.

use testkit::{Service, TestEnv, serve};

/// Starts services in a [`TestEnv`].
pub(crate) trait StartServices {
    fn scheduler(&self) -> Service;
    fn worker_with(&self, flags: &[&str]) -> Service;

    fn worker(&self, capacity: &str) -> Service {
        self.worker_with(&[&format!("--capacity={capacity}")])
    }
}

impl StartServices for TestEnv {
    fn scheduler(&self) -> Service {
        let config: scheduler::Config = self.config(&["--lease=2s"]);
        serve(|shutdown| scheduler::run(config, shutdown))
    }

    fn worker_with(&self, flags: &[&str]) -> Service {
        let mut all = vec!["--lease=2s"];
        all.extend(flags);
        let config: worker::Config = self.config(&all);
        serve(|asked| worker::run(config, worker::Shutdown { asked, ..Default::default() }))
    }
}
