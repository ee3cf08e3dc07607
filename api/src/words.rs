//! Numbers and spans of time as people read them.

pub(crate) use domain::spans::{rough, span};

/// Returns an exact number with its digits in groups of three, like `12,345`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number with its noun, like `1 job` or `12,345 jobs`.
pub(crate) fn count(value: u64, noun: &str) -> String {
    let s = if value == 1 { "" } else { "s" };
    format!("{} {noun}{s}", number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_exact() {
        let numbers = [0, 12, 123, 1234, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(2000, "job"), "2,000 jobs");
    }
}
