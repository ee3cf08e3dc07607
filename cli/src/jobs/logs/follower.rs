//! Follows a log to its end, and opens a new stream whenever one ends early.

use client::command::CommandError;
use client::wire::{Job, LogLine};
use client::{ApiClient, ClientError};
use domain::job::JobId;
use serde::Deserialize;
use serde_json::Value;

use super::line_format::LineFormat;
use crate::lines::LineSplitter;
use crate::outage::{Outage, RECONNECT_PAUSE};

/// The state of following a log.
pub(super) struct Follower<'a> {
    api: &'a ApiClient,
    id: JobId,
    format: LineFormat,
    /// Number of the next line.
    next: u64,
    /// How many lines may still be printed.
    left: u64,
    outage: Outage,
}

impl<'a> Follower<'a> {
    /// Starts at line `next`. A `limit` of 0 means no limit.
    pub(super) fn new(
        api: &'a ApiClient,
        id: JobId,
        next: u64,
        limit: u64,
        format: LineFormat,
    ) -> Follower<'a> {
        let left = if limit == 0 { u64::MAX } else { limit };
        Follower { api, id, format, next, left, outage: Outage::default() }
    }

    /// A stream also ends when the API stops. The log is complete only after a stream that began
    /// when the job had finished has been read to its end.
    pub(super) async fn run(mut self) -> Result<(), CommandError> {
        let mut job_has_finished = false;
        loop {
            match self.read_stream().await {
                Ok(()) if job_has_finished || self.left == 0 => return Ok(()),
                Ok(()) => {}
                Err(CommandError::Api(ClientError::Unavailable(_))) if self.outage.may_end() => {
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
            match self.api.get::<Job>(&format!("/jobs/{}", self.id)).await {
                Ok(job) => job_has_finished = job.status.is_final(),
                Err(ClientError::Unavailable(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn read_stream(&mut self) -> Result<(), CommandError> {
        let query = [("stream", "true".to_owned()), ("offset", self.next.to_string())];
        let mut answer = self.api.stream(&format!("/jobs/{}/logs", self.id), &query, None).await?;
        self.outage.ended();
        let mut lines = LineSplitter::default();
        while let Some(chunk) = answer.chunk().await.map_err(ClientError::from)? {
            // Empty lines keep the connection open.
            for text in lines.split(&chunk).iter().filter(|text| !text.trim_ascii().is_empty()) {
                if self.left == 0 {
                    return Ok(());
                }
                let document = serde_json::from_slice(text)
                    .map_err(|error| ClientError::unreadable(&error))?;
                self.print(&document)?;
            }
        }
        Ok(())
    }

    fn print(&mut self, document: &Value) -> Result<(), CommandError> {
        let line =
            LogLine::deserialize(document).map_err(|error| ClientError::unreadable(&error))?;
        self.next = line.number + 1;
        if self.format.selects(&line) {
            self.format.print(&line, document)?;
            self.left -= 1;
        }
        Ok(())
    }
}
