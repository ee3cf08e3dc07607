//! Lists of jobs as bodies. The ids of a page are known before the answer begins, and the jobs are
//! read in small parts as the client receives them. So an answer that is not read occupies the
//! memory of one part, and a page of many large jobs holds up no other request.

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use domain::job::{Job, JobId};
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde::Serialize;
use store::{Store, StoreError};

/// How many jobs the first part has. A page of no more is sent with its length.
const FIRST_JOBS: usize = 25;
/// How many jobs a later part has at most.
const MOST_JOBS: usize = 250;
/// The size that later parts should have.
const PART_BYTES: usize = 64 * 1024;

/// The texts around the jobs of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Everything up to the first job.
    pub(crate) open: &'static str,
    /// Everything after the last job.
    pub(crate) close: &'static str,
}

/// Shows some jobs in the JSON of a surface, as an array.
pub(crate) type Show =
    Box<dyn Fn(Vec<Job>) -> BoxFuture<'static, Result<Vec<u8>, StoreError>> + Send + Sync>;

/// Returns values as the text of an array.
pub(crate) fn array<T: Serialize>(values: &[T]) -> Result<Vec<u8>, StoreError> {
    Ok(serde_json::to_vec(values).unwrap_or_default())
}

/// Returns the answer with these jobs. An error before it begins is an answer of its own; one after
/// that ends the connection.
pub(crate) async fn answer(
    store: Store,
    ids: Vec<JobId>,
    frame: Frame,
    show: Show,
) -> Result<Response, StoreError> {
    let is_short = ids.len() <= FIRST_JOBS;
    let mut list = JobList {
        store,
        ids,
        at: 0,
        step: FIRST_JOBS,
        frame,
        show,
        has_jobs: false,
        is_closed: false,
    };
    let mut first = list.next_part().await?.unwrap_or_default();
    let body = if is_short {
        first.extend(list.next_part().await?.unwrap_or_default());
        Body::from(first)
    } else {
        let others = stream::try_unfold(list, async |mut list| {
            let part = list.next_part().await.inspect_err(|error| {
                tracing::warn!(%error, "a list of jobs ends early: the store does not answer");
            });
            Ok::<_, StoreError>(part?.map(|part| (Bytes::from(part), list)))
        });
        let first = stream::iter([Ok(Bytes::from(first))]);
        Body::from_stream(futures_util::StreamExt::chain(first, others))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A list whose jobs are being read.
struct JobList {
    store: Store,
    ids: Vec<JobId>,
    /// The index of the next job.
    at: usize,
    /// How many jobs the next part has.
    step: usize,
    frame: Frame,
    show: Show,
    has_jobs: bool,
    is_closed: bool,
}

impl JobList {
    /// Returns the next part of the body; `None` after the last one.
    async fn next_part(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.is_closed {
            return Ok(None);
        }
        let mut part = Vec::new();
        if self.at == 0 {
            part.extend(self.frame.open.as_bytes());
        }
        // Jobs that were removed meanwhile are left out.
        while self.at < self.ids.len() {
            let some = &self.ids[self.at..self.ids.len().min(self.at + self.step)];
            let jobs = self.store.jobs_by_id(some).await?;
            self.at += some.len();
            if jobs.is_empty() {
                continue;
            }
            let count = jobs.len();
            let text = (self.show)(jobs).await?;
            if std::mem::replace(&mut self.has_jobs, true) {
                part.push(b',');
            }
            part.extend(&text[1..text.len().saturating_sub(1)]);
            self.step = (count * PART_BYTES / text.len()).clamp(1, MOST_JOBS);
            return Ok(Some(part));
        }
        self.is_closed = true;
        part.extend(self.frame.close.as_bytes());
        Ok(Some(part))
    }
}
