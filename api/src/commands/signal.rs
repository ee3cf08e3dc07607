//! Signals to jobs, and links that send them.

use domain::access_tokens::random_password;
use domain::bounds::json_depth;
use domain::job::JobId;
use domain::signal::{SIGNAL_BYTES, SignalName};
use serde_json::Value;
use store::{NewSignal, SignalAnswer, SignalTo};

use super::deliveries::check_job;
use crate::app::App;
use crate::auth::Caller;
use crate::error::{Error, FieldPath};
use crate::signal_link::SignalLink;

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It continued the job as this one.
    Continued(JobId),
    /// It is kept until this job waits for it.
    Kept(JobId),
}

/// Checks the body of a signal and returns its text. An empty body is `null`.
pub(crate) fn read_body(bytes: &[u8]) -> Result<String, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| Error::Json(error.to_string()))?.trim();
    if text.is_empty() {
        return Ok("null".to_owned());
    }
    if text.len() > SIGNAL_BYTES {
        return Err(Error::TooLarge { at: FieldPath::new("body"), limit_bytes: SIGNAL_BYTES });
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| Error::Json(error.to_string()))?;
    json_depth(&value).map_err(|error| Error::invalid("body", error))?;
    Ok(text.to_owned())
}

/// Sends a signal to a job, or to the job that continues it.
pub(crate) async fn send(
    app: &App,
    caller: &Caller,
    (id, name): (JobId, SignalName),
    body: String,
) -> Result<Sent, Error> {
    check_job(&app.store, caller, id).await?;
    let (by, role) = (caller.name().to_owned(), caller.signal_role());
    let signal = NewSignal { name, role, by, body };
    let answer = app.store.signal(SignalTo::Chain(id), &signal).await?;
    sent(id, &signal, caller, &answer)
}

/// Returns a link that sends a signal to the last job of a chain, once.
pub(crate) async fn link(
    app: &App,
    caller: &Caller,
    (id, name): (JobId, SignalName),
) -> Result<String, Error> {
    check_job(&app.store, caller, id).await?;
    let related = app.store.related(&[id]).await?;
    let job = related.get(&id).ok_or_else(|| Error::NoSuchJob(id.to_string()))?.last;
    if job.status.is_final() {
        return Err(Error::JobOver { id: job.id, status: job.status });
    }
    let (by, role) = (caller.name().to_owned(), caller.signal_role());
    let link = SignalLink { job: job.id, name, role, by };
    let new = random_password().map_err(|_| Error::Internal)?;
    let key = app.store.link_key_or(&new).await?;
    link.sign(key.as_bytes()).ok_or(Error::Internal)
}

/// Reads a link. It may have been used.
pub(crate) async fn read_link(app: &App, text: &str) -> Result<SignalLink, Error> {
    let key = app.store.link_key().await?;
    let link = key.and_then(|key| SignalLink::verify(text, key.as_bytes()));
    link.ok_or(Error::NoSuchSignalLink)
}

/// Sends the signal of a link, in the name of the token that created it.
pub(crate) async fn send_by_link(
    app: &App,
    caller: &Caller,
    link: SignalLink,
    body: String,
) -> Result<Sent, Error> {
    let SignalLink { job, name, role, by } = link;
    caller.set_linked(&by, role);
    let signal = NewSignal { name, role, by, body };
    let answer = app.store.signal(SignalTo::Job(job), &signal).await?;
    sent(job, &signal, caller, &answer)
}

fn sent(
    id: JobId,
    signal: &NewSignal,
    caller: &Caller,
    answer: &SignalAnswer,
) -> Result<Sent, Error> {
    match *answer {
        SignalAnswer::Continued(next) => {
            caller.set_subject(next);
            Ok(Sent::Continued(next))
        }
        SignalAnswer::Kept(last) => Ok(Sent::Kept(last)),
        SignalAnswer::Already(at) => Err(Error::SignalSent { id, name: signal.name.clone(), at }),
        SignalAnswer::Forbidden(needed) => {
            let owner = signal.by.parse().map_err(|_| Error::Internal)?;
            Err(Error::NotAuthorized { owner, role: signal.role, needed })
        }
        SignalAnswer::Full => Err(Error::TooManySignals(id)),
        SignalAnswer::Over(status) => Err(Error::JobOver { id, status }),
        SignalAnswer::Gone => Err(Error::NoSuchJob(id.to_string())),
    }
}
