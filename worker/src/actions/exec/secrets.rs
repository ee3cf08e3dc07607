//! Secrets that a command or a webhook was given, and that must not appear in its log.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

/// Shorter secrets are not hidden, because they would match too much other text.
const MIN_BYTES: usize = 6;

/// Collects the secrets of one run.
#[derive(Debug, Default)]
pub(in crate::actions) struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a secret. Each line of it is hidden, because the log consists of lines.
    pub(in crate::actions) fn add(&mut self, secret: &str) {
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= MIN_BYTES);
        self.0.extend(lines.map(ToOwned::to_owned));
    }

    /// Prepares the search for all of them at once.
    pub(in crate::actions) fn finder(self) -> Result<SecretFinder, BuildError> {
        let longest = self.0.iter().map(String::len).max().unwrap_or(0);
        // All matches are found, not only the longest at each place: secrets may overlap. The other
        // kinds of automaton take long to build for a long secret that repeats itself.
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::ContiguousNFA));
        let automaton = (!self.0.is_empty()).then(|| builder.build(&self.0)).transpose()?;
        Ok(SecretFinder { automaton, longest, secrets: self.0 })
    }
}

/// Finds the secrets of one run in its output.
#[derive(Debug)]
pub(in crate::actions) struct SecretFinder {
    automaton: Option<AhoCorasick>,
    longest: usize,
    secrets: Vec<String>,
}

impl SecretFinder {
    /// Returns the length of the longest secret, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Returns where secrets are in `text`, in order. Those that overlap are one range.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let found = automaton.find_overlapping_iter(text);
        let mut found: Vec<_> = found.map(|found| found.range()).collect();
        found.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                Some(_) | None => merged.push(range),
            }
        }
        merged
    }

    /// Returns a text with every secret replaced by `***`.
    pub(in crate::actions) fn hide(&self, text: &[u8]) -> String {
        let (mut shown, mut from) = (Vec::new(), 0);
        for secret in self.find(text) {
            shown.extend_from_slice(&text[from..secret.start]);
            shown.extend_from_slice(b"***");
            from = secret.end;
        }
        shown.extend_from_slice(&text[from..]);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Returns how many bytes at the end of `text` are the start of a secret that was cut off.
    pub(super) fn cut_off(&self, text: &[u8]) -> usize {
        let cut_off = self.secrets.iter().filter_map(|secret| {
            let secret = secret.as_bytes();
            let lengths = MIN_BYTES..secret.len().min(text.len() + 1);
            lengths.rev().find(|length| text.ends_with(&secret[..*length]))
        });
        cut_off.max().unwrap_or(0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns the finder of some secrets.
    pub(in crate::actions::exec) fn finder(secrets: &[&str]) -> SecretFinder {
        let mut all = Secrets::default();
        for secret in secrets {
            all.add(secret);
        }
        all.finder().unwrap()
    }

    #[test]
    fn every_line_of_a_secret_is_found_anywhere_in_a_text() {
        let finder = finder(&["correct horse\nbattery staple\nab\n"]);
        assert_eq!(finder.find(b"<correct horse><battery staple>"), [1..14, 16..30]);
        assert!(finder.find(b"a cab \xff").is_empty());
        assert_eq!(finder.longest(), 14);
    }

    #[test]
    fn a_secret_that_begins_or_continues_another_is_found_whole() {
        let finder = finder(&["hunter", "hunter2000", "2000-and-more", "nt"]);
        assert_eq!(finder.find(b"hunter hunter2000 hunter2000-and-more"), [0..6, 7..17, 18..37]);
        let nothing = self::finder(&["short"]);
        assert_eq!((nothing.find(b"short"), nothing.longest()), (Vec::new(), 0));
    }

    #[test]
    fn the_start_of_a_secret_at_the_end_of_a_text_is_found() {
        let finder = finder(&["hunter2000", "hunter2-is-it"]);
        let cut_off = ["hunter", "a hunter20", "hunter2-", "hunte", "hunter2000", ""];
        let cut_off = cut_off.map(|text| finder.cut_off(text.as_bytes()));
        assert_eq!(cut_off, [6, 8, 8, 0, 0, 0]);
    }
}
