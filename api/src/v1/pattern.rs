//! The operator `contains`, as the database of the reference evaluates it: `ILIKE '%…%'`, where `%`
//! matches any text, `_` any character, and `\` escapes the next character. Case is ignored.

/// A text that another text must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Plain(char),
}

/// Only this much of a text is compared, so a longer pattern matches no text.
const MAX_CHARACTERS: usize = 1024;

impl Pattern {
    /// Parses the pattern between the two `%`.
    pub(super) fn new(text: &str) -> Pattern {
        let mut parts = vec![Part::Any];
        // Characters are lowered one by one, as in the text: `ΑΣ` as a whole would end in a final
        // sigma.
        let mut characters = text.chars().flat_map(char::to_lowercase);
        let mut open = true;
        while let Some(character) = characters.next() {
            let part = match character {
                '%' if parts.last() == Some(&Part::Any) => continue,
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => match characters.next() {
                    Some(next) => Part::Plain(next),
                    // It escapes the closing %.
                    None => {
                        open = false;
                        Part::Plain('%')
                    }
                },
                plain => Part::Plain(plain),
            };
            parts.push(part);
        }
        if open && parts.last() != Some(&Part::Any) {
            parts.push(Part::Any);
        }
        Pattern(parts)
    }

    /// Returns true if a text contains the pattern.
    pub(super) fn matches(&self, text: &str) -> bool {
        if self.0.len() > 2 * MAX_CHARACTERS {
            return false;
        }
        let text: Vec<char> =
            text.chars().flat_map(char::to_lowercase).take(MAX_CHARACTERS).collect();
        let (mut at, mut part) = (0, 0);
        // Where to continue after a mismatch: at the last `Any`, one character later.
        let mut backtrack: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(part) {
                Some(Part::Any) => {
                    backtrack = Some((at, part));
                    part += 1;
                }
                Some(Part::One) => (at, part) = (at + 1, part + 1),
                Some(Part::Plain(plain)) if *plain == text[at] => (at, part) = (at + 1, part + 1),
                Some(Part::Plain(_)) | None => {
                    let Some((from, any)) = backtrack else { return false };
                    backtrack = Some((from + 1, any));
                    (at, part) = (from + 1, any + 1);
                }
            }
        }
        self.0[part.min(self.0.len())..].iter().all(|part| *part == Part::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_in_the_database() {
        let cases = [
            ("sync", "device_SYNC_to", true),
            ("SYNC", "sync", true),
            ("sync", "sy-nc", false),
            ("", "", true),
            ("", "anything", true),
            ("50_", "at 50% now", true),
            ("50_", "at 50", false),
            ("50\\_", "at 50% now", false),
            ("50\\%", "at 50% now", true),
            ("a%c", "xabbbcx", true),
            ("a%c%a", "abcabc", true),
            ("a%c%d", "abcabc", false),
            ("%%", "", true),
            ("_", "", false),
            ("aab", "aaaab", true),
            ("ä", "GRÄZ", true),
            ("ΑΣ", "xαΣ", true),
            ("x\\", "x%", true),
            ("x\\", "x% and more", false),
            ("\\\\", "a\\b", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern:?} in {text:?}");
        }
        assert!(!Pattern::new(&"a".repeat(5000)).matches(&"a".repeat(5000)));
        let slow = "%a".repeat(500);
        assert!(!Pattern::new(&slow).matches(&"b".repeat(1000)));
    }
}
