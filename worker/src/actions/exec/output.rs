//! What a command writes while it runs, read to its end: output into the log, progress and
//! checkpoints to the job.

use std::time::{Duration, Instant};

use store::LogSource;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

use super::masked_lines::MaskedLines;
use super::pipe_lines::PipeLines;
use super::secrets::SecretFinder;
use crate::context::checkpoint::{CHECKPOINT_BYTES, Checkpoint, Checkpoints};
use crate::context::log_writer::{JobLog, LINE_BYTES};
use crate::context::progress::{Progress, ProgressReporter};
use crate::context::rate_limits::{RateLimits, RetryAfter};

/// How long output is read after the command and its descendants are gone. A command may have
/// passed the pipe to a process that is not its descendant.
const DRAIN: Duration = Duration::from_secs(2);

/// Copies output into the log. Returns false when it was cut, because the pipe was still open
/// [`DRAIN`] after the command was `over`. The time that the log takes does not count.
pub(super) async fn copy_output(
    output: Option<impl AsyncRead + Unpin>,
    source: LogSource,
    log: &JobLog,
    secrets: &SecretFinder,
    over: &CancellationToken,
) -> bool {
    let Some(output) = output else { return true };
    let mut reader = BufReader::with_capacity(LINE_BYTES, output);
    let mut lines = MaskedLines::new(secrets);
    let (mut complete, mut drain_left) = (true, DRAIN);
    loop {
        let began = Instant::now();
        let available = tokio::select! {
            biased;
            read = reader.fill_buf() => read.unwrap_or_default(),
            () = drained(over, drain_left) => {
                complete = false;
                break;
            }
        };
        if over.is_cancelled() {
            drain_left = drain_left.saturating_sub(began.elapsed());
        }
        if available.is_empty() {
            break;
        }
        let used = available.len();
        for line in lines.push(available) {
            log.line(source, line).await;
        }
        reader.consume(used);
    }
    for line in lines.finish() {
        log.line(source, line).await;
    }
    complete
}

async fn drained(over: &CancellationToken, drain_left: Duration) {
    over.cancelled().await;
    tokio::time::sleep(drain_left).await;
}

/// Reports the lines of the progress pipe, and holds back the rate limits that they name. The first line that is not valid is noted in the log.
pub(super) async fn copy_progress(
    mut pipe: PipeLines,
    progress: &ProgressReporter,
    rate_limits: &RateLimits,
    log: &JobLog,
    over: &CancellationToken,
) {
    let mut noted = false;
    while let Some(read) = pipe.next(over).await {
        for line in read.lines {
            let reported = match serde_json::from_slice(&line) {
                Ok(asked) => hold_back(rate_limits, asked).await,
                Err(_) => {
                    let parsed = Progress::parse(&line);
                    let reported = parsed.and_then(|parsed| progress.report(parsed));
                    reported.map_err(|error| error.to_string())
                }
            };
            if let Err(error) = reported
                && !std::mem::replace(&mut noted, true)
            {
                log.line(LogSource::Capstan, format!("progress line ignored: {error}")).await;
            }
        }
    }
}

async fn hold_back(rate_limits: &RateLimits, asked: RetryAfter) -> Result<(), String> {
    let time = asked.retry_after.duration().unwrap_or_default();
    rate_limits.hold_back(&asked.rate, time).await.map_err(|error| error.to_string())
}

/// Saves the lines of the checkpoint pipe. The first line that is not valid is noted in the log; the
/// checkpoint before it is kept.
pub(super) async fn copy_checkpoints(
    mut pipe: PipeLines,
    checkpoints: &Checkpoints,
    log: &JobLog,
    over: &CancellationToken,
) {
    let mut noted = false;
    while let Some(read) = pipe.next(over).await {
        let mut refused =
            read.too_long.then(|| format!("it has more than {CHECKPOINT_BYTES} bytes"));
        for line in read.lines {
            match Checkpoint::parse(&line) {
                Ok(checkpoint) => checkpoints.save_checkpoint(checkpoint),
                Err(error) => refused = refused.or_else(|| Some(error.to_string())),
            }
        }
        if let Some(why) = refused
            && !std::mem::replace(&mut noted, true)
        {
            log.line(LogSource::Capstan, format!("checkpoint line ignored: {why}")).await;
        }
    }
}
