//! A child as a running job asks for it, and the job that becomes of it. Pure: values in, values
//! out; what is wrong is said by the name of its field.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};
use domain::bounds::{
    self, BoundError, COMMENT_CHARACTERS, FAIRNESS_KEY_CHARACTERS, TICKET_CHARACTERS,
    UNIQUE_KEY_CHARACTERS,
};
use domain::capacity::{CapacityMap, Class};
use domain::job::{
    ActionName, Backoff, JobId, NewJob, OnWorkerLost, Priority, Span, Spec, Timestamp, When,
};
use domain::lock::LockPatterns;
use store::ActionDefaults;
use uuid::Uuid;

/// The longest key of a child.
const KEY_CHARACTERS: usize = 255;
/// The space of the ids of children; made once at random, and never to be changed.
const SPACE: Uuid = Uuid::from_u128(0x8f0e_2f6b_41f3_4a0c_9d57_6a1b_c2e8_7d35);

/// A child that a running job asks for: a submission, as `POST /jobs` takes it, without `parent`,
/// and with a `key`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Child {
    action: Option<String>,
    key: Option<String>,
    parameters: Option<Map<String, Value>>,
    retries: Option<u32>,
    capacity_map: Option<CapacityMap>,
    deadline: Option<Span>,
    stop_timeout: Option<Span>,
    scheduled_at: Option<String>,
    priority: Option<Priority>,
    unique_key: Option<String>,
    expires_at: Option<String>,
    backoff: Option<Backoff>,
    on_worker_lost: Option<OnWorkerLost>,
    strict_lease: Option<bool>,
    locks: Option<LockPatterns>,
    depends_on: Option<Vec<String>>,
    when: Option<When>,
    fairness_key: Option<String>,
    comment: Option<String>,
    ticket_ref: Option<String>,
}

/// What is wrong with a child.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct WrongChild {
    /// Which part of it.
    pub field: String,
    /// Why.
    pub why: String,
}

impl Child {
    /// A child that does this.
    #[must_use]
    pub fn of(action: impl Into<String>) -> Child {
        Child { action: Some(action.into()), ..Child::default() }
    }

    /// What its parent knows it by: a run that is repeated makes no second child with the same key.
    /// Without one it is known by its action, its parameters, and how many with the same of both
    /// came before it.
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

    /// What it needs, instead of what its action says.
    #[must_use]
    pub fn capacity_map(self, need: CapacityMap) -> Child {
        Child { capacity_map: Some(need), ..self }
    }

    /// How often it is tried again, instead of what its action says.
    #[must_use]
    pub fn retries(self, retries: u32) -> Child {
        Child { retries: Some(retries), ..self }
    }

    /// What it holds while it runs; a name may hold parameters, `device-{{hostname}}`.
    #[must_use]
    pub fn locks(self, locks: LockPatterns) -> Child {
        Child { locks: Some(locks), ..self }
    }

    /// Waits for the one at this place, from 0, of those that are spawned together and stand before
    /// it.
    #[must_use]
    pub fn after(mut self, place: usize) -> Child {
        self.depends_on.get_or_insert_default().push(format!("#{place}"));
        self
    }

    /// How those that it waits for have to be over.
    #[must_use]
    pub fn when(self, when: When) -> Child {
        Child { when: Some(when), ..self }
    }

