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
use crate::query::Query;
use crate::web::format::{count, cut, number};
use crate::web::path::Name;
use crate::web::refusal::Refusal;

/// How many lines the page shows.
const LINES: u64 = 200;
/// Longer lines are cut on the page.
const LINE_CHARACTERS: usize = 1000;
/// How many lines one read for a download returns.
const STEP: u64 = 250;

/// How many lines a filter looks at, the last ones.
const LOOKED_AT: u64 = 5_000;
/// Longer texts are cut.
const TEXT_CHARACTERS: usize = 128;

/// Which lines to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogFilter {
    /// A text that occurs in them, in upper or lower case.
    pub(super) text: String,
    /// `stdout` or `stderr`; empty for both.
    pub(super) source: String,
}

/// The last lines of a log.
pub(super) struct LogPart {
    /// Which lines are shown.
    pub(super) filter: LogFilter,
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
    /// Reads the last lines of a log that match a filter.
    pub(super) async fn read(
        store: &Store,
        id: JobId,
        filter: LogFilter,
    ) -> Result<LogPart, StoreError> {
        let length = store.log_lengths(&[id]).await?.first().copied().unwrap_or(0);
        if filter.is_set() {
            return LogPart::search(store, id, filter, length).await;
        }
        let first = length.saturating_sub(LINES);
        let lines = store.log_lines(id, first, LINES).await?.into_iter().map(Line::from).collect();
        let omitted = match first {
            0 => String::new(),
            first => format!("{} before these", count(first, "line")),
        };
        Ok(LogPart { filter, lines, omitted })
    }

    /// Looks at the last lines, newest first.
    async fn search(
        store: &Store,
        id: JobId,
        filter: LogFilter,
        length: u64,
    ) -> Result<LogPart, StoreError> {
        let (mut lines, mut end) = (Vec::new(), length);
        let oldest = length.saturating_sub(LOOKED_AT);
        while end > oldest && (lines.len() as u64) < LINES {
            let start = end.saturating_sub(STEP).max(oldest);
            let found = store.log_lines(id, start, end - start).await?;
            lines.extend(
                found.into_iter().rev().filter(|line| filter.matches(line)).map(Line::from),
            );
            end = start;
        }
        lines.truncate(LINES as usize);
        lines.reverse();
        let looked_at = count(length - end, "line");
        let omitted = format!("{} among the last {looked_at}", matches(lines.len() as u64));
        Ok(LogPart { filter, lines, omitted })
    }
}

impl LogFilter {
    /// Reads the filter of a URL.
    pub(super) fn read(query: &Query) -> Result<LogFilter, Error> {
        let text = query.text("log").unwrap_or_default();
        let source = query.text("source").unwrap_or_default();
        if !matches!(source, "" | "stdout" | "stderr") {
            return Err(Error::invalid("source", "it must be stdout or stderr"));
        }
        let text = text.chars().take(TEXT_CHARACTERS).collect();
        Ok(LogFilter { text, source: source.to_owned() })
    }

    /// Returns true if some lines may be left out.
    pub(super) fn is_set(&self) -> bool {
        *self != LogFilter::default()
    }

    /// Returns the query of a URL that has this filter, with its question mark.
    pub(super) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("log", &self.text), ("source", &self.source)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        match query.finish() {
            query if query.is_empty() => query,
            query => format!("?{query}"),
        }
    }

    fn matches(&self, line: &store::LogLine) -> bool {
        let is_of_source = self.source.is_empty() || self.source == line.source;
        is_of_source && line.text.to_lowercase().contains(&self.text.to_lowercase())
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

fn matches(number_of: u64) -> String {
    match number_of {
        1 => "1 match".to_owned(),
        _ => format!("{} matches", number(number_of)),
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
