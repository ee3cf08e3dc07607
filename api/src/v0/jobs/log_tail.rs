//! The lines of a log as parts of a body. They are read from the store in pages, so that a log is
//! never in memory as a whole. A tail that follows its log polls the store until the job has
//! finished, the client disconnects, or the lifetime of the stream is over.

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
use crate::stream_lifetime::StreamLifetime;
use crate::v0::wire::sse::{KEEP_ALIVE, KEEP_ALIVE_COMMENT};

/// The largest number of lines of one read.
const PAGE: u64 = 1000;
/// The number of lines of the first read, when the length of the lines is not known yet.
const FIRST_PAGE: u64 = 16;
/// The targeted size of one read. If a client does not read its response, this much stays in
/// memory.
const PART_BYTES: u64 = 256 * 1024;
/// The interval at which a tail polls the store.
const PERIOD: Duration = Duration::from_millis(100);

/// One line of a log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct LogLine {
    /// The text of the line.
    #[schema(example = "getting poll mirror lock")]
    data: String,
    /// The number of the line, from 0.
    line_num: u64,
    /// The time at which the line was written.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The origin of the line: `stdout`, `stderr` or `capstan`.
    #[schema(example = "stdout")]
    source: String,
}

/// The format of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::v0) enum Framing {
    /// One JSON array of the current lines.
    Array,
    /// One JSON object per line; new lines follow as they are written.
    Lines,
    /// Server-sent events; new lines follow as they are written.
    Events,
}

impl From<store::LogLine> for LogLine {
    fn from(line: store::LogLine) -> LogLine {
        LogLine { data: line.text, line_num: line.number, at: line.at, source: line.source }
    }
}

impl Framing {
    /// Returns the content type of the body.
    pub(in crate::v0) fn media_type(self) -> &'static str {
        match self {
            Framing::Array => "application/json",
            Framing::Lines => "application/x-ndjson",
            Framing::Events => "text/event-stream",
        }
    }
}

/// A position in a log, from which its lines are read.
pub(in crate::v0) struct Tail {
    app: Arc<App>,
    id: JobId,
    framing: Framing,
    /// The number of the next line.
    next: u64,
    /// The number of lines until the limit is reached.
    remaining: u64,
    /// The number of lines of the next read.
    page: u64,
    has_begun: bool,
    is_complete: bool,
    last_sent: Instant,
    /// Present if it follows the log.
    following: Option<(StreamLifetime, OwnedSemaphorePermit)>,
}

/// The result of one read of the store.
struct Page {
    lines: Vec<LogLine>,
    /// Present if no more lines will follow; the status is `None` if the job no longer exists.
    end: Option<Option<Status>>,
}

impl Tail {
    /// Creates a tail of the lines from number `first` on, at most `limit` of them.
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
            remaining: limit.map_or(u64::MAX, u64::from),
            page: FIRST_PAGE,
            has_begun: false,
            is_complete: false,
            last_sent: Instant::now(),
            following: None,
        }
    }

    /// Follows the log for a lifetime. The permit is held until the tail is dropped.
    pub(in crate::v0) fn follow(&mut self, lifetime: StreamLifetime, permit: OwnedSemaphorePermit) {
        self.following = Some((lifetime, permit));
    }

    /// Returns the parts of the body as a stream.
    pub(in crate::v0) fn into_parts(self) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
        stream::try_unfold(self, |mut tail| async move {
            Ok(tail.next_part().await?.map(|part| (part, tail)))
        })
    }

    /// Returns the next part of the body; `None` when it is complete.
    pub(in crate::v0) async fn next_part(&mut self) -> Result<Option<Bytes>, StoreError> {
        while !self.is_complete && !self.is_over() {
            let page = match self.read_page().await {
                // A client that follows a log waits until the store is available again.
                Err(error) if self.follows() && error.is_unavailable() => {
                    Page { lines: Vec::new(), end: None }
                }
                other => other?,
            };
            let mut part = Vec::new();
            self.write(&page, &mut part);
            if !part.is_empty() {
                self.last_sent = Instant::now();
                return Ok(Some(part.into()));
            }
            if !self.is_complete {
                self.pause().await;
            }
        }
        Ok(None)
    }

    fn is_over(&self) -> bool {
        self.following.as_ref().is_some_and(|(lifetime, _)| lifetime.is_over())
    }

    fn follows(&self) -> bool {
        self.framing != Framing::Array
    }

    async fn read_page(&mut self) -> Result<Page, StoreError> {
        // The status is read first, because no line is added after a job has finished.
        let status = if self.follows() { self.app.store.status(self.id).await? } else { None };
        let requested = self.remaining.min(self.page);
        let found = self.app.store.log_lines(self.id, self.next, requested).await?;
        let lines: Vec<LogLine> = found.into_iter().map(LogLine::from).collect();
        let count = lines.len() as u64;
        self.next += count;
        self.remaining -= count.min(self.remaining);
        let bytes: usize = lines.iter().map(|line| line.data.len()).sum();
        self.page = (PART_BYTES * count.max(1) / (bytes as u64 + 1)).clamp(FIRST_PAGE, PAGE);
        let ended = status.is_none_or(Status::is_final) && count < requested;
        Ok(Page { lines, end: (ended || self.remaining == 0).then_some(status) })
    }

    /// Writes a page in the format of the body.
    fn write(&mut self, page: &Page, part: &mut Vec<u8>) {
        if self.framing == Framing::Array && !self.has_begun {
            part.push(b'[');
        }
        for line in &page.lines {
            let json = serde_json::to_string(line).unwrap_or_default();
            let framed = match self.framing {
                Framing::Array if self.has_begun => format!(",{json}"),
                Framing::Array => json,
                Framing::Lines => format!("{json}\n"),
                Framing::Events => format!("id: {}\ndata: {json}\n\n", line.line_num),
            };
            self.has_begun = true;
            part.extend_from_slice(framed.as_bytes());
        }
        self.is_complete = page.end.is_some();
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
            // An empty line, which readers of such streams skip.
            (Framing::Lines, None) if part.is_empty() && self.last_sent.elapsed() > KEEP_ALIVE => {
                part.push(b'\n');
            }
            (Framing::Array | Framing::Events, None) | (Framing::Lines, _) => {}
        }
    }

    /// Waits for one period, or until the stream must end.
    async fn pause(&self) {
        let Some((lifetime, _)) = &self.following else { return };
        // Either way, the loop looks again.
        let _ = tokio::time::timeout(PERIOD, lifetime.ended()).await;
    }
}
