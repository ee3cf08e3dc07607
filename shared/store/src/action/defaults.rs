//! Action defaults: what the jobs of an action have unless they say otherwise. An operator's config
//! comes before what workers announce. The API applies them to submissions, and a firing to the
//! jobs of crons.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::StoreError;
use domain::capacity::CapacityMap;
use domain::job::{ActionName, GoDuration, JobSpec};
use domain::lock::{self, LockError, LockName, LockTemplates};

/// The defaults of an action's jobs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionDefaults {
    /// Parameters; each is replaced by the job's own parameter of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Map<String, Value>>,
    /// The capacity that a job needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_map: Option<CapacityMap>,
    /// How often a job is retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// From its start to SIGTERM.
    #[serde(skip_serializing_if = "GoDuration::is_none")]
    pub deadline: GoDuration,
    /// From SIGTERM to SIGKILL.
    #[serde(skip_serializing_if = "GoDuration::is_none")]
    pub stop_timeout: GoDuration,
    /// How many jobs run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// How many jobs with the same key run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running_per: Option<RunningPer>,
    /// The rate limits under which jobs start: templates of keys, and what a job counts as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<BTreeMap<String, i64>>,
}

/// A limit for each key that jobs of an action have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunningPer {
    /// The template of the key, with parameters of the job: `{{tenant}}`.
    pub key: String,
    /// How many run at once.
    pub permits: u32,
}

/// The defaults of all actions.
#[derive(Debug, Clone, Default)]
pub struct AllDefaults {
    known: HashMap<ActionName, ActionDefaults>,
    /// The actions whose config cannot be read.
    unreadable: HashSet<ActionName>,
    none: ActionDefaults,
}

impl AllDefaults {
    /// Returns the defaults of an action. An error when its config cannot be read: without it, a
    /// job could need more than it takes.
    pub fn of(&self, action: &ActionName) -> Result<&ActionDefaults, StoreError> {
        if self.unreadable.contains(action) {
            let why = "set it again or delete it";
            return Err(StoreError::unreadable(format!("config of {action}"), why));
        }
        Ok(self.known.get(action).unwrap_or(&self.none))
    }

    pub(super) fn configure(&mut self, action: ActionName, configured: ActionDefaults) {
        let defaults = match self.known.get(&action) {
            Some(announced) => configured.or(announced),
            None => configured,
        };
        self.known.insert(action, defaults);
    }

    pub(super) fn add_unreadable(&mut self, action: ActionName) {
        self.unreadable.insert(action);
    }
}

impl FromIterator<(ActionName, ActionDefaults)> for AllDefaults {
    fn from_iter<All: IntoIterator<Item = (ActionName, ActionDefaults)>>(all: All) -> AllDefaults {
        AllDefaults { known: all.into_iter().collect(), ..AllDefaults::default() }
    }
}

impl ActionDefaults {
    /// Returns these defaults, completed by `others`.
    #[must_use]
    pub fn or(mut self, others: &ActionDefaults) -> ActionDefaults {
        self.parameters = filled(self.parameters, others.parameters.as_ref());
        self.capacity_map = self.capacity_map.or_else(|| others.capacity_map.clone());
        self.retries = self.retries.or(others.retries);
        self.deadline = first(self.deadline, &others.deadline);
        self.stop_timeout = first(self.stop_timeout, &others.stop_timeout);
        self.max_running = self.max_running.or(others.max_running);
        self.max_running_per = self.max_running_per.or_else(|| others.max_running_per.clone());
        self.rates = self.rates.or_else(|| others.rates.clone());
        self
    }

    /// Fills in what a job does not say itself. Its capacity map stays as it was given; its class
    /// follows from [`ActionDefaults::need`].
    pub fn fill(&self, spec: &mut JobSpec, retries: Option<u32>) {
        spec.retries = retries.or(self.retries).unwrap_or(0);
        spec.parameters = filled(spec.parameters.take(), self.parameters.as_ref());
        spec.deadline = first(std::mem::take(&mut spec.deadline), &self.deadline);
        spec.stop_timeout = first(std::mem::take(&mut spec.stop_timeout), &self.stop_timeout);
    }

    /// Returns the lock that enforces the limit of the job's key. The job's parameters must be
    /// filled in.
    pub fn limit_of_key(&self, spec: &JobSpec) -> Result<Option<LockName>, LockError> {
        let Some(per) = &self.max_running_per else { return Ok(None) };
        let key = lock::render(&per.key, spec.parameters.as_ref())?;
        LockName::of_key(&spec.action, &key).map(Some)
    }

    /// Adds the rate limits that the job does not name itself. Its parameters must be filled in.
    pub fn fill_rates(&self, spec: &mut JobSpec) -> Result<(), LockError> {
        let Some(rates) = self.rates.clone() else { return Ok(()) };
        let mut locks = LockTemplates::Permits(rates).render_rates(spec.parameters.as_ref())?;
        locks.extend(std::mem::take(&mut spec.locks));
        spec.locks = locks;
        Ok(())
    }

    /// Returns the capacity that a job needs, whose own capacity map is `own`.
    #[must_use]
    pub fn need<'a>(&'a self, own: Option<&'a CapacityMap>) -> Option<&'a CapacityMap> {
        own.or(self.capacity_map.as_ref())
    }
}

fn first(own: GoDuration, other: &GoDuration) -> GoDuration {
    if own.is_none() { other.clone() } else { own }
}

/// Returns parameters, completed by those of `others`.
fn filled(
    own: Option<Map<String, Value>>,
    others: Option<&Map<String, Value>>,
) -> Option<Map<String, Value>> {
    let Some(others) = others else { return own };
    let mut all = others.clone();
    all.extend(own.unwrap_or_default());
    Some(all)
}
