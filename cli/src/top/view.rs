//! What `capstan top` shows. All text from the API is escaped, because it could contain control
//! characters.

use client::ClientError;
use client::escape;
use client::wire::{Job, Rates, Status, Worker};
use domain::job::Timestamp;
use domain::spans::rough;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Table};

use super::keys::KEYS;
use super::snapshot::Snapshot;

/// The state of the view.
pub(super) struct View {
    /// The last state of the fleet that was read.
    snapshot: Snapshot,
    /// Why the API does not answer.
    problem: Option<String>,
    /// The fleet is not read until the user resumes.
    pub(super) is_paused: bool,
    /// The list of keys is shown.
    pub(super) shows_help: bool,
}

impl View {
    /// Returns the view of a state.
    pub(super) fn new(snapshot: Snapshot) -> View {
        View { snapshot, problem: None, is_paused: false, shows_help: false }
    }

    /// Replaces the state. While the API does not answer, the last state stays.
    pub(super) fn update(
        &mut self,
        read: Result<Snapshot, ClientError>,
    ) -> Result<(), ClientError> {
        match read {
            Ok(snapshot) => (self.snapshot, self.problem) = (snapshot, None),
            Err(error @ ClientError::Unavailable(_)) => self.problem = Some(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Draws the view.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    draw_at(frame, view, Timestamp::from_ms(chrono::Utc::now().timestamp_millis()));
}

fn draw_at(frame: &mut Frame<'_>, view: &View, now: Timestamp) {
    let Snapshot { status, workers, waiting, running } = &view.snapshot;
    let worker_rows = (workers.len() as u16).clamp(1, 12) + 2;
    let waiting_rows = (waiting.len() as u16).clamp(1, 8) + 2;
    let [head, worker_area, waiting_area, running_area, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(worker_rows),
        Constraint::Length(waiting_rows),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(status, view)), head);
    draw_table(frame, worker_area, &worker_table(workers));
    draw_table(frame, waiting_area, &waiting_table(waiting, now));
    draw_table(frame, running_area, &running_table(running, now));
    let keys = if view.is_paused { "paused · p resume" } else { "p pause" };
    let keys = format!("q quit · {keys} · r refresh · ? help");
    frame.render_widget(Paragraph::new(keys).style(Style::new().add_modifier(Modifier::DIM)), foot);
    if view.shows_help {
        draw_help(frame);
    }
}

fn head_lines(status: &Status, view: &View) -> Vec<Line<'static>> {
    let state = |name: &str, ok: bool, why: Option<&str>| {
        let text = match why.filter(|_| !ok) {
            Some(why) => format!("{name} {}", escape(why)),
            None => format!("{name} {}", if ok { "ok" } else { "not ok" }),
        };
        if ok { Span::raw(text) } else { Span::raw(text).red() }
    };
    let first = match &view.problem {
        Some(problem) => Line::from(escape(problem).into_owned()).red(),
        None => Line::from(vec![
            Span::raw(format!("Capstan {}", escape(&status.version))).bold(),
            Span::raw(" · "),
            state("Redis", status.store.ok, status.store.why.as_deref()),
            Span::raw(" · "),
            state("RabbitMQ", status.broker.ok, status.broker.why.as_deref()),
            Span::raw(format!(
                " · {} live, {} draining",
                workers_of(status),
                status.workers.draining
            )),
        ]),
    };
    let warning = status.warnings.first().map(|text| escape(text).into_owned());
    vec![
        first,
        Line::from(counts(status)),
        Line::from(status.rates.as_ref().map(rates).unwrap_or_default()),
        Line::from(warning.unwrap_or_default()).yellow(),
    ]
}

fn workers_of(status: &Status) -> String {
    let live = status.workers.live;
    format!("{live} {}", if live == 1 { "worker" } else { "workers" })
}

/// The jobs in each status, first those that have not ended.
fn counts(status: &Status) -> String {
    let count = |word: &str| status.jobs.get(word).copied().unwrap_or_default();
    let first = ["waiting", "running", "done", "error"];
    let mut parts: Vec<String> =
        first.iter().map(|word| format!("{} {word}", count(word))).collect();
    let others =
        status.jobs.iter().filter(|(word, count)| **count > 0 && !first.contains(&word.as_str()));
    parts.extend(others.map(|(word, count)| format!("{count} {}", escape(word))));
    parts.join(" · ")
}

fn rates(rates: &Rates) -> String {
    let period_s = rates.period_ms as f64 / 1000.0;
    let per_second = |count: u64| if period_s > 0.0 { count as f64 / period_s } else { 0.0 };
    format!(
        "last {period_s:.0} s: {:.1}/s started · {:.1}/s ended · {} failed",
        per_second(rates.started),
        per_second(rates.ended),
        rates.failed
    )
}

/// A titled table as rows of text.
struct Rows {
    title: &'static str,
    widths: Vec<Constraint>,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

fn worker_table(workers: &[Worker]) -> Rows {
    let row = |worker: &Worker| {
        let jobs = worker.jobs.as_array().map(|jobs| jobs.len() as u64);
        let jobs = jobs.or(worker.jobs.as_u64()).unwrap_or_default();
        vec![worker.name.clone(), worker.status.clone(), jobs.to_string(), loads(worker)]
    };
    Rows {
        title: "Workers",
        widths: vec![
            Constraint::Length(20),
            Constraint::Length(10),
            Constraint::Length(6),
            Constraint::Min(20),
        ],
        header: vec!["NAME", "STATUS", "JOBS", "CAPACITY IN USE"],
        rows: workers.iter().map(row).collect(),
        empty: "no worker is live",
    }
}

/// The used capacity of a worker, like `cpu ████░░░░ 2/4`.
fn loads(worker: &Worker) -> String {
    const CELLS: u64 = 8;
    let load = |(name, total): (&str, u64)| {
        let used = total.saturating_sub(worker.free.of(name));
        let full = (used * CELLS).checked_div(total).unwrap_or(0).min(CELLS) as usize;
        let bar = "█".repeat(full) + &"░".repeat(CELLS as usize - full);
        format!("{name} {bar} {used}/{total}")
    };
    worker.capacity_map.iter().map(load).collect::<Vec<_>>().join("  ")
}

fn waiting_table(jobs: &[Job], now: Timestamp) -> Rows {
    let row = |job: &Job| {
        let why = job.waiting_for.as_ref().map(|reason| reason.message.clone());
        let wait = age(job.scheduled_at, now);
        vec![job.number.to_string(), job.action.clone(), wait, why.unwrap_or_default()]
    };
    Rows {
        title: "Waiting longest",
        widths: job_widths(),
        header: vec!["NUMBER", "ACTION", "DUE FOR", "WHY"],
        rows: jobs.iter().map(row).collect(),
        empty: "no job waits",
    }
}

fn running_table(jobs: &[Job], now: Timestamp) -> Rows {
    let row = |job: &Job| {
        let since = job.started_at.map(|at| age(at, now)).unwrap_or_default();
        let worker = format!("worker {}, {}", job.worker_id, job.status);
        vec![job.number.to_string(), job.action.clone(), since, worker]
    };
    Rows {
        title: "Running",
        widths: job_widths(),
        header: vec!["NUMBER", "ACTION", "RUNS FOR", "WHERE"],
        rows: jobs.iter().map(row).collect(),
        empty: "no job runs",
    }
}

fn job_widths() -> Vec<Constraint> {
    vec![Constraint::Length(9), Constraint::Length(20), Constraint::Length(9), Constraint::Min(20)]
}

/// How long ago a moment was, in its largest unit. A moment in the future is `-`.
fn age(at: Timestamp, now: Timestamp) -> String {
    match now.ms() - at.ms() {
        ..0 => "-".to_owned(),
        0..1000 => "0 s".to_owned(),
        ms => rough(ms),
    }
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, table: &Rows) {
    let block = Block::new().borders(Borders::TOP).title(table.title.bold());
    if table.rows.is_empty() {
        frame.render_widget(Paragraph::new(table.empty).block(block), area);
        return;
    }
    let cells = |row: &Vec<String>| {
        Row::new(row.iter().map(|cell| escape(cell).into_owned()).collect::<Vec<_>>())
    };
    let header = Row::new(table.header.clone()).style(Style::new().fg(Color::Cyan));
    let rows = Table::new(table.rows.iter().map(cells), table.widths.clone());
    frame.render_widget(rows.header(header).block(block), area);
}

fn draw_help(frame: &mut Frame<'_>) {
    let lines: Vec<Line<'_>> =
        KEYS.iter().map(|(key, meaning)| Line::from(format!(" {key:<3} {meaning}"))).collect();
    let (width, height) = (34, lines.len() as u16 + 2);
    let area = frame.area();
    let area = Rect {
        x: area.width.saturating_sub(width) / 2,
        y: area.height.saturating_sub(height) / 2,
        width: width.min(area.width),
        height: height.min(area.height),
    };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("Keys")), area);
}

#[cfg(test)]
mod tests;
