//! Reads server-sent events from a stream.

use crate::lines::LineSplitter;

/// A server-sent event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) data: String,
}

/// Reads the events of one stream.
#[derive(Default)]
pub(super) struct FrameReader {
    lines: LineSplitter,
    current: Frame,
}

impl FrameReader {
    /// Returns the events that end in this chunk. Comments are left out.
    pub(super) fn read(&mut self, chunk: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for line in self.lines.split(chunk) {
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                let frame = std::mem::take(&mut self.current);
                frames.extend(Some(frame).filter(|frame| !frame.data.is_empty()));
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => self.current.kind = value.to_owned(),
                "id" => self.current.id = value.to_owned(),
                "data" => self.current.data.push_str(value),
                _ => {}
            }
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_complete_wherever_the_stream_is_cut() {
        let stream = ": hello\n\nevent: job\nid: 5-0\ndata: {\"a\": \"b: c\"}\n\n: \n\n\
                      event: lost\ndata: {}\r\n\r\nevent: job\n";
        let frame = |kind: &str, id: &str, data: &str| Frame {
            kind: kind.to_owned(),
            id: id.to_owned(),
            data: data.to_owned(),
        };
        let expected = [frame("job", "5-0", r#"{"a": "b: c"}"#), frame("lost", "", "{}")];
        for size in 1..=stream.len() {
            let mut reader = FrameReader::default();
            let frames: Vec<Frame> =
                stream.as_bytes().chunks(size).flat_map(|chunk| reader.read(chunk)).collect();
            assert_eq!(frames, expected, "in chunks of {size} bytes");
        }
    }
}
