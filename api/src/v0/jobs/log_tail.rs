//! The lines of a log as parts of a body, read from the store in pages, so that no log is ever held
//! whole. A tail that follows asks the store again until the job has ended, its reader is gone, or
//! the service shuts down.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use domain::job::{JobId, Status, Timestamp};
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use store::{self, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::app::App;
use crate::v0::wire::sse::{KEEP_ALIVE, KEEP_ALIVE_COMMENT};

/// How many lines one read brings at most, and at first, when it is not known how long they are.
const PAGE: u64 = 1000;
const FIRST_PAGE: u64 = 16;
/// So many bytes one read is to bring: who asks and never reads leaves them here.
const PART_BYTES: u64 = 256 * 1024;
/// How long a tail waits before it asks again.
const PERIOD: Duration = Duration::from_millis(100);

/// One line of a log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct LogLine {
    /// Its text.
    #[schema(example = "getting poll mirror lock")]
    data: String,
    /// Its number, from 0.
    line_num: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `stdout`, `stderr`, or `capstan`.
    #[schema(example = "stdout")]
    source: String,
}

/// How lines are put into the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::v0) enum Framing {
    /// One JSON array of the lines that there are now.
    Array,
    /// One JSON object a line, as they come.
    Lines,
    /// Server-sent events, as they come.
    Events,
}

impl From<store::LogLine> for LogLine {
    fn from(line: store::LogLine) -> LogLine {
        LogLine { data: line.text, line_num: line.number, at: line.at, source: line.source }
    }
}

impl Framing {
    /// The type of such a body.
    pub(in crate::v0) fn media_type(self) -> &'static str {
        match self {
            Framing::Array => "application/json",
            Framing::Lines => "application/x-ndjson",
            Framing::Events => "text/event-stream",
        }
    }
}

/// A place in a log, from which its lines are read.
pub(in crate::v0) struct Tail {
    app: Arc<App>,
    id: JobId,
    framing: Framing,
    next: u64,
    left: u64,
    page: u64,
    begun: bool,
    over: bool,
    last_sent: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

/// What one look at the store brought.
struct Page {
    lines: Vec<LogLine>,
    /// There are no more lines, and there will be none; with the status, if the job is still there.
    end: Option<Option<Status>>,
}

impl Tail {
    /// The lines from number `first` on; all of them without a limit.
    pub(in crate::v0) fn new(
        app: Arc<App>,
        id: JobId,
        framing: Framing,
        first: u32,
        limit: Option<u32>,
    ) -> Tail {
        Tail {
            app,
            id,
            framing,
            next: first.into(),
            left: limit.map_or(u64::MAX, u64::from),
            page: FIRST_PAGE,
            begun: false,
            over: false,
            last_sent: Instant::now(),
            permit: None,
        }
    }

    /// Holds a permit for as long as the tail lives.
    pub(in crate::v0) fn keep(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// The parts of the body.
    pub(in crate::v0) fn into_parts(self) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
        stream::try_unfold(self, |mut tail| async move {
            Ok(tail.next_part().await?.map(|part| (part, tail)))
        })
    }

    /// The next part of the body; `None` when it is complete.
    pub(in crate::v0) async fn next_part(&mut self) -> Result<Option<Bytes>, StoreError> {
        while !self.over {
            let page = match self.look().await {
                // Who follows a log waits until the store is there again.
                Err(error) if self.follows() && error.is_unavailable() => {
                    Page { lines: Vec::new(), end: None }
                }
                other => other?,
            };
            let mut part = Vec::new();
            self.put(&page, &mut part);
            if !part.is_empty() {
                self.last_sent = Instant::now();
                return Ok(Some(part.into()));
            }
            if !self.over && !self.pause().await {
                self.over = true;
            }
        }
        Ok(None)
    }

    fn follows(&self) -> bool {
        self.framing != Framing::Array
    }

    async fn look(&mut self) -> Result<Page, StoreError> {
        // The status is read first: after a job has ended no line is added to its log.
        let status = if self.follows() { self.app.store.status(self.id).await? } else { None };
        let asked = self.left.min(self.page);
        let found = self.app.store.log_lines(self.id, self.next, asked).await?;
        let lines: Vec<LogLine> = found.into_iter().map(LogLine::from).collect();
        let count = lines.len() as u64;
        self.next += count;
        self.left -= count.min(self.left);
        let bytes: usize = lines.iter().map(|line| line.data.len()).sum();
        self.page = (PART_BYTES * count.max(1) / (bytes as u64 + 1)).clamp(FIRST_PAGE, PAGE);
        let ended = status.is_none_or(Status::is_final) && count < asked;
        Ok(Page { lines, end: (ended || self.left == 0).then_some(status) })
    }

    /// Writes what a look brought as the framing wants it.
    fn put(&mut self, page: &Page, part: &mut Vec<u8>) {
        if self.framing == Framing::Array && !self.begun {
            part.push(b'[');
        }
        for line in &page.lines {
            let json = serde_json::to_string(line).unwrap_or_default();
            let framed = match self.framing {
                Framing::Array if self.begun => format!(",{json}"),
                Framing::Array => json,
                Framing::Lines => format!("{json}\n"),
                Framing::Events => format!("id: {}\ndata: {json}\n\n", line.line_num),
            };
            self.begun = true;
            part.extend_from_slice(framed.as_bytes());
        }
        self.over = page.end.is_some();
        match (self.framing, &page.end) {
            (Framing::Array, Some(_)) => part.push(b']'),
            (Framing::Events, Some(status)) => {
                let status = status.map_or("deleted", Status::as_str);
                let end = format!("event: end\ndata: {}\n\n", json!({"status": status}));
                part.extend_from_slice(end.as_bytes());
            }
            (Framing::Events, None) if part.is_empty() && self.last_sent.elapsed() > KEEP_ALIVE => {
                part.extend_from_slice(KEEP_ALIVE_COMMENT.as_bytes());
            }
            (Framing::Array | Framing::Events, None) | (Framing::Lines, _) => {}
        }
    }

    /// Waits a little; false when the service shuts down.
    async fn pause(&self) -> bool {
        tokio::select! {
            () = self.app.shutdown.cancelled() => false,
            () = tokio::time::sleep(PERIOD) => true,
        }
    }
}
