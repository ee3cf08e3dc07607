//! A child job as a running job requests it, and the job that it becomes. No I/O; an error names
//! the invalid field.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;

use domain::bounds::{
    self, BoundError, COMMENT_CHARACTERS, FAIRNESS_KEY_CHARACTERS, TICKET_CHARACTERS,
    UNIQUE_KEY_CHARACTERS,
};
use domain::capacity::{CapacityMap, Class};
use domain::job::{
    ActionName, Backoff, DependencyCondition, GoDuration, JobId, JobSpec, Labels, NewJob,
    OnWorkerLost, Priority, Timestamp,
};
use domain::lock::LockTemplates;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::AllDefaults;
use uuid::Uuid;

/// The longest key of a child.
const KEY_CHARACTERS: usize = 255;
/// The namespace of the derived ids of children. It must never change.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0x8f0e_2f6b_41f3_4a0c_9d57_6a1b_c2e8_7d35);

/// A child job to create: a submission as `POST /jobs` accepts it, without `parent` and with an
/// optional `key`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Child {
    action: Option<String>,
    key: Option<String>,
    parameters: Option<Map<String, Value>>,
    retries: Option<u32>,
    capacity_map: Option<CapacityMap>,
    deadline: Option<GoDuration>,
    stop_timeout: Option<GoDuration>,
    scheduled_at: Option<String>,
    priority: Option<Priority>,
    unique_key: Option<String>,
    expires_at: Option<String>,
    backoff: Option<Backoff>,
    on_worker_lost: Option<OnWorkerLost>,
    strict_lease: Option<bool>,
    locks: Option<LockTemplates>,
    rates: Option<LockTemplates>,
    depends_on: Option<Vec<String>>,
    when: Option<DependencyCondition>,
    fairness_key: Option<String>,
    comment: Option<String>,
    ticket_ref: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

/// Why a child cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidChild {
    /// The invalid field.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Child {
    /// Creates a child that runs `action`.
    #[must_use]
    pub fn of(action: impl Into<String>) -> Child {
        Child { action: Some(action.into()), ..Child::default() }
    }

    /// Sets the key that identifies the child within its parent: a repeated run does not create a
    /// second child with the same key. A child without a key is identified by its action, its
    /// parameters, and the number of children before it with the same action and parameters.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Child {
        Child { key: Some(key.into()), ..self }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Child {
        self.parameters.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Sets the capacity that the child needs, overriding its action's default.
    #[must_use]
    pub fn capacity_map(self, need: CapacityMap) -> Child {
        Child { capacity_map: Some(need), ..self }
    }

    /// Sets the number of retries, overriding its action's default.
    #[must_use]
    pub fn retries(self, retries: u32) -> Child {
        Child { retries: Some(retries), ..self }
    }

    /// Sets the locks that the child holds while it runs. A name may contain parameters, such as
    /// `device-{{hostname}}`.
    #[must_use]
    pub fn locks(self, locks: LockTemplates) -> Child {
        Child { locks: Some(locks), ..self }
    }

    /// Sets the rate limits under which the child starts: keys, which may contain parameters.
    #[must_use]
    pub fn rates(self, rates: LockTemplates) -> Child {
        Child { rates: Some(rates), ..self }
    }

    /// Makes the child wait for the child at `index`, counted from 0 among the children of the same
    /// call; that child must come before it.
    #[must_use]
    pub fn after(mut self, index: usize) -> Child {
        self.depends_on.get_or_insert_default().push(format!("#{index}"));
        self
    }

    /// Sets how the children that it waits for must end.
    #[must_use]
    pub fn when(self, when: DependencyCondition) -> Child {
        Child { when: Some(when), ..self }
    }

    /// Returns the job to submit. `ordinals` counts the children without keys
    /// that are the same; `siblings` are the
    /// children that `#0`, `#1`, … refer to.
    pub(crate) fn job(
        self,
        parent: &ParentJob<'_>,
        ordinals: &mut HashMap<String, u32>,
        siblings: &[JobId],
        defaults: &AllDefaults,
    ) -> Result<NewJob, InvalidChild> {
        let id = self.id(parent.root, ordinals)?;
        let action = self.action.ok_or_else(|| invalid("action", "it is required"))?;
        let action: ActionName = parse("action", &action)?;
        let retries = bounded("retries", bounds::retries(self.retries))?;
        let backoff = self.backoff.map(bounds::backoff).transpose();
        let locks = self.locks.unwrap_or_default().render(self.parameters.as_ref());
        let rates = self.rates.unwrap_or_default().render_rates(self.parameters.as_ref());
        let mut locks = locks.map_err(|error| invalid("locks", error))?;
        locks.extend(rates.map_err(|error| invalid("rates", error))?);
        let labels = Labels::new(self.labels.unwrap_or_default());
        let mut spec = JobSpec {
            parameters: self.parameters,
            capacity_map: self.capacity_map,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            unique_key: key("uniqueKey", self.unique_key, UNIQUE_KEY_CHARACTERS)?,
            expires_at: timestamp("expiresAt", self.expires_at)?,
            backoff: bounded("backoff.base", backoff)?,
            on_worker_lost: self.on_worker_lost.unwrap_or_default(),
            strict_lease: self.strict_lease.unwrap_or_default(),
            scheduled_by: parent.spec.scheduled_by.clone(),
            comment: text("comment", self.comment, COMMENT_CHARACTERS)?,
            ticket_ref: text("ticketRef", self.ticket_ref, TICKET_CHARACTERS)?,
            labels: labels.map_err(|error| invalid(&error.field(), error))?,
            locks,
            depends_on: dependencies(self.depends_on.unwrap_or_default(), siblings)?,
            when: self.when.unwrap_or_default(),
            parent: Some(parent.id),
            fairness_key: key("fairnessKey", self.fairness_key, FAIRNESS_KEY_CHARACTERS)?
                .or_else(|| parent.spec.fairness_key.clone()),
            ..JobSpec::of(action)
        };
        let scheduled_at = timestamp("scheduledAt", self.scheduled_at)?;
        if spec.expires_at.is_some_and(|expires| scheduled_at.is_some_and(|at| expires <= at)) {
            return Err(invalid("expiresAt", "it must be after scheduledAt"));
        }
        let defaults = defaults.of(&spec.action).map_err(|error| invalid("action", error))?;
        defaults.fill(&mut spec, retries);
        let parameters = spec.parameters.take().map(bounds::parameters).transpose();
        spec.parameters = bounded("parameters", parameters)?;
        defaults.fill_rates(&mut spec).map_err(|error| invalid("parameters", error))?;
        let class = Class::of(defaults.need(spec.capacity_map.as_ref()));
        let class = class.map_err(|error| invalid("capacityMap", error))?;
        Ok(NewJob { id, class, scheduled_at, reserve_id: true, request_hash: None, spec })
    }

    /// Returns an id that is the same for the same child in every run of its parent.
    fn id(&self, root: JobId, ordinals: &mut HashMap<String, u32>) -> Result<JobId, InvalidChild> {
        if let Some(key) = key("key", self.key.clone(), KEY_CHARACTERS)? {
            return Ok(JobId::derived(ID_NAMESPACE, &format!("{root}\0key\0{key}")));
        }
        let content = serde_json::json!([self.action, self.parameters]).to_string();
        let ordinal = ordinals.entry(content.clone()).or_default();
        *ordinal += 1;
        Ok(JobId::derived(ID_NAMESPACE, &format!("{root}\0{ordinal}\0{content}")))
    }
}

