//! The tasks that run beside serving. The first failure ends the service.

use std::time::Duration;

use tokio::task::JoinSet;

use super::error::RunError;

/// How long tasks may take to end after serving has ended.
const GRACE: Duration = Duration::from_secs(10);

/// The background tasks; dropping them aborts them.
#[derive(Default)]
pub(super) struct BackgroundTasks(JoinSet<Result<(), RunError>>);

impl BackgroundTasks {
    /// Spawns a task that cannot fail.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.try_spawn(async {
            task.await;
            Ok(())
        });
    }

    /// Spawns a task that can fail.
    pub(super) fn try_spawn(
        &mut self,
        task: impl Future<Output = Result<(), RunError>> + Send + 'static,
    ) {
        self.0.spawn(task);
    }

    /// Waits for the first task that fails. Tasks that end without an error are ignored.
    pub(super) async fn first_failure(&mut self) -> RunError {
        loop {
            match self.0.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => return RunError::Task(error),
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all tasks have ended, for a limited time.
    pub(super) async fn join(mut self) {
        let joining = async { while self.0.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, joining).await.is_err() {
            tracing::warn!("aborted background tasks that did not end in time");
        }
    }
}
