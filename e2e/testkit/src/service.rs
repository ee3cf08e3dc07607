//! A service that runs inside the test's process.

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running service. Dropping the handle asks it to stop.
pub struct Service {
    task: JoinHandle<()>,
    guard: DropGuard,
}

impl Service {
    /// Stops it as SIGTERM does, and waits until it has stopped.
    pub async fn stop(self) {
        drop(self.guard);
        self.task.await.expect("the service stops without a panic");
    }

    /// Ends it in the middle of whatever it does, as SIGKILL does to its process.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Runs a service until its handle is dropped; an error of the service fails the test.
pub fn serve<Running, Error>(run: impl FnOnce(CancellationToken) -> Running) -> Service
where
    Running: Future<Output = Result<(), Error>> + Send + 'static,
    Error: std::fmt::Debug,
{
    let shutdown = CancellationToken::new();
    let guard = shutdown.clone().drop_guard();
    let running = run(shutdown);
    #[expect(clippy::disallowed_methods, reason = "the handle owns the task, as a process would")]
    let task = tokio::spawn(async move { running.await.expect("the service runs") });
    Service { task, guard }
}
