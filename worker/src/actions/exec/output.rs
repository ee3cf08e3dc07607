//! What a command writes while it runs, read to its end: output into the log, progress into the
//! job's record. Bytes that are not UTF-8 become U+FFFD.

use std::time::{Duration, Instant};

use store::LogSource;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

use super::pipe_lines::PipeLines;
use super::secrets::Secrets;
use crate::context::log_writer::{JobLog, LINE_BYTES};
use crate::context::progress::{Progress, ProgressReporter};

/// How long output is read after the command and its descendants are gone. A command may have
/// passed the pipe to a process that is not its descendant.
const DRAIN: Duration = Duration::from_secs(2);

/// Copies output into the log. Returns false when it was cut, because the pipe was still open
/// [`DRAIN`] after the command was `over`. The time that the log takes does not count.
pub(super) async fn copy_output(
    output: Option<impl AsyncRead + Unpin>,
    source: LogSource,
    log: &JobLog,
    secrets: &Secrets,
    over: &CancellationToken,
) -> bool {
    let Some(output) = output else { return true };
    let mut reader = BufReader::with_capacity(LINE_BYTES, output);
    let (mut line, mut complete, mut drain_left) = (Vec::new(), true, DRAIN);
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
        let rest = LINE_BYTES - line.len();
        let part = &available[..available.len().min(rest)];
        let (used, ended) = match part.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (part.len(), false),
        };
        line.extend_from_slice(&part[..used - usize::from(ended)]);
        reader.consume(used);
        if ended {
            log.line(source, secrets.hide(&line)).await;
            line.clear();
        } else if line.len() == LINE_BYTES {
            let rest = line.split_off(LINE_BYTES - incomplete_character(&line));
            log.line(source, secrets.hide(&line)).await;
            line = rest;
        }
    }
    if !line.is_empty() {
        log.line(source, secrets.hide(&line)).await;
    }
    complete
}

async fn drained(over: &CancellationToken, drain_left: Duration) {
    over.cancelled().await;
    tokio::time::sleep(drain_left).await;
}

/// Returns how many bytes at the end of `text` may be the start of an incomplete character.
fn incomplete_character(text: &[u8]) -> usize {
    let tail = &text[text.len().saturating_sub(3)..];
    let start = tail.iter().rposition(|byte| *byte >= 0xC0);
    start.map_or(0, |start| {
        let character = &tail[start..];
        let length = character[0].leading_ones() as usize;
        if character.len() < length { character.len() } else { 0 }
    })
}

/// Reports the lines of the progress pipe. The first line that is not valid is noted in the log.
pub(super) async fn copy_progress(
    mut pipe: PipeLines,
    progress: &ProgressReporter,
    log: &JobLog,
    over: &CancellationToken,
) {
    let mut noted = false;
    while let Some(read) = pipe.next(over).await {
        for line in read.lines {
            let reported = Progress::parse(&line).and_then(|parsed| progress.report(parsed));
            if let Err(error) = reported
                && !std::mem::replace(&mut noted, true)
            {
                log.line(LogSource::Capstan, format!("progress line ignored: {error}")).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_split_between_characters() {
        for text in ["ab", "aß", "a\u{20ac}"] {
            assert_eq!(incomplete_character(text.as_bytes()), 0, "{text}");
        }
        let whole = "x\u{1f600}".as_bytes();
        assert_eq!([2, 3, 4].map(|cut| incomplete_character(&whole[..cut])), [1, 2, 3]);
        assert_eq!(incomplete_character(&[0xff, 0xff, 0xff]), 1, "invalid bytes");
        assert_eq!(incomplete_character(b"a\x80\x80\x80\x80"), 0);
    }
}