    /// The job to submit. `same` counts the children without keys; `earlier` are those that `#0`,
    /// `#1`, … name.
    pub(crate) fn job(
        self,
        parent: &Parent<'_>,
        same: &mut HashMap<String, u32>,
        earlier: &[JobId],
        defaults: &HashMap<ActionName, ActionDefaults>,
    ) -> Result<NewJob, WrongChild> {
        let id = self.id(parent.root, same)?;
        let action = self.action.ok_or_else(|| wrong("action", "it is required"))?;
        let action: ActionName = read("action", &action)?;
        let retries = within("retries", bounds::retries(self.retries))?;
        let backoff = self.backoff.map(bounds::backoff).transpose();
        let locks = self.locks.unwrap_or_default().render(self.parameters.as_ref());
        let mut spec = Spec {
            parameters: self.parameters,
            capacity_map: self.capacity_map,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            unique_key: key("uniqueKey", self.unique_key, UNIQUE_KEY_CHARACTERS)?,
            expires_at: moment("expiresAt", self.expires_at)?,
            backoff: within("backoff.base", backoff)?,
            on_worker_lost: self.on_worker_lost.unwrap_or_default(),
            strict_lease: self.strict_lease.unwrap_or_default(),
            scheduled_by: parent.spec.scheduled_by.clone(),
            comment: text("comment", self.comment, COMMENT_CHARACTERS)?,
            ticket_ref: text("ticketRef", self.ticket_ref, TICKET_CHARACTERS)?,
            locks: locks.map_err(|error| wrong("locks", error))?,
            depends_on: dependencies(self.depends_on.unwrap_or_default(), earlier)?,
            when: self.when.unwrap_or_default(),
            parent: Some(parent.id),
            fairness_key: key("fairnessKey", self.fairness_key, FAIRNESS_KEY_CHARACTERS)?
                .or_else(|| parent.spec.fairness_key.clone()),
            ..Spec::of(action)
        };
        let scheduled_at = moment("scheduledAt", self.scheduled_at)?;
        if spec.expires_at.is_some_and(|expires| scheduled_at.is_some_and(|at| expires <= at)) {
            return Err(wrong("expiresAt", "it must be after scheduledAt"));
        }
        let nothing = ActionDefaults::default();
        let defaults = defaults.get(&spec.action).unwrap_or(&nothing);
        defaults.fill(&mut spec, retries);
        let parameters = spec.parameters.take().map(bounds::parameters).transpose();
        spec.parameters = within("parameters", parameters)?;
        let class = Class::of(defaults.need(spec.capacity_map.as_ref()));
        let class = class.map_err(|error| wrong("capacityMap", error))?;
        Ok(NewJob { id, class, scheduled_at, once: true, spec })
    }

    /// The same for the same child of every run of its parent.
    fn id(&self, root: JobId, same: &mut HashMap<String, u32>) -> Result<JobId, WrongChild> {
        if let Some(key) = key("key", self.key.clone(), KEY_CHARACTERS)? {
            return Ok(JobId::derived(SPACE, &format!("{root}\0key\0{key}")));
        }
        let what = serde_json::json!([self.action, self.parameters]).to_string();
        let before = same.entry(what.clone()).or_default();
        *before += 1;
        Ok(JobId::derived(SPACE, &format!("{root}\0{before}\0{what}")))
    }
}

/// Whose child it is to be.
pub(crate) struct Parent<'a> {
    /// The job that runs.
    pub(crate) id: JobId,
    /// The first of those that it carries on; itself when it is the first.
    pub(crate) root: JobId,
    /// What was asked of it. Its children are in its share, and asked for by who asked for it.
    pub(crate) spec: &'a Spec,
}

fn wrong(field: &str, why: impl Display) -> WrongChild {
    WrongChild { field: field.to_owned(), why: why.to_string() }
}

fn read<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, WrongChild> {
    text.parse().map_err(|error| wrong(field, error))
}

fn moment(field: &str, text: Option<String>) -> Result<Option<Timestamp>, WrongChild> {
    text.filter(|text| !text.is_empty()).map(|text| read(field, &text)).transpose()
}

fn within<T>(field: &str, checked: Result<T, BoundError>) -> Result<T, WrongChild> {
    checked.map_err(|error| wrong(field, error))
}

fn text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, WrongChild> {
    within(field, bounds::text(text, most))
}

fn key(field: &str, key: Option<String>, most: usize) -> Result<Option<String>, WrongChild> {
    within(field, bounds::key(key, most))
}

fn dependencies(names: Vec<String>, earlier: &[JobId]) -> Result<Vec<JobId>, WrongChild> {
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    for name in names {
        let id = match name.strip_prefix('#') {
            None => read("dependsOn", &name)?,
            Some(place) => {
                let place: Option<usize> = place.parse().ok();
                *place.and_then(|place| earlier.get(place)).ok_or_else(|| {
                    let name: String = name.chars().take(32).collect();
                    wrong("dependsOn", format!("{name:?} must name an earlier child, from #0 on"))
                })?
            }
        };
        if seen.insert(id) {
            ids.push(id);
        }
    }
    within("dependsOn", bounds::dependencies(ids.len()))?;
    Ok(ids)
}

#[cfg(test)]
mod tests;
