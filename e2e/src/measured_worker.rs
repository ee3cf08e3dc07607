//! A worker whose metrics a test reads.

use testkit::{Service, TestEnv};

use crate::services::StartServices;

/// A worker with an admin listener.
pub struct MeasuredWorker {
    service: Service,
    url: String,
}

impl MeasuredWorker {
    /// Starts a worker that knows these actions, with these flags.
    #[must_use]
    pub fn start(env: &TestEnv, actions: &[&str], flags: &[&str]) -> MeasuredWorker {
        let port = devserver::free_port().expect("a port is free");
        let admin = format!("--admin-listen=127.0.0.1:{port}");
        let service = env.worker_that_knows(actions, &[flags, &[&admin]].concat());
        MeasuredWorker { service, url: format!("http://127.0.0.1:{port}/metrics") }
    }

    /// Reads a counter, such as `refused_jobs`.
    pub async fn count(&self, counter: &str) -> u64 {
        let answer = reqwest::get(&self.url).await.expect("the worker serves its metrics");
        let text = answer.text().await.expect("the metrics are a text");
        let prefix = format!("capstan_worker_{counter}_total ");
        let value = text.lines().find_map(|line| line.strip_prefix(&prefix));
        let value = value.and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no counter {counter} in\n{text}"))
    }

    /// Stops the worker.
    pub async fn stop(self) {
        self.service.stop().await;
    }
}