/// The parent of a child.
pub(crate) struct ParentJob<'a> {
    /// The running job.
    pub(crate) id: JobId,
    /// The first job of its chain of retries; its own id when it is not a retry.
    pub(crate) root: JobId,
    /// Its specification. Children inherit the fairness key and the submitter.
    pub(crate) spec: &'a JobSpec,
}

fn invalid(field: &str, why: impl Display) -> InvalidChild {
    InvalidChild { field: field.to_owned(), why: why.to_string() }
}

fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, InvalidChild> {
    text.parse().map_err(|error| invalid(field, error))
}

fn timestamp(field: &str, text: Option<String>) -> Result<Option<Timestamp>, InvalidChild> {
    text.filter(|text| !text.is_empty()).map(|text| parse(field, &text)).transpose()
}

fn bounded<T>(field: &str, checked: Result<T, BoundError>) -> Result<T, InvalidChild> {
    checked.map_err(|error| invalid(field, error))
}

fn text(field: &str, text: Option<String>, max: usize) -> Result<Option<String>, InvalidChild> {
    bounded(field, bounds::text(text, max))
}

fn key(field: &str, key: Option<String>, max: usize) -> Result<Option<String>, InvalidChild> {
    bounded(field, bounds::key(key, max))
}

fn dependencies(names: Vec<String>, siblings: &[JobId]) -> Result<Vec<JobId>, InvalidChild> {
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    for name in names {
        let id = match name.strip_prefix('#') {
            None => parse("dependsOn", &name)?,
            Some(index) => {
                let index: Option<usize> = index.parse().ok();
                *index.and_then(|index| siblings.get(index)).ok_or_else(|| {
                    let name: String = name.chars().take(32).collect();
                    invalid(
                        "dependsOn",
                        format!("{name:?} must refer to an earlier child: #0, #1, …"),
                    )
                })?
            }
        };
        if seen.insert(id) {
            ids.push(id);
        }
    }
    bounded("dependsOn", bounds::dependencies(ids.len()))?;
    Ok(ids)
}

#[cfg(test)]
mod tests;
