//! How far a running job is, on its way to the store: at most once a second, whatever the job says, and what it said
//! last once more when it ends.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use domain::job::{JobId, Token};
use store::Appended;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::recorder::until_answered;
use crate::{Life, Service};

/// Between two writes.
const PERIOD: Duration = Duration::from_secs(1);
/// How many bytes it may have, as JSON: it stands in every event about it.
pub(crate) const PROGRESS_BYTES: usize = 8 * 1024;

/// How far a job is. What is `None` stays as it was told before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// From 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// A few words for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// All that is finished by now: devices, files, pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Vec<String>>,
}

/// What was told is no progress.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProgressError {
    /// It is not of this form.
    #[error("it is no progress: {0}")]
    Form(String),
    /// It is no part of a hundred.
    #[error("percent must be from 0 to 100, and not {0}")]
    Percent(f64),
    /// It says too much.
    #[error("with all that was told before it has {0} bytes, more than {PROGRESS_BYTES}")]
    TooLarge(usize),
}

impl Progress {
    /// So much of a hundred.
    #[must_use]
    pub fn percent(percent: f64) -> Progress {
        Progress { percent: Some(percent), ..Progress::default() }
    }

    /// The same with a few words.
    #[must_use]
    pub fn message(self, message: impl Into<String>) -> Progress {
        Progress { message: Some(message.into()), ..self }
    }

    /// The same with all that is finished.
    #[must_use]
    pub fn finished(self, finished: impl IntoIterator<Item = impl Into<String>>) -> Progress {
        Progress { finished: Some(finished.into_iter().map(Into::into).collect()), ..self }
    }

    /// Reads it from a line of JSON.
    pub(crate) fn read(line: &[u8]) -> Result<Progress, ProgressError> {
        let wrong = |error: serde_json::Error| error.to_string().chars().take(256).collect();
        serde_json::from_slice(line).map_err(|error| ProgressError::Form(wrong(error)))
    }

    fn after(self, before: &Progress) -> Result<Progress, ProgressError> {
        if let Some(percent) = self.percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
            return Err(ProgressError::Percent(percent));
        }
        let now = Progress {
            percent: self.percent.or(before.percent),
            message: self.message.or_else(|| before.message.clone()),
            finished: self.finished.or_else(|| before.finished.clone()),
        };
        let bytes = serde_json::to_vec(&now).map_or(0, |json| json.len());
        if bytes > PROGRESS_BYTES { Err(ProgressError::TooLarge(bytes)) } else { Ok(now) }
    }
}

/// Where an action says how far it is. Cheap to clone.
#[derive(Clone)]
pub struct Teller(Arc<watch::Sender<Progress>>);

impl Teller {
    /// Says how far the job is; only the last of what is said within a second is kept. Never waits.
    pub fn tell(&self, progress: Progress) -> Result<(), ProgressError> {
        let mut told = Ok(());
        self.0.send_if_modified(|known| match progress.after(known) {
            Ok(progress) => {
                let news = progress != *known;
                *known = progress;
                news
            }
            Err(error) => {
                told = Err(error);
                false
            }
        });
        told
    }
}

/// Writes progress to the store until the run is over, and then what was told last.
pub(crate) struct Writer {
    told: watch::Receiver<Progress>,
    id: JobId,
    token: Token,
}

/// Makes the two ends of a job's progress.
pub(crate) fn progress_of(id: JobId, token: Token) -> (Teller, Writer) {
    let (sender, told) = watch::channel(Progress::default());
    (Teller(Arc::new(sender)), Writer { told, id, token })
}

impl Writer {
    /// What was told last.
    pub(crate) fn told(&self) -> Progress {
        self.told.borrow().clone()
    }

    /// Who still holds a [`Teller`] when the run is `over` is not waited for.
    pub(crate) async fn run(mut self, service: &Service, life: &Life, over: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                changed = self.told.changed() => if changed.is_err() { return },
                () = over.cancelled() => return,
            }
            let progress = serde_json::json!(*self.told.borrow_and_update());
            let write = || service.store.progress(self.id, self.token, &progress);
            if until_answered(life, write).await != Some(Appended::All) {
                return;
            }
            // The end of a job waits for nothing: its last word is written at once.
            over.run_until_cancelled(tokio::time::sleep(PERIOD)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_stays_and_what_is_wrong_changes_nothing() {
        let (teller, _writer) = progress_of(JobId::random(), Token(1));
        let tell = |line: &str| Progress::read(line.as_bytes()).and_then(|told| teller.tell(told));
        tell(r#"{"percent": 40, "finished": ["a", "b"]}"#).unwrap();
        tell(r#"{"message": "half way"}"#).unwrap();
        let wrong = [
            (r#"{"percent": 101}"#, "percent must be from 0 to 100, and not 101"),
            (r#"{"percent": "x"}"#, "it is no progress: invalid type: string"),
            (r#"{"percents": 1}"#, "it is no progress: unknown field `percents`"),
            ("[", "it is no progress: EOF"),
        ];
        for (line, why) in wrong {
            let error = tell(line).unwrap_err().to_string();
            assert!(error.starts_with(why), "{line}: {error}");
        }
        let long = Progress::default().message("x".repeat(PROGRESS_BYTES));
        assert!(matches!(teller.tell(long), Err(ProgressError::TooLarge(_))));
        let expected = Progress::percent(40.0).message("half way").finished(["a", "b"]);
        assert_eq!(*teller.0.borrow(), expected);
    }
}
