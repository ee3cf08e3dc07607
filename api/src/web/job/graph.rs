//! The jobs that one depends on, and its children, as a drawing: a node for each job, an arrow for
//! each relation, and the path that took the longest.

mod layout;
mod read;

use domain::job::{Job, JobId, Status, Timestamp};
use store::{Store, StoreError};

use crate::timeline::Spans;
use crate::web::format::{cut, span, status_words};
use layout::{Layout, lay_out};

/// How many characters of an action a node has room for.
const ACTION_CHARACTERS: usize = 18;
/// The size of a node.
const NODE: (usize, usize) = (176, 44);
/// The space between the columns, and between the nodes of a column.
const GAP: (usize, usize) = (44, 14);
/// The space around the drawing.
const MARGIN: usize = 4;

/// The drawing.
pub(super) struct Graph {
    /// Its width in pixels.
    pub(super) width: usize,
    /// Its height in pixels.
    pub(super) height: usize,
    /// The jobs.
    pub(super) nodes: Vec<Node>,
    /// The relations.
    pub(super) arrows: Vec<Arrow>,
    /// True if there are more jobs than are drawn.
    pub(super) is_cut: bool,
    /// How long the longest path took; empty if no job has run.
    pub(super) longest: String,
}

/// A job of the drawing.
pub(super) struct Node {
    /// Its id.
    pub(super) id: JobId,
    /// Its number and its action, cut to the width of the node.
    pub(super) name: String,
    /// Its status.
    pub(super) status: Status,
    /// Its status in words.
    pub(super) words: &'static str,
    /// How long it ran; empty if it has not run.
    pub(super) ran: String,
    /// All of this, and the jobs before it, for those who cannot see the drawing.
    pub(super) label: String,
    /// Its left edge.
    pub(super) x: usize,
    /// Its upper edge.
    pub(super) y: usize,
    /// True for the job of the page.
    pub(super) is_own: bool,
    /// True on the path that took the longest.
    pub(super) is_critical: bool,
}

/// A relation of the drawing.
pub(super) struct Arrow {
    /// The curve from the right edge of a node to the left edge of another.
    pub(super) path: String,
    /// True on the path that took the longest.
    pub(super) is_critical: bool,
    /// True if the second job is a child of the first.
    pub(super) is_child: bool,
}

impl Graph {
    /// Reads and draws the relations of a job; `None` if it has none.
    pub(super) async fn read(
        store: &Store,
        job: &Job,
        now: Timestamp,
    ) -> Result<Option<Graph>, StoreError> {
        let found = read::read(store, job).await?;
        Ok((found.jobs.len() > 1).then(|| Graph::draw(&found, job.id, now)))
    }

    fn draw(found: &read::Relations, own: JobId, now: Timestamp) -> Graph {
        let run_ms: Vec<u64> = found.jobs.iter().map(|job| Spans::of(job, now).run_ms).collect();
        let edges: Vec<(usize, usize)> =
            found.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let layout = lay_out(&run_ms, &edges);
        let node = |(at, job): (usize, &Job)| {
            let (x, y) = corner(&layout, at);
            let name = format!("#{} {}", job.number, job.spec.action);
            let ran = if run_ms[at] == 0 { String::new() } else { span(run_ms[at] as i64) };
            let after: Vec<String> = edges
                .iter()
                .filter(|(_, to)| *to == at)
                .map(|(from, _)| format!("#{}", found.jobs[*from].number))
                .collect();
            let after = match after.is_empty() {
                true => String::new(),
                false => format!(", after {}", after.join(", ")),
            };
            let words = status_words(job.status);
            let name = cut(&name, ACTION_CHARACTERS);
            // It begins with the visible text, by which voice control finds a link.
            let shown = if ran.is_empty() { words.to_owned() } else { format!("{words} · {ran}") };
            Node {
                id: job.id,
                label: format!("{name} {shown}{after}"),
                name,
                status: job.status,
                words,
                ran,
                x,
                y,
                is_own: job.id == own,
                is_critical: layout.critical.contains(&at),
            }
        };
        let nodes = found.jobs.iter().enumerate().map(node).collect();
        let is_next = |from, to| layout.critical.windows(2).any(|pair| pair == [from, to]);
        let arrow = |edge: &read::Edge| Arrow {
            path: curve(corner(&layout, edge.from), corner(&layout, edge.to)),
            is_critical: is_next(edge.from, edge.to),
            is_child: edge.is_child,
        };
        let columns = layout.places.iter().map(|place| place.0 + 1).max().unwrap_or(1);
        let rows = layout.places.iter().map(|place| place.1 + 1).max().unwrap_or(1);
        let longest: u64 = layout.critical.iter().map(|at| run_ms[*at]).sum();
        Graph {
            width: columns * (NODE.0 + GAP.0) - GAP.0 + 2 * MARGIN,
            height: rows * (NODE.1 + GAP.1) - GAP.1 + 2 * MARGIN,
            nodes,
            arrows: found.edges.iter().map(arrow).collect(),
            is_cut: found.is_cut,
            longest: if longest == 0 { String::new() } else { span(longest as i64) },
        }
    }
}

/// Returns the upper left corner of a node.
fn corner(layout: &Layout, at: usize) -> (usize, usize) {
    let (column, row) = layout.places[at];
    (MARGIN + column * (NODE.0 + GAP.0), MARGIN + row * (NODE.1 + GAP.1))
}

fn curve(from: (usize, usize), to: (usize, usize)) -> String {
    let (x1, y1) = (from.0 + NODE.0, from.1 + NODE.1 / 2);
    let (x2, y2) = (to.0, to.1 + NODE.1 / 2);
    let bend = GAP.0 / 2;
    format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2.saturating_sub(bend))
}
