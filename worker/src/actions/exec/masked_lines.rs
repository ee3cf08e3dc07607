//! Lines of a command's output, with every secret replaced by `***`. A line that is too long is
//! split after its secrets are hidden, so no piece shows a part of one.

use super::secrets::SecretFinder;
use crate::context::log_writer::LINE_BYTES;

const MASK: &[u8] = b"***";

/// Splits output into lines. Bytes that are not UTF-8 become U+FFFD.
pub(super) struct MaskedLines<'a> {
    secrets: &'a SecretFinder,
    /// What was read of the current line and not searched yet.
    unsearched: Vec<u8>,
    /// How many bytes at its start belong to a secret that is already replaced.
    hidden: usize,
    /// What was searched of the current line and not returned yet.
    masked: Vec<u8>,
}

impl MaskedLines<'_> {
    pub(super) fn new(secrets: &SecretFinder) -> MaskedLines<'_> {
        MaskedLines { secrets, unsearched: Vec::new(), hidden: 0, masked: Vec::new() }
    }

    /// Adds output. Returns the lines, and pieces of a long line, that are complete now.
    pub(super) fn push(&mut self, output: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in output.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(end) => {
                    self.unsearched.extend_from_slice(end);
                    self.end_line(&mut lines);
                }
                None => self.unsearched.extend_from_slice(part),
            }
        }
        if self.unsearched.len() > LINE_BYTES + self.secrets.longest() {
            // A secret that starts before this place has been read completely.
            let certain = self.unsearched.len() - self.secrets.longest();
            self.search(certain);
            self.split(&mut lines);
        }
        lines
    }

    /// Returns the rest of the output, which ended without a line break. If it ended within a
    /// secret, the start of the secret is hidden too.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let cut_off = self.secrets.cut_off(&self.unsearched);
        if cut_off > 0 {
            self.search(self.unsearched.len() - cut_off);
            self.unsearched.drain(self.hidden.min(self.unsearched.len())..);
            self.masked.extend_from_slice(MASK);
        }
        if !(self.unsearched.is_empty() && self.masked.is_empty()) {
            self.end_line(&mut lines);
        }
        lines
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        self.search(self.unsearched.len());
        self.split(lines);
        lines.push(text(&self.masked));
        self.masked.clear();
    }

    /// Searches what starts before `certain`, and moves it to the masked bytes.
    fn search(&mut self, certain: usize) {
        let mut shown = self.hidden.min(certain);
        for secret in self.secrets.find(&self.unsearched) {
            if secret.start >= certain {
                break;
            }
            // It may overlap the one before it, which was replaced in an earlier search.
            if secret.start >= self.hidden {
                self.masked.extend_from_slice(&self.unsearched[shown..secret.start]);
                self.masked.extend_from_slice(MASK);
            }
            self.hidden = self.hidden.max(secret.end);
            shown = self.hidden.min(certain);
        }
        self.masked.extend_from_slice(&self.unsearched[shown..certain]);
        self.unsearched.drain(..certain);
        self.hidden = self.hidden.saturating_sub(certain);
    }

    /// Takes the pieces off a long line, between characters. At least a byte is left of it.
    fn split(&mut self, lines: &mut Vec<String>) {
        while self.masked.len() > LINE_BYTES {
            let end = LINE_BYTES - incomplete_character(&self.masked[..LINE_BYTES]);
            lines.push(text(&self.masked[..end]));
            self.masked.drain(..end);
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secrets::tests::finder;
    use super::*;

    /// The lines of an output that arrives in parts.
    fn lines_of(secrets: &SecretFinder, parts: &[&[u8]]) -> Vec<String> {
        let mut masked = MaskedLines::new(secrets);
        let mut lines: Vec<String> = parts.iter().flat_map(|part| masked.push(part)).collect();
        lines.extend(masked.finish());
        lines
    }

    #[test]
    fn output_is_split_at_line_breaks_and_no_line_is_lost() {
        let none = finder(&[]);
        assert_eq!(
            lines_of(&none, &[b"a\n\nb", b"c\n", b"\xff\n", b"d"]),
            ["a", "", "bc", "\u{fffd}", "d"]
        );
        let full = "x".repeat(LINE_BYTES);
        let output = format!("{full}\n{full}y\nz\n");
        assert_eq!(lines_of(&none, &[output.as_bytes()]), [&full, &full, "y", "z"]);
        assert_eq!(lines_of(&none, &[]), [""; 0]);
    }

    #[test]
    fn a_secret_is_hidden_wherever_a_long_line_is_split() {
        let secrets = finder(&["correct-horse", "horse-battery", "correct-horse-battery-staple"]);
        let longest = secrets.longest();
        for before in LINE_BYTES - longest - 1..=LINE_BYTES + 1 {
            for (secret, masks) in [("correct-horse", 1), ("correct-horse-battery", 1)] {
                let output = format!("{}{secret}{}", "x".repeat(before), "y".repeat(LINE_BYTES));
                for parts in [output.len(), 4096, 7] {
                    let parts: Vec<&[u8]> = output.as_bytes().chunks(parts).collect();
                    let line = lines_of(&secrets, &parts).concat();
                    assert_eq!(line.matches("***").count(), masks);
                    assert_eq!(line.len(), output.len() - secret.len() + 3, "{before}: {secret}");
                }
            }
        }
    }

    #[test]
    fn a_secret_that_is_longer_than_a_line_is_hidden() {
        let secret = "0123456789".repeat(LINE_BYTES / 4);
        let secrets = finder(&[&secret]);
        let output = format!("<{secret}><{secret}>\n");
        assert_eq!(lines_of(&secrets, &[output.as_bytes()]), ["<***><***>"]);
        // Output that ends in the middle of it.
        assert_eq!(lines_of(&secrets, &[&output.as_bytes()[..LINE_BYTES]]), ["<***"]);
    }

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

    proptest! {
        /// The parts in which output arrives change nothing, and a long line is masked like a
        /// short one.
        #[test]
        fn the_lines_do_not_depend_on_how_the_output_arrives(
            text in "[ab]{0,40}",
            padding in LINE_BYTES - 40..LINE_BYTES + 40,
            parts in 1..2 * LINE_BYTES,
        ) {
            let secrets = finder(&["aababa", "babaabb", "bbbbbbaa"]);
            let short = lines_of(&secrets, &[text.as_bytes(), b".\n"]).concat();
            let long = format!("{}{text}.{}\n", ".".repeat(padding), ".".repeat(LINE_BYTES));
            let parts: Vec<&[u8]> = long.as_bytes().chunks(parts).collect();
            let pieces = lines_of(&secrets, &parts);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= LINE_BYTES));
            let whole = pieces.concat();
            prop_assert_eq!(whole.trim_matches('.'), short.trim_matches('.'));
        }
    }
}
