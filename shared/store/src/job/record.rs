//! Reads the record of a job into the type that the rest of Capstan knows.

use std::str::FromStr;

use redis::Value;

use crate::error::StoreError;
use crate::json::read_json;
use domain::capacity::Class;
use domain::job::{
    AwaitedSignal, Cancellation, FencingToken, Job, JobId, JobSpec, Passed, Status, Timestamp,
};

/// Reads the hash of one job; `None` when it is empty: the job does not exist.
pub(super) fn job(id: JobId, hash: &Value) -> Result<Option<Job>, StoreError> {
    let fields: Vec<(&str, &str)> = pairs(hash).ok_or_else(|| wrong(id, "it is not a hash"))?;
    if fields.is_empty() {
        return Ok(None);
    }
    let fields = Fields { id, fields };
    let spec = match (fields.json("spec")?, fields.required("status")?) {
        (Some(spec), _) => spec,
        // A tombstone has none.
        (None, Status::Deleted) => JobSpec::of(fields.required("action")?),
        (None, _) => return Err(wrong(id, "spec is missing")),
    };
    Ok(Some(Job {
        id,
        number: fields.required("number")?,
        status: fields.required("status")?,
        class: Class::try_from(fields.required::<String>("class")?).map_err(|e| wrong(id, e))?,
        action_queue: fields.text("actionQueue").is_some(),
        retry_from: fields.optional("retryFromID")?.unwrap_or(id),
        follow_up: fields.optional("followUpID")?,
        first: fields.optional("firstID")?.unwrap_or(id),
        retries_left: fields.optional("retriesLeft")?.unwrap_or(0),
        attempt: fields.optional("attempt")?.unwrap_or(1),
        crashes: fields.optional("crashes")?.unwrap_or(0),
        held_back: fields.optional("heldBack")?.unwrap_or(0),
        worker: fields.optional("workerID")?,
        token: fields.optional("token")?.map(FencingToken),
        scheduled_at: fields.time("scheduledAt")?.unwrap_or(Timestamp::from_ms(0)),
        created_at: fields.time("createdAt")?.unwrap_or(Timestamp::from_ms(0)),
        last_updated: fields.time("lastUpdated")?.unwrap_or(Timestamp::from_ms(0)),
        started_at: fields.time("startedAt")?,
        finished_at: fields.time("finishedAt")?,
        result: fields.json("result")?,
        exception: fields.json("exception")?,
        progress: fields.json("progress")?,
        has_checkpoint: fields.text("checkpointed").is_some(),
        replaced: fields.optional("replaced")?.unwrap_or(0),
        next: fields.optional("next")?,
        child_group: fields.optional("childGroup")?,
        awaits_dependencies: fields.text("blockers").is_some(),
        awaits_children: fields.text("awaitsChildren").is_some(),
        awaited_signal: fields.awaited_signal()?,
        signal: fields.optional("signal")?,
        failed_children: fields.optional("failedChildren")?.unwrap_or(0),
        parked_for: fields.optional("parkedFor")?,
        held_locks: fields.optional("holds")?.unwrap_or_default(),
        cancelled: fields.cancellation(),
        passed: Passed {
            unblocked_at: fields.time("unblockedAt")?,
            parked_at: fields.time("parkedAt")?,
            granted_at: fields.time("grantedAt")?,
            ran_until: fields.time("ranUntil")?,
            cancel_at: fields.time("cancelAt")?,
        },
        spec,
    }))
}

/// Reads the status of a job.
pub(super) fn status(id: JobId, word: &str) -> Result<Status, StoreError> {
    word.parse().map_err(|error: domain::job::UnknownStatus| wrong(id, error))
}

/// The names and values of a hash, borrowed: most of a page of jobs is read from here.
fn pairs(hash: &Value) -> Option<Vec<(&str, &str)>> {
    hash.as_map_iter()?.map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

fn text(value: &Value) -> Option<&str> {
    let Value::BulkString(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok()
}

struct Fields<'a> {
    id: JobId,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(one, _)| *one == name).map(|(_, value)| *value)
    }

    fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let value = text.parse().map_err(|_| wrong(self.id, format!("{name} is {text:?}")))?;
        Ok(Some(value))
    }

    fn required<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.optional(name)?.ok_or_else(|| wrong(self.id, format!("{name} is missing")))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional(name)?.map(Timestamp::from_ms))
    }

    fn awaited_signal(&self) -> Result<Option<AwaitedSignal>, StoreError> {
        let Some(name) = self.optional("awaitedSignal")? else { return Ok(None) };
        let (until, role) = (self.time("signalUntil")?, self.optional("signalRole")?);
        let sent_by = self.text("signalBy").map(str::to_owned);
        Ok(Some(AwaitedSignal { name, until, role, sent_by }))
    }

    fn cancellation(&self) -> Option<Cancellation> {
        let text = |name: &str| self.text(name).map(str::to_owned);
        let (by, reason) = (text("cancelBy"), text("cancelReason"));
        let requested = by.is_some() || reason.is_some();
        requested.then(|| Cancellation {
            by: by.unwrap_or_default(),
            reason: reason.unwrap_or_default(),
        })
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        read_json(&format!("{name} of job {}", self.id), text).map(Some)
    }
}

fn wrong(id: JobId, why: impl std::fmt::Display) -> StoreError {
    StoreError::unreadable(format!("job {id}"), why)
}
