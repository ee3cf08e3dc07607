//! Spans of time for people.

/// Returns a span in its two largest units: `40 ms`, `2.5 s`, `1 min 5 s`, `3 h 20 min`.
pub(crate) fn span(ms: u64) -> String {
    let pair = |large: u64, unit: &str, small: u64, smaller: &str| {
        let (whole, rest) = (ms / large, ms % large / small);
        if rest == 0 {
            format!("{whole} {unit}")
        } else {
            format!("{whole} {unit} {rest} {smaller}")
        }
    };
    match ms {
        ..1000 => format!("{ms} ms"),
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
        let spans = [40, 2_500, 65_000, 12_000_000, 90_000_000].map(span);
        assert_eq!(spans, ["40 ms", "2.5 s", "1 min 5 s", "3 h 20 min", "1 d 1 h"]);
    }
}
