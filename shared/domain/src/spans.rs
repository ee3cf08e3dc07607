//! Spans of time as people read them.

/// Returns a span in its largest unit: `40 ms`, `12 s`, `3 min`, `5 h`, `2 d`.
pub fn rough(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{} s", ms / 1000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// Returns a span in its two largest units: `40 ms`, `12.3 s`, `3 min 20 s`, `5 h 2 min`.
pub fn span(ms: i64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_two_largest_units() {
        let cases = [
            (-5, "0 ms"),
            (40, "40 ms"),
            (2_500, "2.5 s"),
            (12_345, "12.3 s"),
            (60_000, "1 min"),
            (65_000, "1 min 5 s"),
            (200_000, "3 min 20 s"),
            (12_000_000, "3 h 20 min"),
            (18_120_000, "5 h 2 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(span(ms), expected);
        }
    }
}
