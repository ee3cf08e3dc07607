//! Splits a stream that arrives in arbitrary chunks into lines.

/// The beginning of the line whose end has not arrived yet.
#[derive(Default)]
pub(crate) struct LineSplitter {
    incomplete: Vec<u8>,
}

impl LineSplitter {
    /// Returns the lines that end in this chunk, without their line breaks.
    pub(crate) fn split(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.incomplete.extend_from_slice(end);
                    lines.push(std::mem::take(&mut self.incomplete));
                }
                None => self.incomplete.extend_from_slice(piece),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_complete_wherever_the_stream_is_cut() {
        let stream = "ä\n\nb c\r\nthe rest".as_bytes();
        for size in 1..=stream.len() {
            let mut splitter = LineSplitter::default();
            let lines: Vec<Vec<u8>> =
                stream.chunks(size).flat_map(|chunk| splitter.split(chunk)).collect();
            let expected = ["ä".as_bytes(), b"", b"b c\r"];
            assert_eq!(lines, expected, "in chunks of {size} bytes");
        }
    }
}
