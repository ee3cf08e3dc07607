//! The progress of a running job on its way to the store.

use std::sync::Arc;

use domain::job::{FencingToken, JobId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::last_report::write_reports;
use super::retrying_store::RetryingStore;

/// The largest progress, as JSON. Every progress event carries all of it.
pub(crate) const PROGRESS_BYTES: usize = 8 * 1024;

/// How far a job is. A field that is `None` keeps its last reported value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// From 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// A short description of the current step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Everything finished so far: devices, files, pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Vec<String>>,
}

/// Why a progress report was ignored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProgressError {
    /// The report is not JSON of the expected form.
    #[error("not a valid progress report: {0}")]
    Form(String),
    /// The percentage is out of range.
    #[error("percent must be from 0 to 100, got {0}")]
    Percent(f64),
    /// The progress would be too large.
    #[error("progress would have {0} bytes; at most {PROGRESS_BYTES} are allowed")]
    TooLarge(usize),
}

impl Progress {
    /// Creates progress with a percentage.
    #[must_use]
    pub fn percent(percent: f64) -> Progress {
        Progress { percent: Some(percent), ..Progress::default() }
    }

    /// Sets the description of the current step.
    #[must_use]
    pub fn message(self, message: impl Into<String>) -> Progress {
        Progress { message: Some(message.into()), ..self }
    }

    /// Sets the list of everything finished so far.
    #[must_use]
    pub fn finished(self, finished: impl IntoIterator<Item = impl Into<String>>) -> Progress {
        Progress { finished: Some(finished.into_iter().map(Into::into).collect()), ..self }
    }

    /// Parses a line of JSON.
    pub(crate) fn parse(line: &[u8]) -> Result<Progress, ProgressError> {
        let message = |error: serde_json::Error| error.to_string().chars().take(256).collect();
        serde_json::from_slice(line).map_err(|error| ProgressError::Form(message(error)))
    }

    fn merged_with(self, previous: &Progress) -> Result<Progress, ProgressError> {
        if let Some(percent) = self.percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
            return Err(ProgressError::Percent(percent));
        }
        let merged = Progress {
            percent: self.percent.or(previous.percent),
            message: self.message.or_else(|| previous.message.clone()),
            finished: self.finished.or_else(|| previous.finished.clone()),
        };
        let bytes = serde_json::to_vec(&merged).map_or(0, |json| json.len());
        if bytes > PROGRESS_BYTES { Err(ProgressError::TooLarge(bytes)) } else { Ok(merged) }
    }
}

/// Reports the progress of a run. Cheap to clone.
#[derive(Clone)]
pub struct ProgressReporter(Arc<watch::Sender<Progress>>);

impl ProgressReporter {
    /// Reports progress. Never waits; of several reports within a second only the last is written.
    pub fn report(&self, progress: Progress) -> Result<(), ProgressError> {
        let mut outcome = Ok(());
        self.0.send_if_modified(|current| match progress.merged_with(current) {
            Ok(merged) => {
                let changed = merged != *current;
                *current = merged;
                changed
            }
            Err(error) => {
                outcome = Err(error);
                false
            }
        });
        outcome
    }
}

/// Writes the progress of one run to the store.
pub(crate) struct ProgressWriter {
    reported: watch::Receiver<Progress>,
    store: RetryingStore,
    id: JobId,
    token: FencingToken,
}

/// Creates the reporter and the writer of one run's progress.
pub(crate) fn reporter_and_writer(
    store: RetryingStore,
    id: JobId,
    token: FencingToken,
) -> (ProgressReporter, ProgressWriter) {
    let (reporter, reported) = channel();
    (reporter, ProgressWriter { reported, store, id, token })
}

/// Creates a reporter, and the receiver of what was reported last.
pub(crate) fn channel() -> (ProgressReporter, watch::Receiver<Progress>) {
    let (sender, reported) = watch::channel(Progress::default());
    (ProgressReporter(Arc::new(sender)), reported)
}

impl ProgressWriter {
    /// Writes progress until the run is `over`, then the last report.
    pub(crate) async fn run(self, over: &CancellationToken) {
        let (store, id, token) = (&self.store.store, self.id, self.token);
        let write = |progress: Progress| async move {
            store.progress(id, token, &serde_json::json!(progress)).await
        };
        let failed = |error| tracing::error!(job.id = %id, %error, "progress cannot be written");
        write_reports(self.reported, &self.store, over, write, failed).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_keep_their_value_and_invalid_reports_change_nothing() {
        let (reporter, reported) = channel();
        let report =
            |line: &str| Progress::parse(line.as_bytes()).and_then(|read| reporter.report(read));
        report(r#"{"percent": 40, "finished": ["a", "b"]}"#).unwrap();
        report(r#"{"message": "half way"}"#).unwrap();
        let invalid = [
            (r#"{"percent": 101}"#, "percent must be from 0 to 100, got 101"),
            (r#"{"percent": "x"}"#, "not a valid progress report: invalid type: string"),
            (r#"{"percents": 1}"#, "not a valid progress report: unknown field `percents`"),
            ("[", "not a valid progress report: EOF"),
        ];
        for (line, why) in invalid {
            let error = report(line).unwrap_err().to_string();
            assert!(error.starts_with(why), "{line}: {error}");
        }
        let long = Progress::default().message("x".repeat(PROGRESS_BYTES));
        assert!(matches!(reporter.report(long), Err(ProgressError::TooLarge(_))));
        let expected = Progress::percent(40.0).message("half way").finished(["a", "b"]);
        assert_eq!(*reported.borrow(), expected);
    }
}
