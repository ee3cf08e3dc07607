//! A running job's log on its way to the store: the first line after a silence at once, those that follow together, so
//! that a chatty job costs some calls a second and not one a line. Whoever says more than that waits.

use std::time::Duration;

use domain::job::{JobId, Token};
use store::{Appended, Line, Source};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::recorder::until_answered;
use crate::{Life, Service};

/// How many lines may be under way: what a command says beyond that makes it wait, not us grow.
const LINES: usize = 512;
/// What one call carries at most, about: a script blocks Redis.
const CALL_BYTES: usize = 256 * 1024;
/// Between two calls, unless there is more to say than one may carry. A reader sees a line after so long at most.
const PERIOD: Duration = Duration::from_millis(50);
/// A longer line is broken into several of this length.
pub(crate) const LINE_BYTES: usize = 16 * 1024;

/// Where an action writes its log. Cheap to clone.
#[derive(Clone)]
pub struct Log(mpsc::Sender<Said>);

struct Said {
    source: Source,
    text: String,
    at: Instant,
}

impl Log {
    /// Adds a line; waits while too many are under way.
    pub async fn line(&self, source: Source, text: impl Into<String>) {
        let said = Said { source, text: text.into(), at: Instant::now() };
        // A log that is cut, or whose run is over, takes no more, and lets nobody wait.
        let _ = self.0.send(said).await;
    }
}

/// Writes lines to the store until the run is over and all are written.
pub(crate) struct Writer {
    lines: mpsc::Receiver<Said>,
    id: JobId,
    token: Token,
}

/// Makes the two ends of a job's log.
pub(crate) fn log_of(id: JobId, token: Token) -> (Log, Writer) {
    let (sender, lines) = mpsc::channel(LINES);
    (Log(sender), Writer { lines, id, token })
}

impl Writer {
    /// Who still holds a [`Log`] when the run is `over`, a thread that does not end perhaps, is not waited for.
    pub(crate) async fn run(mut self, service: &Service, life: &Life, over: &CancellationToken) {
        let (mut first, mut said, mut not_before) = (0_u64, Vec::new(), Instant::now());
        loop {
            let more = self.gather(&mut said, not_before, over).await;
            if !said.is_empty() {
                let write = async || {
                    let lines: Vec<Line> = said.iter().map(line_of).collect();
                    service.store.log(self.id, self.token, first, &lines).await
                };
                if until_answered(life, write).await != Some(Appended::All) {
                    return;
                }
                first += said.len() as u64;
                said.clear();
                not_before = Instant::now() + PERIOD;
            }
            if !more {
                return;
            }
        }
    }

    /// Takes lines until there are enough for a call, or until that moment, when there are any. False at their end.
    async fn gather(
        &mut self,
        said: &mut Vec<Said>,
        until: Instant,
        over: &CancellationToken,
    ) -> bool {
        let waited = tokio::time::sleep_until(until);
        tokio::pin!(waited);
        let mut bytes = 0;
        while said.len() < LINES && bytes < CALL_BYTES {
            tokio::select! {
                biased;
                next = self.lines.recv() => match next {
                    Some(next) => {
                        bytes += next.text.len();
                        said.push(next);
                    }
                    None => return false,
                },
                () = over.cancelled(), if !self.lines.is_closed() => self.lines.close(),
                () = &mut waited, if !said.is_empty() => return true,
            }
        }
        true
    }
}

fn line_of(said: &Said) -> Line {
    Line { source: said.source, age: said.at.elapsed(), text: said.text.clone() }
}
