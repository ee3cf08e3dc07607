//! Reads jobs from lines of JSON, in batches that the API accepts.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::IgnoredAny;

/// The most lines of a batch. The API accepts more, but refuses all of them for one that is wrong.
const BATCH_LINES: usize = 200;
/// A batch ends when it has this size; the API accepts 10 MiB.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The largest line: the API accepts no larger job.
const LINE_BYTES: usize = 1024 * 1024;
/// How much of the input is read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// A batch of lines of one kind, each with its number from 1.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// JSON objects.
    pub(super) lines: Vec<(u64, String)>,
    /// Lines that are not JSON objects, and why.
    pub(super) invalid: Vec<(u64, String)>,
}

/// Lines that are read as they arrive.
pub(super) struct Input<R> {
    reader: BufReader<R>,
    /// The number of the last line that was read.
    number: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: R) -> Input<R> {
        Input { reader: BufReader::with_capacity(BUFFER_BYTES, source), number: 0 }
    }

    /// Returns the next lines; `None` at the end. Does not wait for lines that have not arrived if
    /// there are some already.
    pub(super) fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while let Some(line) = self.next_line()? {
            self.number += 1;
            bytes += line.len();
            match object(line) {
                Ok(Some(text)) => batch.lines.push((self.number, text)),
                Ok(None) => {}
                Err(reason) => batch.invalid.push((self.number, reason)),
            }
            let count = batch.lines.len() + batch.invalid.len();
            let has_all = count > 0 && !self.reader.buffer().contains(&b'\n');
            if has_all || count >= BATCH_LINES || bytes >= BATCH_BYTES {
                return Ok(Some(batch));
            }
        }
        Ok(Some(batch).filter(|batch| *batch != Batch::default()))
    }

    /// Returns the next line without its line break; `None` at the end. The rest of a line that is
    /// too large is skipped.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = LINE_BYTES as u64 + 1;
        if self.reader.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() > LINE_BYTES {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }
}

/// Returns the text of a JSON object; `None` for an empty line.
fn object(line: Vec<u8>) -> Result<Option<String>, String> {
    if line.len() > LINE_BYTES {
        return Err(format!("it is larger than {LINE_BYTES} bytes"));
    }
    let text = String::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<HashMap<String, IgnoredAny>>(&text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(format!("it is not a JSON object: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(text: &str) -> Vec<Batch> {
        let mut input = Input::new(text.as_bytes());
        std::iter::from_fn(|| input.next_batch().unwrap()).collect()
    }

    #[test]
    fn a_line_is_a_json_object_or_reported_with_its_number() {
        let text = "{\"action\":\"a\"}\n\n[1]\r\nnonsense\n{\"action\": \"b\"}";
        let [first, second] = batches(text).try_into().unwrap();
        assert_eq!(first.lines, [(1, r#"{"action":"a"}"#.to_owned())]);
        let numbers: Vec<u64> = first.invalid.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [3, 4]);
        assert!(first.invalid[0].1.starts_with("it is not a JSON object: "), "{first:?}");
        assert_eq!(second.lines, [(5, r#"{"action": "b"}"#.to_owned())]);
        assert_eq!(batches(""), []);
        assert_eq!(batches("\n \n"), []);
    }

    #[test]
    fn batches_are_bounded_in_lines_and_bytes() {
        let lines = "{}\n".repeat(BATCH_LINES * 2 + 1);
        let sizes: Vec<usize> = batches(&lines).iter().map(|batch| batch.lines.len()).collect();
        assert_eq!(sizes, [BATCH_LINES, BATCH_LINES, 1]);

        let large = format!("{{\"a\":\"{}\"}}\n", "x".repeat(LINE_BYTES - 100));
        let sizes: Vec<usize> =
            batches(&large.repeat(9)).iter().map(|batch| batch.lines.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 9);
        assert!(sizes.iter().all(|lines| *lines <= BATCH_BYTES / LINE_BYTES + 1), "{sizes:?}");
    }

    #[test]
    fn the_rest_of_a_line_that_is_too_large_is_skipped() {
        let text = format!("{}\n{{}}\n", "x".repeat(3 * LINE_BYTES));
        let batches = batches(&text);
        let invalid: Vec<_> = batches.iter().flat_map(|batch| &batch.invalid).collect();
        assert_eq!(invalid, [&(1, format!("it is larger than {LINE_BYTES} bytes"))]);
        let lines: Vec<_> = batches.iter().flat_map(|batch| &batch.lines).collect();
        assert_eq!(lines, [&(2, "{}".to_owned())]);
    }
}
