//! The end of the log of a job, and the whole log as a text file.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::job::JobId;
use futures_util::stream;
use store::{Store, StoreError};

use crate::app::App;
use crate::error::Error;
use crate::web::format::{count, cut};
use crate::web::path::Name;
use crate::web::refusal::Refusal;

/// How many lines the page shows.
const LINES: u64 = 200;
/// Longer lines are cut on the page.
const LINE_CHARACTERS: usize = 1000;
/// How many lines one read for a download returns.
const STEP: u64 = 250;

/// The last lines of a log.
pub(super) struct LogPart {
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// What is not shown; empty if that is nothing.
    pub(super) omitted: String,
}

/// A line.
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// When it was written.
    pub(super) at: String,
    /// `stdout`, `stderr` or `capstan`.
    pub(super) source: &'static str,
    /// Its text.
    pub(super) text: String,
}

impl LogPart {
    /// Reads the last lines of a log.
    pub(super) async fn read(store: &Store, id: JobId) -> Result<LogPart, StoreError> {
        let length = store.log_lengths(&[id]).await?.first().copied().unwrap_or(0);
        let first = length.saturating_sub(LINES);
        let lines = store.log_lines(id, first, LINES).await?.into_iter().map(Line::from).collect();
        let omitted = match first {
            0 => String::new(),
            first => format!("{} before these", count(first, "line")),
        };
        Ok(LogPart { lines, omitted })
    }
}

impl From<store::LogLine> for Line {
    fn from(line: store::LogLine) -> Line {
        let source = ["stderr", "capstan"].into_iter().find(|known| *known == line.source);
        Line {
            number: line.number + 1,
            at: line.at.to_string(),
            source: source.unwrap_or("stdout"),
            text: cut(&line.text, LINE_CHARACTERS),
        }
    }
}

/// Returns the whole log as a text file.
pub(in crate::web) async fn download(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
) -> Result<Response, Refusal> {
    app.store.status(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let parts = stream::try_unfold((app, 0), move |(app, offset): (Arc<App>, u64)| async move {
        let lines = app.store.log_lines(id, offset, STEP).await?;
        let Some(last) = lines.last() else { return Ok::<_, StoreError>(None) };
        let next = last.number + 1;
        let text: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
        Ok(Some((Bytes::from(text), (app, next))))
    });
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.log\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}
