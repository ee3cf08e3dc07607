//! The report as a picture: a bar per phase, and one for the floor below it.

use std::fmt::Write;

use crate::numbers::{grouped, milliseconds};
use crate::report::Report;

const WIDTH: u32 = 720;
const LABELS: u32 = 170;
const NUMBERS: u32 = 80;
const BAR: u32 = 14;
const GROUP: u32 = 2 * BAR + 14;
const TITLE: u32 = 34;
const FLEET: &str = "#2f6fb0";
const FLOOR: &str = "#b8bec6";
const STYLE: &str = "text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold }";

/// Bars of one unit.
struct Panel {
    title: String,
    groups: Vec<Group>,
}

/// What is compared: the fleet and the floor.
struct Group {
    label: &'static str,
    fleet: Bar,
    floor: Option<Bar>,
}

struct Bar {
    value: f64,
    text: String,
}

/// Draws the report as SVG.
pub(crate) fn svg(report: &Report) -> String {
    let panels = panels(report);
    let heights = panels.iter().map(|panel| TITLE + GROUP * panel.groups.len() as u32);
    let height = heights.sum::<u32>() + TITLE + 10;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let mut y = 0;
    for panel in &panels {
        y = draw(&mut svg, panel, y);
    }
    let legend = [(LABELS, FLEET, "Capstan"), (LABELS + 100, FLOOR, "Redis and RabbitMQ alone")];
    for (x, color, text) in legend {
        rectangle(&mut svg, (x, y + 12), BAR.into(), color);
        label(&mut svg, (x + BAR + 6, y + 24), "", text);
    }
    svg + "</svg>\n"
}

fn panels(report: &Report) -> Vec<Panel> {
    let rate = |value: f64| Bar { value, text: grouped(value) };
    let rates = report.phases.iter().map(|phase| Group {
        label: phase.phase.title(),
        fleet: rate(phase.fleet.jobs_per_second),
        floor: phase.floor.as_ref().map(|floor| rate(floor.jobs_per_second)),
    });
    let mut panels = vec![Panel { title: "Jobs per second".to_owned(), groups: rates.collect() }];
    if let Some(pickup) = &report.pickup {
        let time = |us: i64| Bar { value: us as f64, text: milliseconds(us) };
        let floor = pickup.floor.as_ref().map(|floor| &floor.submit_to_start);
        let times = &pickup.submit_to_start;
        let group = |label, fleet, floor: Option<i64>| Group {
            label,
            fleet: time(fleet),
            floor: floor.map(time),
        };
        let groups = vec![
            group("median", times.p50_us, floor.map(|floor| floor.p50_us)),
            group("99th percentile", times.p99_us, floor.map(|floor| floor.p99_us)),
        ];
        let rate = pickup.jobs_per_second;
        let title = format!("Milliseconds from submission to start at {rate} jobs/s");
        panels.push(Panel { title, groups });
    }
    panels
}

/// Draws a panel below `y`. Returns where it ends.
fn draw(svg: &mut String, panel: &Panel, y: u32) -> u32 {
    label(svg, (10, y + 24), " class=\"title\"", &panel.title);
    let bars = panel.groups.iter().flat_map(|group| [Some(&group.fleet), group.floor.as_ref()]);
    let largest = bars.flatten().map(|bar| bar.value).fold(0.0, f64::max).max(1e-9);
    let mut y = y + TITLE;
    for group in &panel.groups {
        label(svg, (10, y + BAR + 2), "", group.label);
        let bars = [(Some(&group.fleet), FLEET), (group.floor.as_ref(), FLOOR)];
        for (position, (bar, color)) in (0..).zip(bars) {
            let Some(bar) = bar else { continue };
            let width = f64::from(WIDTH - LABELS - NUMBERS) * bar.value / largest;
            let top = y + position * BAR;
            rectangle(svg, (LABELS, top), width, color);
            label(svg, (LABELS + width as u32 + 6, top + 11), "", &bar.text);
        }
        y += GROUP;
    }
    y
}

fn rectangle(svg: &mut String, (x, y): (u32, u32), width: f64, color: &str) {
    let height = BAR - 2;
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{color}\"/>"
    );
}

/// Writes text that needs no escapes.
fn label(svg: &mut String, (x, y): (u32, u32), class: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\"{class}>{text}</text>");
}
