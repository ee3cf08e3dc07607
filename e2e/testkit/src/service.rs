//! A service that runs in the process of its test.

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running service. Dropping it requests a graceful stop and does not wait.
pub struct Service {
    task: JoinHandle<()>,
    guard: DropGuard,
}

impl Service {
    /// Stops the service gracefully, as SIGTERM does, and waits for its end.
    pub async fn stop(self) {
        drop(self.guard);
        self.task.await.expect("the service does not panic");
    }

    /// Ends the service at once, as SIGKILL does.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Starts a service. An error of the service fails the test.
pub fn serve<Running, Error>(run: impl FnOnce(CancellationToken) -> Running) -> Service
where
    Running: Future<Output = Result<(), Error>> + Send + 'static,
    Error: std::fmt::Debug,
{
    let shutdown = CancellationToken::new();
    let guard = shutdown.clone().drop_guard();
    let running = run(shutdown);
    #[expect(clippy::disallowed_methods, reason = "the returned handle owns the task")]
    let task = tokio::spawn(async move { running.await.expect("the service does not fail") });
    Service { task, guard }
}
