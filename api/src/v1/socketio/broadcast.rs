//! The loop that sends changes and log lines to Socket.IO clients, while there are any.

use std::collections::HashMap;
use std::time::Duration;

use domain::job::{Job, JobId, Status};
use serde::Serialize;
use store::{Event, Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::message::job_message;
use super::rooms::{EVENT, JOBS, LEVELS};
use super::running_logs::{LogMessage, RunningLogs};
use super::{SocketIoServer, is_revoked};
use crate::events::{Follower, Hub, Step};

/// How often the logs of running jobs are read.
const PERIOD: Duration = Duration::from_millis(250);

impl SocketIoServer {
    /// Sends messages until `shutdown`, then closes every connection.
    pub(crate) async fn broadcast(self, hub: Hub, store: Store, shutdown: CancellationToken) {
        let sending = async {
            loop {
                while self.io.sockets().is_empty() {
                    self.connected.notified().await;
                }
                if let Err(error) = self.broadcast_while_connected(&hub, &store).await {
                    tracing::debug!(%error, "cannot read events for Socket.IO");
                    tokio::time::sleep(PERIOD).await;
                }
                self.followed.send_replace(false);
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sending => {}
        }
        self.io.close().await;
    }

    async fn broadcast_while_connected(&self, hub: &Hub, store: &Store) -> Result<(), StoreError> {
        let mut follower = Follower::new(hub, None).await?;
        let mut logs = RunningLogs::new(store).await?;
        self.followed.send_replace(true);
        let mut last_read = Instant::now();
        while !self.io.sockets().is_empty() {
            match follower.next(PERIOD).await {
                Step::Events(changes) | Step::Lost(_, changes) => {
                    self.send_changes(&changes, store, &mut logs).await?;
                }
                Step::Silence => {}
                Step::TooSlow => {
                    tracing::warn!("Socket.IO clients missed events, because there were too many");
                    return Ok(());
                }
            }
            if last_read.elapsed() >= PERIOD {
                last_read = Instant::now();
                self.disconnect_revoked();
                self.send_lines(logs.read_new().await?).await;
            }
        }
        Ok(())
    }

    /// Disconnects clients whose tokens are no longer valid. A client that connects by polling
    /// sends its token with each request; a WebSocket would go on.
    fn disconnect_revoked(&self) {
        for socket in self.io.sockets().into_iter().filter(is_revoked) {
            if let Err(error) = socket.disconnect() {
                tracing::debug!(%error, "a client disconnected by itself");
            }
        }
    }

    async fn send_changes(
        &self,
        changes: &[Event],
        store: &Store,
        logs: &mut RunningLogs,
    ) -> Result<(), StoreError> {
        let ids = changes.iter().filter_map(|change| change.fields.get("job")?.parse().ok());
        let ids: Vec<JobId> = ids.collect();
        let has_job_clients = !self.io.within(JOBS).sockets().is_empty();
        let has_log_clients = !self.io.within(LEVELS).sockets().is_empty();
        let needed: &[JobId] = if has_job_clients { &ids } else { &[] };
        let jobs = store.jobs_by_id(needed).await?;
        let jobs: HashMap<JobId, Job> = jobs.into_iter().map(|job| (job.id, job)).collect();
        let next = store.next_numbers(needed).await?;
        for change in changes {
            let text = |name: &str| change.fields.get(name).map(String::as_str).unwrap_or_default();
            let Ok(id) = text("job").parse::<JobId>() else { continue };
            let status: Option<Status> = text("status").parse().ok();
            if status == Some(Status::Running) {
                logs.start(id, text("number").parse().unwrap_or(0), text("action"));
            }
            // The last lines of a job precede its final status.
            if status.is_some_and(Status::is_final) {
                let lines = logs.finish(id).await?;
                if has_log_clients {
                    self.send_lines(lines).await;
                }
            }
            if let Some(message) = job_message(change, jobs.get(&id), next.get(&id).copied()) {
                self.emit(&[JOBS], &message).await;
            }
        }
        Ok(())
    }

    async fn send_lines(&self, lines: Vec<LogMessage>) {
        for (rooms, line) in lines {
            self.emit(rooms, &line).await;
        }
    }

    async fn emit(&self, rooms: &'static [&'static str], message: &(impl Serialize + ?Sized)) {
        // A client that is too slow misses the message.
        if let Err(error) = self.io.to(rooms).emit(EVENT, message).await {
            tracing::debug!(%error, "a message did not reach every client");
        }
    }
}
