//! The loop that tells clients of Socket.IO what happens, while there are any.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use shared::job::{Job, JobId, Status};
use shared::store::{Change, Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::logs::{Logs, Said};
use super::message::of_job;
use super::{EVENTS, JOBS, LEVELS, Sockets};
use crate::events::{Follow, Hub, Step};

/// How often the logs of what runs are read.
const PERIOD: Duration = Duration::from_millis(250);

impl Sockets {
    /// Tells until `shutdown`, then closes every connection.
    pub(crate) async fn tell(self, hub: Hub, store: Store, shutdown: CancellationToken) {
        let telling = async {
            loop {
                while self.io.sockets().is_empty() {
                    self.connected.notified().await;
                }
                if let Err(error) = self.tell_while_heard(&hub, &store).await {
                    tracing::debug!(%error, "nothing can be told now");
                    tokio::time::sleep(PERIOD).await;
                }
                self.followed.send_replace(false);
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = telling => {}
        }
        self.io.close().await;
    }

    async fn tell_while_heard(&self, hub: &Hub, store: &Store) -> Result<(), StoreError> {
        let mut follow = Follow::new(hub, None).await?;
        let mut logs = Logs::new(store).await?;
        self.followed.send_replace(true);
        let mut looked = Instant::now();
        while !self.io.sockets().is_empty() {
            match follow.next(PERIOD).await {
                Step::Changes(changes) | Step::Lost(_, changes) => {
                    self.tell_changes(&changes, store, &mut logs).await?;
                }
                Step::Silence => {}
                Step::TooSlow => {
                    tracing::warn!(
                        "clients of Socket.IO were not told everything: it was too much"
                    );
                    return Ok(());
                }
            }
            if looked.elapsed() >= PERIOD {
                looked = Instant::now();
                self.tell_lines(logs.said().await?).await;
            }
        }
        Ok(())
    }

    async fn tell_changes(
        &self,
        changes: &[Change],
        store: &Store,
        logs: &mut Logs,
    ) -> Result<(), StoreError> {
        let ids = changes.iter().filter_map(|change| change.fields.get("job")?.parse().ok());
        let ids: Vec<JobId> = ids.collect();
        let hear_jobs = !self.io.within(JOBS).sockets().is_empty();
        let hear_logs = !self.io.within(LEVELS).sockets().is_empty();
        let asked: &[JobId] = if hear_jobs { &ids } else { &[] };
        let jobs = store.jobs_by_id(asked).await?;
        let jobs: HashMap<JobId, Job> = jobs.into_iter().map(|job| (job.id, job)).collect();
        let next = store.next_numbers(asked).await?;
        for change in changes {
            let text = |name: &str| change.fields.get(name).map(String::as_str).unwrap_or_default();
            let Ok(id) = text("job").parse::<JobId>() else { continue };
            let status: Option<Status> = text("status").parse().ok();
            if status == Some(Status::Running) {
                logs.begin(id, text("number").parse().unwrap_or(0), text("action"));
            }
            // Its last lines come before the word that it has ended.
            if status.is_some_and(Status::is_final) {
                let said = logs.end(id).await?;
                if hear_logs {
                    self.tell_lines(said).await;
                }
            }
            if let Some(message) = of_job(change, jobs.get(&id), next.get(&id).copied()) {
                self.emit(&[JOBS], &message).await;
            }
        }
        Ok(())
    }

    async fn tell_lines(&self, said: Vec<Said>) {
        for (rooms, line) in said {
            self.emit(rooms, &line).await;
        }
    }

    async fn emit(&self, rooms: &'static [&'static str], message: &(impl Serialize + ?Sized)) {
        // A client that is too slow misses it.
        if let Err(error) = self.io.to(rooms).emit(EVENTS, message).await {
            tracing::debug!(%error, "a message was not taken by every client");
        }
    }
}
