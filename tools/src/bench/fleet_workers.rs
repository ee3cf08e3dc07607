//! The workers of the fleet, which start no jobs while the bench only submits some.

use std::time::Duration;

use anyhow::anyhow;
use client::command::{CommandError, note};
use client::wire::Worker;
use client::{ApiClient, ClientError};
use futures_util::future::LocalBoxFuture;

/// Time for a worker to act on the hint that it is drained.
const SETTLE: Duration = Duration::from_millis(500);

/// The workers that are alive and not drained.
pub(crate) struct FleetWorkers<'a> {
    api: &'a ApiClient,
    workers: Vec<Worker>,
}

impl FleetWorkers<'_> {
    /// Finds them. It is an error if there are none.
    pub(crate) async fn find(api: &ApiClient) -> Result<FleetWorkers<'_>, CommandError> {
        let workers = running(api).await?;
        if workers.is_empty() {
            let text = "no worker is running: start one, or resume those that are drained";
            return Err(anyhow!(text).into());
        }
        Ok(FleetWorkers { api, workers })
    }

    /// Does some work while none of them starts a job. Afterwards, also after an error or Ctrl-C,
    /// they start jobs again.
    pub(crate) async fn while_drained<T>(
        &self,
        work: LocalBoxFuture<'_, Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let result = tokio::select! {
            result = self.drain_and(work) => result,
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted").into()),
        };
        self.resume().await?;
        result
    }

    async fn drain_and<T>(
        &self,
        work: LocalBoxFuture<'_, Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        self.command("drain").await?;
        tokio::time::sleep(SETTLE).await;
        work.await
    }

    /// Lets them start jobs again.
    pub(crate) async fn resume(&self) -> Result<(), ClientError> {
        self.command("resume").await
    }

    /// Sends a command to each worker. One that has ended meanwhile is left out.
    async fn command(&self, command: &str) -> Result<(), ClientError> {
        for Worker { id, .. } in &self.workers {
            match self.api.command(&format!("/workers/{id}/{command}")).await {
                Err(ClientError::Refused(refusal)) => {
                    note(format!("bench: worker {id}: {refusal}"));
                }
                other => other?,
            }
        }
        Ok(())
    }
}

/// The workers that are alive and not drained.
pub(crate) async fn running(api: &ApiClient) -> Result<Vec<Worker>, ClientError> {
    let mut workers: Vec<Worker> = api.page("/workers", &[]).await?.items("workers")?;
    workers.retain(|worker| worker.status == "running");
    Ok(workers)
}
