//! A new job as scripts take it: the fields of its record, and what else its creation needs, as
//! JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::quota::UNKNOWN_USER;
use domain::bounds::PARAMETERS_BYTES;
use domain::capacity::Class;
use domain::job::{
    DependencyCondition, GoDuration, JobId, JobSpec, LIST_MARGIN_BYTES, NewJob, OnWorkerLost,
    Timestamp,
};

/// A new job as scripts take it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewRecord {
    id: String,
    fields: BTreeMap<&'static str, String>,
    spec: String,
    #[serde(rename = "reserveID", skip_serializing_if = "std::ops::Not::not")]
    reserve_id: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_hash: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    #[serde(rename = "parentID", skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debounce_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debounce_max_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Batch>,
}

/// What a submission that can be batched has in common with those that it can join.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    /// The same for all submissions that differ only in their parameters.
    key: String,
    size: u32,
    wait_ms: u64,
    /// The bytes of its parameters, and how many those of all together may have.
    bytes: usize,
    most_bytes: usize,
}

impl NewRecord {
    /// The record of a job with this spec. `class` is `None` when the job needs more than a class
    /// can name;
    /// `at` is `None` for now.
    pub(crate) fn new(
        id: JobId,
        spec: &JobSpec,
        class: Option<&Class>,
        at: Option<Timestamp>,
    ) -> NewRecord {
        let mut fields = BTreeMap::from([
            ("action", spec.action.to_string()),
            ("priority", spec.priority.as_str().to_owned()),
        ]);
        fields.extend(class.map(|class| ("class", class.as_str().to_owned())));
        fields.extend(at.map(|at| ("scheduledAt", at.ms().to_string())));
        fields.extend((spec.retries > 0).then(|| ("retriesLeft", spec.retries.to_string())));
        fields.extend(optional_fields(spec));
        NewRecord {
            id: id.to_string(),
            fields,
            spec: spec_json(spec),
            reserve_id: false,
            request_hash: None,
            depends_on: spec.depends_on.iter().map(ToString::to_string).collect(),
            parent_id: spec.parent.map(|parent| parent.to_string()),
            debounce_ms: None,
            debounce_max_ms: None,
            batch: None,
        }
    }

    /// The record of a submitted job.
    pub(crate) fn of(job: &NewJob) -> NewRecord {
        let record = NewRecord::new(job.id, &job.spec, Some(&job.class), job.scheduled_at);
        let request_hash = job.request_hash.map(|hash| hash.to_string());
        let ms = |span: &GoDuration| span.duration().map(|span| span.as_millis() as u64);
        let (debounce_ms, debounce_max_ms) = (ms(&job.spec.debounce), ms(&job.spec.debounce_max));
        let (reserve_id, batch) = (job.reserve_id, Batch::of(job));
        NewRecord { reserve_id, request_hash, debounce_ms, debounce_max_ms, batch, ..record }
    }

    /// The record as one argument of a script.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Batch {
    fn of(job: &NewJob) -> Option<Batch> {
        job.spec.batch_key.as_ref()?;
        let wait = job.spec.batch_wait.duration()?;
        let list = serde_json::to_string(&job.spec.parameters).unwrap_or_default();
        let others = spec_json(&JobSpec { parameters: None, ..job.spec.clone() });
        let key = format!("{} {others}", job.class);
        Some(Batch {
            key: Uuid::new_v5(&Uuid::nil(), key.as_bytes()).to_string(),
            size: job.spec.batch_size,
            wait_ms: wait.as_millis() as u64,
            bytes: list.len().saturating_sub(LIST_MARGIN_BYTES),
            most_bytes: PARAMETERS_BYTES - LIST_MARGIN_BYTES,
        })
    }
}

/// The fields that scripts read and not every job has.
fn optional_fields(spec: &JobSpec) -> impl Iterator<Item = (&'static str, String)> {
    let ms = |span: &GoDuration| span.duration().map(|span| span.as_millis().to_string());
    let backoff = spec.backoff.as_ref();
    let fail = spec.on_worker_lost == OnWorkerLost::Fail;
    let finished = spec.when == DependencyCondition::Finished;
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let all = [
        ("owner", text(owner(spec).to_owned())),
        ("fairnessKey", spec.fairness_key.clone()),
        ("locks", text(spec.locks.to_string())),
        ("when", finished.then(|| "finished".to_owned())),
        ("uniqueKey", spec.unique_key.clone()),
        ("expiresAt", spec.expires_at.map(|at| at.ms().to_string())),
        ("onWorkerLost", fail.then(|| "fail".to_owned())),
        ("backoffBase", backoff.and_then(|backoff| ms(&backoff.base))),
        ("backoffMax", backoff.and_then(|backoff| ms(&backoff.max))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// The spec as the record has it.
pub(crate) fn spec_json(spec: &JobSpec) -> String {
    serde_json::to_string(spec).unwrap_or_default()
}

/// The owner of a job: who submitted it; empty when that is not known.
pub(crate) fn owner(spec: &JobSpec) -> &str {
    spec.scheduled_by.as_deref().filter(|by| *by != UNKNOWN_USER).unwrap_or_default()
}
