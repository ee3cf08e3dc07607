//! A job's record as the store has it, read into the type that the rest of Capstan knows.

use std::collections::HashMap;
use std::str::FromStr;

use redis::Value;

use super::StoreError;
use crate::capacity::Class;
use crate::job::{Cancelled, Job, JobId, Spec, Timestamp, Token};

/// Reads the hash and the spec of one job; `None` when the hash is empty: there is no such job.
pub(super) fn job(id: JobId, pair: &[Value]) -> Result<Option<Job>, StoreError> {
    let [hash, spec] = pair else { return Err(wrong(id, "hash or spec is missing")) };
    let fields: HashMap<String, String> =
        redis::from_redis_value_ref(hash).map_err(|error| wrong(id, error))?;
    if fields.is_empty() {
        return Ok(None);
    }
    let spec: Option<String> =
        redis::from_redis_value_ref(spec).map_err(|error| wrong(id, error))?;
    let fields = Fields { id, fields };
    let spec = match spec {
        Some(spec) => serde_json::from_str(&spec).map_err(|error| wrong(id, error))?,
        // A tombstone has none.
        None => Spec::of(fields.must("action")?),
    };
    Ok(Some(Job {
        id,
        number: fields.must("number")?,
        status: fields.must("status")?,
        class: Class::try_from(fields.must::<String>("class")?).map_err(|e| wrong(id, e))?,
        retry_from: fields.may("retryFromID")?.unwrap_or(id),
        follow_up: fields.may("followUpID")?,
        retries_left: fields.may("retriesLeft")?.unwrap_or(0),
        attempt: fields.may("attempt")?.unwrap_or(1),
        crashes: fields.may("crashes")?.unwrap_or(0),
        worker: fields.may("workerID")?,
        token: fields.may("token")?.map(Token),
        scheduled_at: fields.time("scheduledAt")?.unwrap_or(Timestamp::from_ms(0)),
        created_at: fields.time("createdAt")?.unwrap_or(Timestamp::from_ms(0)),
        last_updated: fields.time("lastUpdated")?.unwrap_or(Timestamp::from_ms(0)),
        started_at: fields.time("startedAt")?,
        finished_at: fields.time("finishedAt")?,
        result: fields.json("result")?,
        exception: fields.json("exception")?,
        progress: fields.json("progress")?,
        next: fields.may("next")?,
        family: fields.may("family")?,
        awaits: fields.fields.contains_key("awaits"),
        failed_children: fields.may("failed")?.unwrap_or(0),
        holds: fields.may("holds")?.unwrap_or_default(),
        cancelled: fields.cancelled(),
        spec,
    }))
}

struct Fields {
    id: JobId,
    fields: HashMap<String, String>,
}

impl Fields {
    fn may<T: FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.fields.get(name) else { return Ok(None) };
        let value = text.parse().map_err(|_| wrong(self.id, format!("{name} is {text:?}")))?;
        Ok(Some(value))
    }

    fn must<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.may(name)?.ok_or_else(|| wrong(self.id, format!("{name} is missing")))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.may(name)?.map(Timestamp::from_ms))
    }

    fn cancelled(&self) -> Option<Cancelled> {
        let text = |name: &str| self.fields.get(name).cloned();
        let (by, reason) = (text("cancelBy"), text("cancelReason"));
        (by.is_some() || reason.is_some())
            .then(|| Cancelled { by: by.unwrap_or_default(), reason: reason.unwrap_or_default() })
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.fields.get(name) else { return Ok(None) };
        let value = serde_json::from_str(text);
        value.map(Some).map_err(|error| wrong(self.id, format!("{name}: {error}")))
    }
}

fn wrong(id: JobId, why: impl std::fmt::Display) -> StoreError {
    StoreError::Record { key: format!("job {id}"), why: why.to_string() }
}
