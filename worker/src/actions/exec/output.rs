//! What a command says, read to its end: lines into the log, progress into the record. Bytes that are no UTF-8 become
//! U+FFFD, and secrets that it was given become `***`.

use std::time::{Duration, Instant};

use store::Source;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use crate::actions::{Log, Progress, Teller};
use crate::journal::LINE_BYTES;

/// After the command and all that it has started were killed, its output is read for so long at most: it may have given
/// the pipe to somebody else.
const DRAIN: Duration = Duration::from_secs(2);
/// A shorter secret is found in too much that is none.
const SECRET_BYTES: usize = 6;

/// Texts that must not be logged.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// A secret of several lines is hidden line by line, as it would be said.
    pub(super) fn add(&mut self, secret: &str) {
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SECRET_BYTES);
        self.0.extend(lines.map(ToOwned::to_owned));
    }

    fn hidden(&self, line: &[u8]) -> String {
        let line = String::from_utf8_lossy(line).into_owned();
        self.0.iter().fold(line, |line, secret| {
            if line.contains(secret) { line.replace(secret, "***") } else { line }
        })
    }
}

/// Copies output to its end into the log. False when it was cut: after the command is `over`, nobody waits for more
/// than [`DRAIN`] for what is still to be said. The log takes as long as it takes.
pub(super) async fn copy_lines(
    output: Option<impl AsyncRead + Unpin>,
    (source, log): (Source, &Log),
    secrets: &Secrets,
    over: &CancellationToken,
) -> bool {
    let Some(output) = output else { return true };
    let mut reader = BufReader::with_capacity(LINE_BYTES, output);
    let (mut line, mut whole, mut patience) = (Vec::new(), true, DRAIN);
    loop {
        let began = Instant::now();
        let available = tokio::select! {
            biased;
            read = reader.fill_buf() => read.unwrap_or_default(),
            () = drained(over, patience) => {
                whole = false;
                break;
            }
        };
        if over.is_cancelled() {
            patience = patience.saturating_sub(began.elapsed());
        }
        if available.is_empty() {
            break;
        }
        let room = LINE_BYTES - line.len();
        let some = &available[..available.len().min(room)];
        let (used, ended) = match some.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (some.len(), false),
        };
        line.extend_from_slice(&some[..used - usize::from(ended)]);
        reader.consume(used);
        if ended {
            log.line(source, secrets.hidden(&line)).await;
            line.clear();
        } else if line.len() == LINE_BYTES {
            let rest = line.split_off(LINE_BYTES - begun_character(&line));
            log.line(source, secrets.hidden(&line)).await;
            line = rest;
        }
    }
    if !line.is_empty() {
        log.line(source, secrets.hidden(&line)).await;
    }
    whole
}

async fn drained(over: &CancellationToken, patience: Duration) {
    over.cancelled().await;
    tokio::time::sleep(patience).await;
}

/// How many bytes at the end may be the beginning of a character.
fn begun_character(text: &[u8]) -> usize {
    let tail = &text[text.len().saturating_sub(3)..];
    let begin = tail.iter().rposition(|byte| *byte >= 0xC0);
    begin.map_or(0, |begin| {
        let begun = &tail[begin..];
        let wanted = begun[0].leading_ones() as usize;
        if begun.len() < wanted { begun.len() } else { 0 }
    })
}

/// Reads lines of progress until the command is `over` and all that it has told is read.
pub(super) async fn copy_progress(
    mut lines: Lines,
    teller: &Teller,
    log: &Log,
    over: &CancellationToken,
) {
    let mut complained = false;
    while let Some(read) = lines.next(over).await {
        for line in read.lines {
            let wrong = Progress::read(&line).and_then(|progress| teller.tell(progress)).err();
            if let Some(wrong) = wrong.filter(|_| !std::mem::replace(&mut complained, true)) {
                log.line(Source::Capstan, format!("a line of progress is ignored: {wrong}")).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_in_a_line() {
        let mut secrets = Secrets::default();
        secrets.add("correct horse\nbattery staple\nab\n");
        assert_eq!(secrets.hidden(b"<correct horse><battery staple>"), "<***><***>");
        assert_eq!(secrets.hidden(b"a cab \xff"), "a cab \u{fffd}");
    }

    #[test]
    fn a_line_that_is_broken_is_broken_between_characters() {
        let cases = [("ab", 0), ("aß", 0), ("a\u{20ac}", 0)];
        for (text, begun) in cases {
            assert_eq!(begun_character(text.as_bytes()), begun, "{text}");
        }
        let whole = "x\u{1f600}".as_bytes();
        assert_eq!([2, 3, 4].map(|cut| begun_character(&whole[..cut])), [1, 2, 3]);
        assert_eq!(begun_character(&[0xff, 0xff, 0xff]), 1, "at most three, whatever it is");
        assert_eq!(begun_character(b"a\x80\x80\x80\x80"), 0);
    }
}
