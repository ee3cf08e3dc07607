//! The checkpoints of a job: the one from which a run continues, and those that it leaves for the
//! next run.

use std::sync::Arc;

use domain::job::{ClaimedJob, FencingToken, JobId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::LogSource;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::last_report::write_reports;
use super::log_writer::JobLog;
use super::retrying_store::RetryingStore;

/// The largest checkpoint, as JSON.
pub(crate) const CHECKPOINT_BYTES: usize = 64 * 1024;

/// Why a checkpoint was not saved or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not JSON, or not of the expected form.
    #[error("not a valid checkpoint: {0}")]
    Form(String),
    /// It is too large. The one before it is kept.
    #[error("the checkpoint has {0} bytes; at most {CHECKPOINT_BYTES} are allowed")]
    TooLarge(usize),
}

/// A checkpoint, as JSON within the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint(Arc<str>);

impl Checkpoint {
    /// Parses a line of JSON and keeps its text unchanged.
    pub(crate) fn parse(line: &[u8]) -> Result<Checkpoint, CheckpointError> {
        if line.len() > CHECKPOINT_BYTES {
            return Err(CheckpointError::TooLarge(line.len()));
        }
        serde_json::from_slice::<Value>(line).map_err(|error| form(&error))?;
        let text = std::str::from_utf8(line).map_err(|error| form(&error))?;
        Ok(Checkpoint(text.into()))
    }

    fn of(state: &impl Serialize) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::parse(&serde_json::to_vec(state).map_err(|error| form(&error))?)
    }

    /// Returns its JSON.
    pub(crate) fn json(&self) -> &str {
        &self.0
    }
}

fn form(error: &impl std::fmt::Display) -> CheckpointError {
    CheckpointError::Form(error.to_string().chars().take(256).collect())
}

/// The checkpoints of a run. Cheap to clone.
#[derive(Clone)]
pub struct Checkpoints {
    last: Option<Arc<str>>,
    saved: Arc<watch::Sender<Option<Checkpoint>>>,
}

impl Checkpoints {
    /// Saves a state, from which the next run of the job continues. Never waits; of several states
    /// within a second only the last is written. A state that serializes to `null` removes the
    /// checkpoint.
    pub fn save(&self, state: &impl Serialize) -> Result<(), CheckpointError> {
        self.save_checkpoint(Checkpoint::of(state)?);
        Ok(())
    }

    /// Returns the state that the run before saved last, if it saved any.
    pub fn resume<State: DeserializeOwned>(&self) -> Result<Option<State>, CheckpointError> {
        let state = self.last.as_deref().map(serde_json::from_str).transpose();
        state.map_err(|error| form(&error))
    }

    /// The same as JSON.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub(crate) fn save_checkpoint(&self, checkpoint: Checkpoint) {
        self.saved.send_if_modified(|saved| {
            let changed = saved.as_ref() != Some(&checkpoint);
            *saved = Some(checkpoint);
            changed
        });
    }
}

/// What a run continues from: a checkpoint and the body of a signal, as JSON.
pub(crate) type ResumeState = (Option<String>, Option<String>);

/// Reads what a run continues from. A first run has nothing. If it cannot be read, the run starts from
/// the beginning, and its log says so.
pub(crate) async fn read_resume_state(
    store: &RetryingStore,
    job: &ClaimedJob,
    log: &JobLog,
) -> ResumeState {
    if job.attempt == 1 {
        return (None, None);
    }
    match store.until_answered(|| store.store.resume_state(job.id)).await {
        None => (None, None),
        Some(Ok(state)) => state,
        Some(Err(error)) => {
            tracing::error!(job.id = %job.id, %error, "checkpoint cannot be read");
            let line = format!("the run starts from the beginning: {error}");
            log.line(LogSource::Capstan, line).await;
            (None, None)
        }
    }
}

/// Writes the checkpoints of one run to the store.
pub(crate) struct CheckpointWriter {
    saved: watch::Receiver<Option<Checkpoint>>,
    store: RetryingStore,
    id: JobId,
    token: FencingToken,
}

/// Creates the checkpoints of one run, which continues from the `last` one, and their writer.
pub(crate) fn checkpoints_and_writer(
    last: Option<String>,
    store: RetryingStore,
    id: JobId,
    token: FencingToken,
) -> (Checkpoints, CheckpointWriter) {
    let (sender, saved) = watch::channel(None);
    let checkpoints = Checkpoints { last: last.map(Arc::from), saved: Arc::new(sender) };
    (checkpoints, CheckpointWriter { saved, store, id, token })
}

impl CheckpointWriter {
    /// Writes checkpoints until the run is `over`, then the last one.
    pub(crate) async fn run(self, over: &CancellationToken) {
        let (store, id, token) = (&self.store.store, self.id, self.token);
        let write = |checkpoint: Option<Checkpoint>| async move {
            let json = checkpoint.as_ref().map_or("null", Checkpoint::json);
            store.save_checkpoint(id, token, json).await
        };
        let failed = |error| tracing::error!(job.id = %id, %error, "checkpoint cannot be written");
        write_reports(self.saved, &self.store, over, write, failed).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_any_json_within_the_limit_and_keeps_its_text() {
        for text in ["1", "null", r#"{"b": 1, "a": [18446744073709551616, 1.50]}"#, r#""\u0000""#] {
            assert_eq!(Checkpoint::parse(text.as_bytes()).unwrap().json(), text);
        }
        let longest = format!("\"{}\"", "x".repeat(CHECKPOINT_BYTES - 2));
        assert_eq!(Checkpoint::parse(longest.as_bytes()).unwrap().json(), longest);
        let refused = |line: &[u8]| Checkpoint::parse(line).unwrap_err().to_string();
        let too_large = "the checkpoint has 65537 bytes; at most 65536 are allowed";
        assert_eq!(refused(format!("{longest} ").as_bytes()), too_large);
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for line in [&b"sw1"[..], b"{", b"1 2", b"\"\xff\"", deep.as_bytes(), b"1e999", b""] {
            let error = refused(line);
            assert!(error.starts_with("not a valid checkpoint: "), "{error}");
        }
    }
}
