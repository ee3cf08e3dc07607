//! Makes untrusted text safe to print. Otherwise a comment or a log line could move the cursor, clear
//! the screen, or look like another row of a table.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes every control character, line breaks included, and those that change the direction of
/// text: as `\n`, `\x1b` or `\u{202e}`. The result is one line.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_if(text, is_unsafe)
}

/// Escapes like [`escape`], but keeps line breaks and tabs.
#[must_use]
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escape_if(text, |character| !matches!(character, '\n' | '\t') && is_unsafe(character))
}

/// Escapes text that is JSON already. Such characters occur only in its strings, except for line
/// breaks, so the result is the same document.
#[must_use]
pub fn escape_json(text: &str) -> Cow<'_, str> {
    let is_escaped = |character| character != '\n' && is_unsafe(character);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escaped(character) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// True for C0, C1, DEL, the separators of lines and paragraphs, and what overrides the direction
/// of text.
fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape_if(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        let _ = match character {
            _ if !is_escaped(character) => write!(escaped, "{character}"),
            '\n' => write!(escaped, "\\n"),
            '\r' => write!(escaped, "\\r"),
            '\t' => write!(escaped, "\\t"),
            _ if character.is_ascii() => write!(escaped, "\\x{:02x}", u32::from(character)),
            _ => write!(escaped, "\\u{{{:x}}}", u32::from(character)),
        };
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_change_what_a_terminal_shows_are_escaped() {
        let cases = [
            ("plain text, ä and 漢", "plain text, ä and 漢"),
            ("a\nb", r"a\nb"),
            ("a\r\tb\u{0}", r"a\r\tb\x00"),
            ("\u{1b}[2J\u{7f}", r"\x1b[2J\x7f"),
            ("\u{9b}2J\u{85}", r"\u{9b}2J\u{85}"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", r"\u{202a}\u{202e}\u{2066}\u{2069}"),
            ("\u{2028}", r"\u{2028}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn lines_keep_their_breaks_and_tabs_only() {
        assert_eq!(escape_lines("a\tb\nc\r\u{1b}[1m"), "a\tb\nc\\r\\x1b[1m");
    }

    #[test]
    fn escaped_json_is_the_same_document() {
        let value = serde_json::json!({"a\u{202e}": ["\n\u{1b}\u{7f}\u{9b}\u{2066}", 1.5]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let escaped = escape_json(&text);
        assert!(
            escaped.contains(r"\u202e") && escaped.contains(r"\u007f\u009b\u2066"),
            "{escaped}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
        assert_eq!(escape_json("{\n  \"a\": 1\n}"), "{\n  \"a\": 1\n}");
    }
}
