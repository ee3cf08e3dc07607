//! Signals: sent to jobs, and read by the runs that they lead to.

use domain::access_tokens::Role;
use domain::job::{Job, JobId, Status, Timestamp};
use domain::signal::{MAX_KEPT_SIGNALS, Signal, SignalName};

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static SIGNAL: Script = Script::new("signal", include_str!("signal.lua"));

/// A signal to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSignal {
    /// Its name.
    pub name: SignalName,
    /// The role of the sender.
    pub role: Role,
    /// The sender, a name without spaces.
    pub by: String,
    /// What is sent, as JSON.
    pub body: String,
}

/// The jobs that a signal may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalTo {
    /// A job, or the job that continues it.
    Chain(JobId),
    /// This job only.
    Job(JobId),
}

/// What became of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalAnswer {
    /// The job waited for it, and continues as this one.
    Continued(JobId),
    /// It is kept until this job waits for it.
    Kept(JobId),
    /// It was sent at this time, or the time for it was over then.
    Already(Timestamp),
    /// The wait requires a sender with this role.
    Forbidden(Role),
    /// As many signals are kept for the job as may be.
    Full,
    /// The job is over.
    Over(Status),
    /// There is no such job.
    Gone,
}

impl Store {
    /// Sends a signal.
    pub async fn signal(
        &self,
        to: SignalTo,
        signal: &NewSignal,
    ) -> Result<SignalAnswer, StoreError> {
        let (id, only) = match to {
            SignalTo::Chain(id) => (id, ""),
            SignalTo::Job(id) => (id, "only"),
        };
        let answer = self.call(&SIGNAL, |call| {
            call.arg(id.to_string()).arg(signal.name.as_str()).arg(signal.role.as_str());
            call.arg(&signal.by).arg(&signal.body).arg(MAX_KEPT_SIGNALS).arg(only);
        });
        answer.await?.decode(|words| match words {
            ["continued", id] => Some(SignalAnswer::Continued(id.parse().ok()?)),
            ["kept", id] => Some(SignalAnswer::Kept(id.parse().ok()?)),
            ["already", at] => Some(SignalAnswer::Already(Timestamp::from_ms(at.parse().ok()?))),
            ["forbidden", role] => Some(SignalAnswer::Forbidden(role.parse().ok()?)),
            ["full"] => Some(SignalAnswer::Full),
            ["over", status] => Some(SignalAnswer::Over(status.parse().ok()?)),
            ["gone"] => Some(SignalAnswer::Gone),
            _ => None,
        })
    }

    /// The key that signs links to signals: `new` if there is none.
    pub async fn link_key_or(&self, new: &str) -> Result<String, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(self.keys.link_key()).arg(new).arg("NX").ignore();
        pipe.get(self.keys.link_key());
        let (key,) = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(key)
    }

    /// The key that signs links to signals; `None` if there are no links yet.
    pub async fn link_key(&self) -> Result<Option<String>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.link_key());
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    /// The signal that continued the chain of a job whose record was read; nothing is read if there
    /// is none.
    pub async fn signal_of(&self, job: &Job) -> Result<Option<Signal>, StoreError> {
        let Some(name) = &job.signal else { return Ok(None) };
        let mut command = redis::cmd("GET");
        command.arg(self.keys.signal(job.id));
        let text: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        // A follow-up may have taken it over since.
        let Some(text) = text else { return Ok(None) };
        read(job.id, name, &text).map(Some)
    }

    /// What a run continues from: the checkpoint and the body of the signal, each as JSON.
    pub async fn resume_state(
        &self,
        id: JobId,
    ) -> Result<(Option<String>, Option<String>), StoreError> {
        // MGET would take a key of another type for one that is missing.
        let mut pipe = redis::pipe();
        pipe.get(self.keys.checkpoint(id)).get(self.keys.signal(id));
        let found = pipe.query_async(&mut self.connection.clone()).await;
        let (checkpoint, signal): (Option<String>, Option<String>) =
            found.map_err(|error| StoreError::of_record(record(id), error))?;
        let body = signal.map(|text| Ok::<_, StoreError>(parts(id, &text)?.3.to_owned()));
        Ok((checkpoint, body.transpose()?))
    }
}

fn read(id: JobId, name: &SignalName, text: &str) -> Result<Signal, StoreError> {
    let (at, role, by, body) = parts(id, text)?;
    let timed_out = role == "timeout";
    Ok(Signal {
        name: name.clone(),
        at,
        by: if timed_out { String::new() } else { by.to_owned() },
        body: crate::json::read_json(&record(id), body)?,
        timed_out,
    })
}

/// When it was sent, the role of the sender, the sender, and the body.
fn parts(id: JobId, text: &str) -> Result<(Timestamp, &str, &str, &str), StoreError> {
    let mut words = text.splitn(4, ' ');
    let read = (|| {
        let at = Timestamp::from_ms(words.next()?.parse().ok()?);
        Some((at, words.next()?, words.next()?, words.next()?))
    })();
    read.ok_or_else(|| StoreError::unreadable(record(id), "it has fewer than four parts"))
}

fn record(id: JobId) -> String {
    format!("signal of job {id}")
}
