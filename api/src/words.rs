//! Numbers and spans as sentences for people write them.

/// Returns a span in its largest unit: `40 ms`, `12 s`, `3 min`, `5 h`, `2 d`.
pub(crate) fn rough(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{} s", ms / 1000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// Returns a span in its two largest units: `40 ms`, `12.3 s`, `3 min 20 s`, `5 h 2 min`.
pub(crate) fn span(ms: i64) -> String {
    let pair = |large: i64, unit: &str, small: i64, smaller: &str| {
        let (whole, rest) = (ms / large, ms % large / small);
        if rest == 0 {
            format!("{whole} {unit}")
        } else {
            format!("{whole} {unit} {rest} {smaller}")
        }
    };
    match ms {
        ..1000 => format!("{} ms", ms.max(0)),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => pair(60_000, "min", 1000, "s"),
        3_600_000..86_400_000 => pair(3_600_000, "h", 60_000, "min"),
        _ => pair(86_400_000, "d", 3_600_000, "h"),
    }
}

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
    fn a_span_has_its_two_largest_units() {
        let cases = [
            (-5, "0 ms"),
            (40, "40 ms"),
            (12_345, "12.3 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (18_120_000, "5 h 2 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(span(ms), expected);
        }
    }

    #[test]
    fn a_number_is_exact() {
        let numbers = [0, 12, 123, 1234, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(2000, "job"), "2,000 jobs");
    }
}
