//! A running job's log on its way to the store: line by line as they come, those that come together in one call.

use shared::job::{JobId, Token};
use shared::store::{Appended, Line, Source};
use tokio::sync::mpsc;

use crate::recorder::until_answered;
use crate::{Life, Service};

/// How many lines may be under way: what a command says beyond that makes it wait, not us grow.
const LINES: usize = 256;
/// A longer line is broken into several of this length.
pub(crate) const LINE_BYTES: usize = 16 * 1024;

/// Where an action writes its log. Cheap to clone.
#[derive(Clone)]
pub struct Log(mpsc::Sender<Line>);

impl Log {
    /// Adds a line; waits while too many are under way.
    pub async fn line(&self, source: Source, text: impl Into<String>) {
        // The writer outlives the run; when it is gone the claim is lost and nobody reads this log.
        let _ = self.0.send(Line { source, text: text.into() }).await;
    }
}

/// Writes lines to the store until every [`Log`] is dropped and all are written.
pub(crate) struct Writer {
    lines: mpsc::Receiver<Line>,
    id: JobId,
    token: Token,
}

/// Makes the two ends of a job's log.
pub(crate) fn log_of(id: JobId, token: Token) -> (Log, Writer) {
    let (sender, lines) = mpsc::channel(LINES);
    (Log(sender), Writer { lines, id, token })
}

impl Writer {
    pub(crate) async fn run(mut self, service: &Service, life: &Life) {
        let (mut first, mut taken, mut open) = (0_u64, Vec::new(), true);
        while self.lines.recv_many(&mut taken, LINES).await > 0 {
            if open {
                let write = || service.store.log(self.id, self.token, first, &taken);
                open = until_answered(life, write).await == Some(Appended::All);
                first += taken.len() as u64;
            }
            // A log that is cut or lost is read on all the same, so that the command does not wait for it.
            taken.clear();
        }
    }
}
