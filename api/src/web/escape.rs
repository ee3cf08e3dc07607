//! The escaper of the templates: every value that a page shows passes through it.

use std::fmt;

use askama::filters::Escaper;

/// Turns text into HTML that shows exactly this text, in an element or in a quoted attribute.
///
/// Control characters and those that change the direction of text are shown as their codes.
/// Otherwise a job could make its row look like another: U+202E shows `gpj.exe` as `exe.jpg`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Html;

impl Escaper for Html {
    fn write_escaped_str<W: fmt::Write>(&self, mut output: W, text: &str) -> fmt::Result {
        let mut written = 0;
        for (at, character) in text.char_indices() {
            let hides = is_invisible(character);
            let escaped = match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                _ if hides => "",
                _ => continue,
            };
            output.write_str(&text[written..at])?;
            output.write_str(escaped)?;
            if hides {
                write!(output, "\u{27e8}U+{:04X}\u{27e9}", u32::from(character))?;
            }
            written = at + character.len_utf8();
        }
        output.write_str(&text[written..])
    }
}

/// Returns true for control characters other than whitespace, and for those that set the direction
/// of the text after them or have no width.
fn is_invisible(character: char) -> bool {
    let control = character.is_control() && !matches!(character, '\n' | '\t' | '\r');
    control
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut output = String::new();
        Html.write_escaped_str(&mut output, text).unwrap();
        output
    }

    #[test]
    fn text_never_becomes_markup() {
        let cases = [
            ("plain", "plain"),
            ("<script>", "&lt;script&gt;"),
            ("\"><img", "&quot;&gt;&lt;img"),
            ("it's & that", "it&#39;s &amp; that"),
            ("{{ x }}", "{{ x }}"),
            ("a\u{202e}b", "a\u{27e8}U+202E\u{27e9}b"),
            ("\u{1b}[31m\0", "\u{27e8}U+001B\u{27e9}[31m\u{27e8}U+0000\u{27e9}"),
            ("two\n\tlines", "two\n\tlines"),
            ("Größe 東京 \u{1f680}", "Größe 東京 \u{1f680}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escaped(text), expected, "{text:?}");
        }
    }
}
