//! Signals in the model: what jobs wait for after their runs, and what was sent to them.

use domain::access_tokens::Role;
use domain::job::{JobId, Status, Timestamp, Transition};
use domain::signal::{MAX_KEPT_SIGNALS, SignalWait};
use store::{Finish, NewSignal, SignalAnswer};

use super::state::{Fields, Model, Record};
use super::waiting::Position;

/// The signals of a job.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// The signal that it waits for or waited for, until when, and who may send it.
    pub(super) awaited: Option<String>,
    pub(super) until: Option<i64>,
    pub(super) role: Option<Role>,
    pub(super) sent_by: Option<String>,
    /// The follow-up that the signal leads to.
    pub(super) continues_as: Option<JobId>,
    /// The signal that its runs read: the name and the text.
    pub(super) read: Option<(String, String)>,
    /// Signals for which it has not waited, and when the last was sent.
    pub(super) early: Fields,
    pub(super) early_at: Option<i64>,
}

impl Signals {
    /// What a follow-up takes over.
    pub(super) fn hand_on(&mut self) -> Signals {
        Signals {
            read: self.read.take(),
            early: std::mem::take(&mut self.early),
            early_at: self.early_at.take(),
            ..Signals::default()
        }
    }

    fn take_early(&mut self, name: &str) -> Option<String> {
        let text = self.early.remove(name);
        if self.early.is_empty() {
            self.early_at = None;
        }
        text
    }
}

impl Record {
    /// Whether it waits, after its run, for its children or a signal.
    pub(super) fn awaits(&self) -> bool {
        self.waits() && (self.awaits_children || self.signals.awaited.is_some())
    }

    /// When it stops waiting, if it still waits.
    pub(super) fn expires(&self) -> Option<i64> {
        let at = if self.awaits() { self.signals.until } else { self.expires_at };
        at.filter(|_| self.waits())
    }
}

impl Model {
    /// Ends a run whose job waits for a signal. Returns the status of the job.
    pub(super) fn await_signal(&mut self, end: &Finish, wait: &SignalWait) -> Status {
        let (id, now) = (end.id, self.now);
        let to = self.next(id, Transition::Await).unwrap();
        let name = wait.signal.to_string();
        let job = self.job_mut(id);
        (job.status, job.last_updated, job.position) = (to, now, Position::Nowhere);
        job.passed.ran_until = Some(Timestamp::from_ms(now));
        let signals = &mut job.signals;
        signals.read = None;
        signals.role = wait.roles.iter().min().copied();
        signals.until = wait.timeout.duration().map(|timeout| now + timeout.as_millis() as i64);
        (signals.awaited, signals.continues_as) = (Some(name.clone()), Some(end.follow_up));
        let early = signals.early.get(&name).cloned();
        let least = signals.role;
        let may = early.as_ref().is_some_and(|text| {
            text.split(' ').nth(1) == Some("admin") || least != Some(Role::Admin)
        });
        if early.is_some() && !may {
            signals.take_early(&name);
        }
        self.emit_move(id, Status::Running);
        self.free_locks(id);
        if let Some(text) = early.filter(|_| may) {
            self.resume(id, text);
        }
        self.jobs[&id].status
    }

    /// A signal, or the end of its time, continues a job.
    fn resume(&mut self, id: JobId, text: String) {
        let to = self.next(id, Transition::Signal).unwrap();
        let job = &self.jobs[&id];
        let (name, new) = (job.signals.awaited.clone().unwrap(), job.signals.continues_as.unwrap());
        let left = job.retries_left;
        self.follow(id, new, (left, 0), 0);
        let signals = &mut self.job_mut(new).signals;
        signals.take_early(&name);
        let mut words = text.split(' ').skip(1);
        let (role, by) = (words.next().unwrap(), words.next().unwrap());
        let sent_by = Some(by.to_owned()).filter(|_| role != "timeout");
        signals.read = Some((name, text));
        self.job_mut(id).signals.sent_by = sent_by;
        self.end_waiting(id, to);
    }

    pub(super) fn time_out(&mut self, id: JobId) {
        let text = format!(r#"{} timeout - {{"timedOut":true}}"#, self.now);
        self.resume(id, text);
    }

    pub(super) fn signal(&mut self, id: JobId, signal: &NewSignal) -> SignalAnswer {
        let id = self.last_follow_up(id);
        let Some(job) = self.jobs.get(&id) else { return SignalAnswer::Gone };
        if job.status.is_final() {
            return SignalAnswer::Over(job.status);
        }
        let NewSignal { role, by, body, .. } = signal;
        let (name, signals) = (signal.name.to_string(), &job.signals);
        let text = format!("{} {role} {by} {body}", self.now);
        if job.waits() && signals.awaited.as_ref() == Some(&name) {
            if let Some(least) = signals.role.filter(|least| role < least) {
                return SignalAnswer::Forbidden(least);
            }
            let new = signals.continues_as.unwrap();
            self.resume(id, text);
            return SignalAnswer::Continued(new);
        }
        let read = signals.read.as_ref().filter(|(read, _)| *read == name).map(|(_, text)| text);
        if let Some(sent) = read.or(signals.early.get(&name)) {
            let at = sent.split(' ').next().unwrap().parse().unwrap();
            return SignalAnswer::Already(Timestamp::from_ms(at));
        }
        if signals.early.len() >= MAX_KEPT_SIGNALS {
            return SignalAnswer::Full;
        }
        let now = self.now;
        let signals = &mut self.job_mut(id).signals;
        signals.early.insert(name, text);
        signals.early_at = Some(now);
        SignalAnswer::Kept(id)
    }
}
