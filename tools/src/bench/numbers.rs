//! Medians, percentiles, and numbers as people read them.

use serde::Serialize;

/// Percentiles of times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Percentiles {
    pub(crate) p50_us: i64,
    pub(crate) p90_us: i64,
    pub(crate) p99_us: i64,
    pub(crate) max_us: i64,
}

impl Percentiles {
    /// Calculates the percentiles of some times; all are zero when there are none.
    pub(crate) fn of(mut times_us: Vec<i64>) -> Percentiles {
        times_us.sort_unstable();
        let at = |percent| nearest_rank(&times_us, percent);
        Percentiles { p50_us: at(50), p90_us: at(90), p99_us: at(99), max_us: at(100) }
    }
}

/// The smallest value that at least `percent` of all values do not exceed.
fn nearest_rank(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// The middle value. For an even number of values, the mean of the middle two; for none, zero.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len().is_multiple_of(2), &sorted[..]) {
        (_, []) => 0.0,
        (true, all) => f64::midpoint(all[middle - 1], all[middle]),
        (false, all) => all[middle],
    }
}

/// The rate per second.
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(1e-9)
}

/// Formats a rate with thousands separators, `19,204`.
pub(crate) fn grouped(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a small number with three digits that count, a large one without decimals.
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 99.95 => grouped(number),
        size if size >= 9.995 => format!("{number:.1}"),
        size if size >= 0.9995 || size == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// Formats microseconds as milliseconds.
pub(crate) fn milliseconds(us: i64) -> String {
    format!("{:.2}", us as f64 / 1000.0)
}

/// Formats bytes as MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let of = |times: &[i64]| {
            let found = Percentiles::of(times.to_vec());
            [found.p50_us, found.p90_us, found.p99_us, found.max_us]
        };
        let hundred: Vec<i64> = (1..=100).rev().collect();
        let thousand: Vec<i64> = (1..=1000).collect();
        assert_eq!(of(&[]), [0; 4]);
        assert_eq!(of(&[7]), [7; 4]);
        assert_eq!(of(&[1, 2]), [1, 2, 2, 2]);
        assert_eq!(of(&hundred), [50, 90, 99, 100]);
        assert_eq!(of(&thousand), [500, 900, 990, 1000]);
    }

    #[test]
    fn the_median_is_the_middle_value() {
        let cases: [(&[f64], f64); 4] =
            [(&[], 0.0), (&[5.0], 5.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0], 2.5)];
        for (values, middle) in cases {
            assert!((median(values.iter().copied()) - middle).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn rates_have_thousands_separators() {
        let cases =
            [(0.4, "0"), (999.6, "1,000"), (19_204.2, "19,204"), (1_234_567.0, "1,234,567")];
        for (rate, text) in cases {
            assert_eq!(grouped(rate), text);
        }
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let cases = [
            (0.0, "0.00"),
            (0.0156, "0.016"),
            (0.24, "0.240"),
            (1.0, "1.00"),
            (33.97, "34.0"),
            (1_912.3, "1,912"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
    }
}
