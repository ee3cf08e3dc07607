//! The span of a submission: part of the trace that the request names, or the root of a new one.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use domain::job::{ActionName, JobId, Timestamp};
use domain::trace::{TraceOrigin, TraceParent};
use service::traces::{Operation, Span, Traces};

use super::draft::Draft;
use crate::error::Error;

/// The span that a request is part of: its only header `traceparent`, if that is valid. Any other
/// is ignored, as the standard demands: a trace must never be the reason for a refusal.
pub(crate) struct CallerSpan(pub(crate) Option<TraceParent>);

impl<S: Sync> FromRequestParts<S> for CallerSpan {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<CallerSpan, Infallible> {
        Ok(CallerSpan(read(&parts.headers)))
    }
}

fn read(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all("traceparent").iter();
    match (values.next(), values.next()) {
        (Some(only), None) => TraceParent::parse(only.to_str().ok()?),
        _ => None,
    }
}

/// The span of a submission that is in progress.
pub(super) struct SubmissionSpan<'a> {
    traces: &'a Traces,
    span: Option<TraceParent>,
    caller: CallerSpan,
    start: SystemTime,
    action: Option<ActionName>,
    id: Option<JobId>,
    jobs: usize,
}

impl SubmissionSpan<'_> {
    /// Begins the span, and makes it the origin of the jobs.
    pub(super) fn begin<'a>(
        traces: &'a Traces,
        caller: CallerSpan,
        drafts: &mut [Draft],
    ) -> SubmissionSpan<'a> {
        let (span, start) = (traces.begin(caller.0), SystemTime::now());
        let now = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_ms(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        for draft in drafts.iter_mut() {
            let origin = |span| TraceOrigin::new(span, draft.scheduled_at, now);
            draft.spec.trace = span.map(origin);
        }
        let is_recorded = traces.is_on() && span.is_some_and(|span| span.sampled);
        let first = drafts.first().filter(|_| is_recorded);
        let action = first.map(|draft| draft.spec.action.clone());
        let id = first.filter(|_| drafts.len() == 1).map(|draft| draft.id);
        SubmissionSpan { traces, span, caller, start, action, id, jobs: drafts.len() }
    }

    /// Records the span of a submission with this answer.
    pub(super) fn end<T>(self, answer: &Result<T, Error>) {
        let (Some(context), Some(action)) = (self.span, &self.action) else { return };
        let (id, jobs) = (self.id, self.jobs);
        self.traces.record(Span {
            context,
            parent: self.caller.0.map(|caller| caller.span_id),
            link: None,
            operation: Operation::Submit { action, id, jobs, cron: None },
            time: self.start..SystemTime::now(),
            error: answer.as_ref().err().map(error_type),
        });
    }
}

/// The message of an error is not sent, because it may repeat what the client sent.
fn error_type(error: &Error) -> String {
    let is_refusal = !matches!(error, Error::Unavailable(_) | Error::Internal);
    if is_refusal { "Refused".to_owned() } else { "Unavailable".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_one_valid_header_counts() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("traceparent", HeaderValue::from_bytes(value).unwrap());
            }
            super::read(&headers).map(|span| span.to_string())
        };
        assert_eq!(read(&[VALID.as_bytes()]).as_deref(), Some(VALID));
        let twice = format!("{VALID},{VALID}");
        let long = format!("01-{}", "a".repeat(8_000));
        for hostile in [
            &[][..],
            &[VALID.as_bytes(), VALID.as_bytes()],
            &[twice.as_bytes()],
            &[long.as_bytes()],
            &[b""],
            &[b"00-\xff"],
        ] {
            assert_eq!(read(hostile), None, "{hostile:?}");
        }
    }
}
