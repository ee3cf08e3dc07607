//! The log of a running job on its way to the store. The first line after a pause is written at
//! once and the lines that follow are batched, so a job that logs a lot costs a few calls a second
//! rather than one a line. Backpressure slows down a job that logs faster than that.

use std::time::Duration;

use domain::job::{FencingToken, JobId};
use store::{AppendAnswer, LogSource, NewLogLine};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::retrying_store::RetryingStore;

/// How many lines may be buffered. A command that logs more waits, so the worker does not grow.
const MAX_BUFFERED_LINES: usize = 512;
/// About how many bytes one call carries, because a script blocks Redis while it runs.
const CALL_BYTES: usize = 256 * 1024;
/// The pause between two calls, unless a call is full; so the longest delay of a line.
const PERIOD: Duration = Duration::from_millis(50);
/// Longer lines are split into pieces of this length.
pub(crate) const LINE_BYTES: usize = 16 * 1024;

/// Appends lines to the job's log. Cheap to clone.
#[derive(Clone)]
pub struct JobLog(mpsc::Sender<BufferedLine>);

struct BufferedLine {
    source: LogSource,
    text: String,
    logged_at: Instant,
}

impl JobLog {
    /// Appends a line; waits while the buffer is full.
    pub async fn line(&self, source: LogSource, text: impl Into<String>) {
        let line = BufferedLine { source, text: text.into(), logged_at: Instant::now() };
        // The writer is gone when the log has reached its limit or the run is over: drop the line.
        let _ = self.0.send(line).await;
    }
}

/// Writes the lines of one run to the store.
pub(crate) struct LogWriter {
    lines: mpsc::Receiver<BufferedLine>,
    store: RetryingStore,
    id: JobId,
    token: FencingToken,
}

/// Creates the log of one run and its writer.
pub(crate) fn log_and_writer(
    store: RetryingStore,
    id: JobId,
    token: FencingToken,
) -> (JobLog, LogWriter) {
    let (sender, lines) = mpsc::channel(MAX_BUFFERED_LINES);
    (JobLog(sender), LogWriter { lines, store, id, token })
}

impl LogWriter {
    /// Writes lines until the run is `over` and every line is written. A [`JobLog`] that outlives
    /// the run, held by a thread that does not end for example, does not keep the writer alive.
    pub(crate) async fn run(mut self, over: &CancellationToken) {
        let (mut first, mut batch, mut not_before) = (0_u64, Vec::new(), Instant::now());
        loop {
            let more = self.fill_batch(&mut batch, not_before, over).await;
            if !batch.is_empty() {
                let write = async || {
                    let lines: Vec<NewLogLine> = batch.iter().map(store_line).collect();
                    self.store.store.append_log(self.id, self.token, first, &lines).await
                };
                match self.store.until_answered(write).await {
                    Some(Ok(AppendAnswer::Recorded)) => {}
                    Some(Ok(AppendAnswer::Cut | AppendAnswer::Stale)) | None => return,
                    Some(Err(error)) => {
                        tracing::error!(job.id = %self.id, %error, "log cannot be written");
                        return;
                    }
                }
                first += batch.len() as u64;
                batch.clear();
                not_before = Instant::now() + PERIOD;
            }
            if !more {
                return;
            }
        }
    }

    /// Collects lines until the batch is full, or until `not_before` if it has any. Returns false
    /// when no more lines can come.
    async fn fill_batch(
        &mut self,
        batch: &mut Vec<BufferedLine>,
        not_before: Instant,
        over: &CancellationToken,
    ) -> bool {
        let pause = tokio::time::sleep_until(not_before);
        tokio::pin!(pause);
        let mut bytes = 0;
        while batch.len() < MAX_BUFFERED_LINES && bytes < CALL_BYTES {
            tokio::select! {
                biased;
                next = self.lines.recv() => match next {
                    Some(next) => {
                        bytes += next.text.len();
                        batch.push(next);
                    }
                    None => return false,
                },
                () = over.cancelled(), if !self.lines.is_closed() => self.lines.close(),
                () = &mut pause, if !batch.is_empty() => return true,
            }
        }
        true
    }
}

fn store_line(line: &BufferedLine) -> NewLogLine {
    NewLogLine { source: line.source, age: line.logged_at.elapsed(), text: line.text.clone() }
}
