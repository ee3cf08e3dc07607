//! Draws series of numbers as SVG. The styles are classes, because the policy of the page allows no
//! inline style. A script can draw the same numbers from `data`.

use serde_json::json;

/// The width of a chart in units of its drawing.
pub(super) const WIDTH: f64 = 640.0;
/// The height of a chart.
pub(super) const HEIGHT: f64 = 180.0;
/// The space on the left for the numbers of the axis, and at the bottom for the times.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 8.0;
const RIGHT: f64 = 8.0;
/// The width and the height of a small chart in the row of a list.
pub(super) const SPARK_WIDTH: f64 = 120.0;
/// The height of a small chart.
pub(super) const SPARK_HEIGHT: f64 = 24.0;
/// The number of times on the axis.
const TIMES: usize = 4;

/// A chart with one or more lines.
#[derive(Debug, PartialEq)]
pub(super) struct Chart {
    /// The id of its element.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    /// Its lines.
    pub(super) lines: Vec<Line>,
    /// The numbers of the axis, with their heights.
    pub(super) numbers: Vec<(f64, String)>,
    /// The times of the axis, with their positions.
    pub(super) times: Vec<(f64, String)>,
    /// The numbers as JSON, for a script.
    pub(super) data: String,
}

/// A line of a chart.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// What it shows.
    pub(super) name: &'static str,
    /// Its style.
    pub(super) class: &'static str,
    /// The path of the line, as the attribute `d` has it. Without a value there is a gap.
    pub(super) path: String,
}

/// The values of a line, by the times of the chart. `None` where nothing happened.
pub(super) struct Values<'a> {
    /// What the line shows.
    pub(super) name: &'static str,
    /// Its style.
    pub(super) class: &'static str,
    /// The values.
    pub(super) values: &'a [Option<f64>],
}

/// What a chart shows, and how it writes its numbers.
pub(super) struct Subject {
    /// The id of its element.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    /// The unit of its numbers, which its script shows: `ms` or `per minute`.
    pub(super) unit: &'static str,
    /// Writes a number of the axis.
    pub(super) label: fn(f64) -> String,
}

/// Draws lines. `times` has the start of each point, in milliseconds since 1970, and how the axis
/// writes it.
pub(super) fn chart(subject: &Subject, times: &[(i64, String)], lines: &[Values<'_>]) -> Chart {
    let all = lines.iter().flat_map(|line| line.values).flatten();
    let top = nice(all.copied().fold(0.0, f64::max));
    let x = |index: usize| {
        let last = times.len().saturating_sub(1).max(1) as f64;
        LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / last
    };
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / top);
    let drawn = lines.iter().map(|line| Line {
        name: line.name,
        class: line.class,
        path: path(line.values, x, y),
    });
    let seconds: Vec<i64> = times.iter().map(|(ms, _)| ms / 1000).collect();
    let values: Vec<_> = lines.iter().map(|line| line.values).collect();
    let names: Vec<_> = lines.iter().map(|line| line.name).collect();
    let data = json!({
        "at": seconds, "values": values, "names": names, "unit": subject.unit,
    });
    let marks = (0..TIMES).map(|mark| mark * times.len().saturating_sub(1) / (TIMES - 1));
    Chart {
        id: subject.id,
        title: subject.title,
        lines: drawn.collect(),
        numbers: [0.0, top / 2.0, top].map(|at| (round(y(at)), (subject.label)(at))).to_vec(),
        times: marks.filter_map(|at| Some((round(x(at)), times.get(at)?.1.clone()))).collect(),
        data: data.to_string(),
    }
}

fn path(values: &[Option<f64>], x: impl Fn(usize) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut is_gap = true;
    for (index, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let (x, y) = (x(index), y(*value));
            let command = if is_gap { 'M' } else { 'L' };
            path.push_str(&format!("{command}{x:.1} {y:.1}"));
            // A point without neighbours would not be seen.
            let is_alone = is_gap && values.get(index + 1).copied().flatten().is_none();
            if is_alone {
                path.push_str("h0.1");
            }
        }
        is_gap = value.is_none();
    }
    path
}

/// Draws numbers as bars, as the attribute `d` of a path has them.
pub(super) fn bars(values: &[u64]) -> String {
    let top = values.iter().copied().max().unwrap_or_default().max(1) as f64;
    let width = SPARK_WIDTH / values.len().max(1) as f64;
    let bar = |(index, value): (usize, &u64)| {
        // The smallest bar is still seen.
        let height = (SPARK_HEIGHT * *value as f64 / top).max(2.0);
        let (x, y) = (width * index as f64, SPARK_HEIGHT - height);
        format!("M{x:.1} {SPARK_HEIGHT}V{y:.1}h{:.1}V{SPARK_HEIGHT}z", (width - 1.0).max(0.5))
    };
    let seen = values.iter().enumerate().filter(|(_, value)| **value > 0);
    seen.map(bar).collect()
}

/// The smallest of 1, 2, 4, 5 and 10 times a power of ten that is not smaller; at least 1.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 10.0].into_iter().map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject =
        Subject { id: "rate", title: "Rate", unit: "per minute", label: |at| format!("{at}") };

    #[test]
    fn a_line_has_a_gap_where_there_is_no_value() {
        let times: Vec<(i64, String)> = (0..5).map(|at| (at * 60_000, format!("t{at}"))).collect();
        let values = [Some(0.0), Some(3.0), None, Some(4.0), None];
        let line = Values { name: "started", class: "l-1", values: &values };
        let chart = chart(&SUBJECT, &times, &[line]);
        assert_eq!(chart.lines[0].path, "M64.0 158.0L206.0 45.5M490.0 8.0h0.1");
        let numbers = [(158.0, "0"), (83.0, "2"), (8.0, "4")];
        assert_eq!(chart.numbers, numbers.map(|(at, text)| (at, text.to_owned())));
        let times = [(64.0, "t0"), (206.0, "t1"), (348.0, "t2"), (632.0, "t4")];
        assert_eq!(chart.times, times.map(|(at, text)| (at, text.to_owned())));
        let data = r#"{"at":[0,60,120,180,240],"names":["started"],"unit":"per minute","values":[[0.0,3.0,null,4.0,null]]}"#;
        assert_eq!(chart.data, data);
    }

    #[test]
    fn a_chart_without_points_is_empty() {
        let chart = chart(&SUBJECT, &[], &[Values { name: "a", class: "b", values: &[] }]);
        assert_eq!((chart.lines[0].path.as_str(), chart.times.len()), ("", 0));
    }

    #[test]
    fn bars_are_drawn_where_there_is_a_number() {
        assert_eq!(bars(&[0, 1, 4]), "M40.0 24V18.0h39.0V24zM80.0 24V0.0h39.0V24z");
        assert_eq!(bars(&[]), "");
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        let cases = [(0.0, 1.0), (1.0, 1.0), (3.0, 4.0), (4.5, 5.0), (7.0, 10.0), (101.0, 200.0)];
        for (value, top) in cases {
            assert!((nice(value) - top).abs() < 1e-9, "{value}: {}", nice(value));
        }
    }
}
