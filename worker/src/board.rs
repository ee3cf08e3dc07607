//! The jobs that run here now: what the heart reports, and where it delivers what it hears.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::job::{JobId, Token};
use tokio::sync::watch;

/// Why a running job is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody asked for it.
    Cancel,
    /// It ran past its deadline.
    Deadline,
    /// The worker shuts down.
    Shutdown,
    /// The claim is lost: another run may have begun elsewhere.
    Lost,
    /// The lease has ended, and the job must not run a moment longer.
    Overdue,
}

impl Stop {
    /// True when nothing that this run says counts any more.
    #[must_use]
    pub fn ends_all_talk(self) -> bool {
        matches!(self, Stop::Lost | Stop::Overdue)
    }
}

/// Says whether and why a job is to stop. The first reason stays, but for those that end all talk.
pub type StopSignal = watch::Receiver<Option<Stop>>;

/// Returns when the action is to stop at once, without time to end by itself.
pub(crate) async fn asked_to_end_now(signal: &mut StopSignal) {
    let overdue = |told: &Option<Stop>| *told == Some(Stop::Overdue);
    if signal.wait_for(overdue).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns when the action is to stop.
pub(crate) async fn asked_to_stop(signal: &mut StopSignal) {
    if signal.wait_for(Option::is_some).await.is_err() {
        // Off the board means that the run is over: nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

/// Every running job of one life. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<HashMap<JobId, Entry>>>);

struct Entry {
    token: Token,
    strict: bool,
    over: bool,
    stop: watch::Sender<Option<Stop>>,
}

impl Board {
    /// Puts a job on the board.
    pub(crate) fn add(&self, id: JobId, token: Token, strict: bool) -> StopSignal {
        let (stop, signal) = watch::channel(None);
        self.lock().insert(id, Entry { token, strict, over: false, stop });
        signal
    }

    /// Takes a job off.
    pub(crate) fn remove(&self, id: JobId) {
        self.lock().remove(&id);
    }

    /// The job's action has ended; its end is still to be recorded.
    pub(crate) fn over(&self, id: JobId) {
        if let Some(entry) = self.lock().get_mut(&id) {
            entry.over = true;
        }
    }

    /// True when no action runs any more.
    pub(crate) fn all_over(&self) -> bool {
        self.lock().values().all(|entry| entry.over)
    }

    /// Asks a job to stop.
    pub(crate) fn stop(&self, id: JobId, why: Stop) {
        if let Some(entry) = self.lock().get(&id) {
            entry.tell(why);
        }
    }

    /// Asks every job to stop.
    pub(crate) fn stop_all(&self, why: Stop) {
        for entry in self.lock().values() {
            entry.tell(why);
        }
    }

    /// Stops every job that must not outlive the lease.
    pub(crate) fn stop_strict(&self) {
        for entry in self.lock().values().filter(|entry| entry.strict) {
            entry.tell(Stop::Overdue);
        }
    }

    /// What runs, as a beat reports it.
    pub(crate) fn running(&self) -> Vec<(JobId, Token)> {
        self.lock().iter().map(|(id, entry)| (*id, entry.token)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn tell(&self, why: Stop) {
        self.stop.send_if_modified(|told| {
            let news = told.is_none_or(|told| !told.ends_all_talk() && why.ends_all_talk());
            if news {
                *told = Some(why);
            }
            news
        });
    }
}
