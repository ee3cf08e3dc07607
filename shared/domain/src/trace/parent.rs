//! A `traceparent`: <https://www.w3.org/TR/trace-context-2/#traceparent-header>.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest `traceparent` that is read. Those of later versions may be longer than the 55
/// characters of version 00.
pub const TRACEPARENT_CHARACTERS: usize = 128;
/// The length of version 00, and the start of every later version.
const VERSION_00: usize = 55;

/// Identifies a trace: 32 hexadecimal digits, not all 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Identifies a span within its trace: 16 hexadecimal digits, not all 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

/// A span as other processes refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a `traceparent`, which must follow the standard to the letter. `None` if it does not:
    /// then it is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<TraceParent> {
        let (known, rest) = text.as_bytes().split_at_checked(VERSION_00)?;
        let separated = [2, 35, 52].into_iter().all(|at| known[at] == b'-');
        let [version] = hex(&known[..2])?;
        let is_valid = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => text.len() <= TRACEPARENT_CHARACTERS && (rest.is_empty() || rest[0] == b'-'),
        };
        let (trace_id, span_id) = (hex(&known[3..35])?, hex(&known[36..52])?);
        let [flags] = hex(&known[53..])?;
        let is_valid = is_valid && separated && trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(TraceParent {
            trace_id: TraceId(trace_id),
            span_id: SpanId(span_id),
            sampled: flags & 1 == 1,
        })
    }
}

/// Reads lower-case hexadecimal digits.
fn hex<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (digits.len() == 2 * BYTES).then_some(bytes)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> String {
        parent.to_string()
    }
}

impl TryFrom<String> for TraceParent {
    type Error = &'static str;

    fn try_from(text: String) -> Result<TraceParent, &'static str> {
        TraceParent::parse(&text).ok_or("it is not a traceparent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_valid_traceparent_is_written_as_it_was_read() {
        for flags in ["00", "01"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(TraceParent::parse(&text).unwrap().to_string(), text);
        }
        let later = format!("cc-{TRACE}-{SPAN}-03-what_the_future_brings");
        let read = TraceParent::parse(&later).unwrap().to_string();
        assert_eq!(read, format!("00-{TRACE}-{SPAN}-01"));
        assert!(TraceParent::parse(&format!("cc-{TRACE}-{SPAN}-01")).is_some());
    }

    #[test]
    fn anything_else_is_none() {
        let long = "x".repeat(TRACEPARENT_CHARACTERS);
        let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0g-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{no_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{no_span}-01"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-zz"),
            format!("cc-{TRACE}-{SPAN}-01x"),
            format!("cc-{TRACE}-{SPAN}-01-{long}"),
            "ä".repeat(30),
        ] {
            assert_eq!(TraceParent::parse(&text), None, "{text:?}");
        }
    }
}
