//! Masks what differs between two messages of the same failure: numbers, hexadecimal digits, UUIDs
//! and quoted ids.

/// The most characters of a message that are compared and kept.
const MAX_CHARACTERS: usize = 200;
/// So many hexadecimal digits in a row are an id, if one of them is a decimal digit.
const MIN_HEX_DIGITS: usize = 8;
/// The most characters of a quoted id.
const MAX_QUOTED_CHARACTERS: usize = 100;
/// The characters that quote, each with the one that ends the quotation.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('«', '»')];

/// Returns a message with UUIDs as `<uuid>`, hexadecimal ids as `<hex>`, numbers as `<n>`, and
/// quoted words without a space as `<id>` in their quotes. White space and control characters
/// become single spaces. A longer result is cut after 200 characters.
#[must_use]
pub fn mask(message: &str) -> String {
    let mut masked = String::new();
    let mut before = ' ';
    let mut rest = message;
    let mut length = 0;
    while let Some(first) = rest.chars().next() {
        let (part, used) = next_part(rest, first, before);
        let is_space = part == " ";
        if !(is_space && (masked.is_empty() || masked.ends_with(' '))) {
            masked.push_str(part);
            length += part.chars().count();
        }
        if length > MAX_CHARACTERS {
            let cut: String = masked.chars().take(MAX_CHARACTERS - 1).collect();
            return format!("{}…", cut.trim_end());
        }
        before = rest[..used].chars().next_back().unwrap_or(' ');
        rest = &rest[used..];
    }
    masked.truncate(masked.trim_end().len());
    masked
}

/// What the beginning of a text becomes, and how many bytes of the text that replaces.
fn next_part(text: &str, first: char, before: char) -> (&str, usize) {
    if first.is_whitespace() || first.is_control() {
        return (" ", first.len_utf8());
    }
    if let Some(found) = quoted_id(text, first, before) {
        return found;
    }
    let begins_word = !before.is_alphanumeric();
    if begins_word && let Some(used) = uuid(text) {
        return ("<uuid>", used);
    }
    if begins_word && let Some(used) = hexadecimal(text) {
        return ("<hex>", used);
    }
    match number(text) {
        0 => (&text[..first.len_utf8()], first.len_utf8()),
        used => ("<n>", used),
    }
}

/// A quoted word. An apostrophe within a word does not quote.
fn quoted_id(text: &str, first: char, before: char) -> Option<(&str, usize)> {
    let (_, end) = QUOTES.into_iter().find(|(begin, _)| *begin == first)?;
    if before.is_alphanumeric() {
        return None;
    }
    let inner = &text[first.len_utf8()..];
    let length = inner.find(end)?;
    let quoted = &inner[..length];
    let is_id = (1..=MAX_QUOTED_CHARACTERS).contains(&quoted.chars().count())
        && !quoted.contains(|c: char| c.is_whitespace() || c.is_control());
    let masked = match first {
        '"' => "\"<id>\"",
        '\'' => "'<id>'",
        '`' => "`<id>`",
        '“' => "“<id>”",
        _ => "«<id>»",
    };
    is_id.then_some((masked, first.len_utf8() + length + end.len_utf8()))
}

fn uuid(text: &str) -> Option<usize> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let candidate = text.get(..36)?;
    let groups: Vec<&str> = candidate.split('-').collect();
    let is_uuid = groups.iter().map(|group| group.len()).eq(GROUPS)
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (is_uuid && ends_word(&text[36..])).then_some(36)
}

/// `0x` and hexadecimal digits, or a word of many hexadecimal digits that has a decimal one and a
/// letter: a word without either is a number, or a word such as "defaced".
fn hexadecimal(text: &str) -> Option<usize> {
    let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_hexdigit).count();
    if let Some(after) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let digits = digits_of(after);
        return (digits > 0 && ends_word(&after[digits..])).then_some(2 + digits);
    }
    let digits = digits_of(text);
    let word = &text[..digits];
    let is_id = digits >= MIN_HEX_DIGITS
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic());
    (is_id && ends_word(&text[digits..])).then_some(digits)
}

/// The length of the digits at the beginning, with the points, commas, and colons between them, so
/// that times, versions and addresses are one number.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut used = 0;
    while is_digit(used)
        || (used > 0 && matches!(bytes.get(used), Some(b'.' | b',' | b':')) && is_digit(used + 1))
    {
        used += 1;
    }
    used
}

fn ends_word(rest: &str) -> bool {
    !rest.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_differs_between_two_messages_of_a_failure_is_masked() {
        let cases = [
            ("", ""),
            ("the command exited with code 7", "the command exited with code <n>"),
            ("took 1.5 s, 1,000 rows at 10:32:07", "took <n> s, <n> rows at <n>"),
            ("no route to 10.0.3.17:8080", "no route to <n>"),
            ("job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b is gone", "job <uuid> is gone"),
            ("lost 1FCF4C0F-FF3B-471A-8839-5DCB631B2F7B", "lost <uuid>"),
            ("bad pointer 0xdeadBEEF.", "bad pointer <hex>."),
            ("commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "commit <hex>"),
            ("the page was defaced", "the page was defaced"),
            ("0x", "<n>x"),
            ("0xyz", "<n>xyz"),
            ("device-sw1 and sw12b", "device-sw<n> and sw<n>b"),
            ("no such image \"nginx:1.25\"", "no such image \"<id>\""),
            (
                "no such lock 'device-sw1' or `b` or “c” or «d»",
                "no such lock '<id>' or `<id>` or “<id>” or «<id>»",
            ),
            ("\"two words 3\" stay, \"\" too", "\"two words <n>\" stay, \"\" too"),
            ("it isn't Bob's 2nd", "it isn't Bob's <n>nd"),
            ("an open \"quote 5", "an open \"quote <n>"),
            ("  two\n\tlines\u{1b}[31m  ", "two lines [<n>m"),
            ("ümlaut 5 日本 6", "ümlaut <n> 日本 <n>"),
        ];
        for (message, masked) in cases {
            assert_eq!(mask(message), masked, "{message}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let masked = mask(&"word ".repeat(100));
        assert_eq!(masked.chars().count(), MAX_CHARACTERS);
        assert!(masked.ends_with('…'), "{masked}");
        assert_eq!(mask(&"7".repeat(10_000)), "<n>");
    }

    proptest! {
        #[test]
        fn every_message_has_a_mask_of_bounded_length(message in ".{0,300}") {
            let masked = mask(&message);
            prop_assert!(masked.chars().count() <= MAX_CHARACTERS);
            prop_assert!(!masked.contains(|c: char| c.is_control()));
        }

        #[test]
        fn numbers_do_not_matter(one: u32, other: u32) {
            let message = |number| format!("job {number} took {number}ms on sw{number}");
            prop_assert_eq!(mask(&message(one)), mask(&message(other)));
        }
    }
}
