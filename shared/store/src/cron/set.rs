//! Creates, changes, pauses and resumes crons.

use uuid::Uuid;

use super::read::Cron;
use crate::bounds::{CHANGE_TRIES, MAX_CRONS};
use crate::error::StoreError;
use crate::json::changed_json;
use crate::script::Script;
use crate::store::Store;
use domain::cron::{CronName, CronSpec};

static SET_CRON: Script = Script::new("set_cron", include_str!("set_cron.lua"));

/// A cron to set.
#[derive(Debug, Clone, PartialEq)]
pub struct SetCron {
    /// Its name.
    pub name: CronName,
    /// What it does.
    pub spec: CronSpec,
    /// Whether it is paused; `None` keeps the current state.
    pub paused: Option<bool>,
    /// Whether a file declares it.
    pub declared: bool,
}

/// What became of a cron that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronSet {
    /// It is new.
    Created,
    /// It is changed.
    Changed,
    /// It was the same already.
    Unchanged,
    /// The namespace has as many crons as it may have.
    TooMany,
}

impl Store {
    /// Creates or changes a cron. A tick that has come and is not fired yet still fires, unless the
    /// schedule changed.
    pub async fn set_cron(&self, wanted: &SetCron) -> Result<CronSet, StoreError> {
        self.write_cron(wanted, &serde_json::to_string(&wanted.spec).unwrap_or_default()).await
    }

    /// Changes a cron. Fields that only a later build knows stay unchanged. `None` if it does not
    /// exist.
    pub async fn change_cron<E: From<StoreError>>(
        &self,
        name: &CronName,
        paused: Option<bool>,
        change: impl Fn(CronSpec) -> Result<CronSpec, E>,
    ) -> Result<Option<Cron>, E> {
        for _ in 0..CHANGE_TRIES {
            let Some(was) = self.cron(name).await? else { return Ok(None) };
            let kept = self.cron_field(name, "spec").await?;
            let spec = change(was.spec.clone())?;
            let changed = changed_json(&kept, &was.spec, &spec);
            let wanted = SetCron { name: name.clone(), spec, paused, declared: was.declared };
            let seen = was.revision.to_string();
            if self.try_write_cron(&wanted, &changed, Some(&was), seen).await?.is_some() {
                return Ok(self.cron(name).await?);
            }
        }
        Err(changes_too_often(name).into())
    }

    /// Sets a cron with this spec as JSON; '' leaves it, also what only a later build knows of it.
    async fn write_cron(&self, wanted: &SetCron, spec: &str) -> Result<CronSet, StoreError> {
        for _ in 0..CHANGE_TRIES {
            let (was, seen) = match self.cron(&wanted.name).await {
                Ok(was) => {
                    let seen = was.as_ref().map(|was| was.revision.to_string());
                    (was, seen.unwrap_or_default())
                }
                // One that cannot be read is replaced as a whole.
                Err(StoreError::UnreadableRecord { .. }) => {
                    (None, self.cron_field(&wanted.name, "revision").await?)
                }
                Err(error) => return Err(error),
            };
            if let Some(set) = self.try_write_cron(wanted, spec, was.as_ref(), seen).await? {
                return Ok(set);
            }
        }
        Err(changes_too_often(&wanted.name))
    }

    /// Sets a cron unless it has changed since it was `seen`. `None` if it has.
    async fn try_write_cron(
        &self,
        wanted: &SetCron,
        spec: &str,
        was: Option<&Cron>,
        seen: String,
    ) -> Result<Option<CronSet>, StoreError> {
        let paused = wanted.paused.unwrap_or(was.is_some_and(|was| was.paused));
        let next = self.next_run(wanted, was, paused).await?;
        let answer = self.call(&SET_CRON, |call| {
            call.arg(MAX_CRONS).arg(wanted.name.as_str()).arg(seen);
            call.arg(Uuid::new_v4().to_string());
            call.arg(spec);
            call.arg(wanted.spec.overlap.as_str()).arg(u8::from(paused));
            call.arg(u8::from(wanted.declared)).arg(next);
        });
        answer.await?.decode(|words| match words {
            ["set", "created"] => Some(Some(CronSet::Created)),
            ["set", "changed"] => Some(Some(CronSet::Changed)),
            ["set", "unchanged"] => Some(Some(CronSet::Unchanged)),
            ["too_many_crons"] => Some(Some(CronSet::TooMany)),
            ["conflict"] | ["late"] => Some(None),
            _ => None,
        })
    }

    /// Pauses or resumes a cron; ticks that come while it is paused are not made up for. `None`
    /// when it does not exist.
    pub async fn pause_cron(
        &self,
        name: &CronName,
        paused: bool,
    ) -> Result<Option<Cron>, StoreError> {
        let Some(cron) = self.cron(name).await? else { return Ok(None) };
        let Cron { name, spec, declared, .. } = cron;
        let wanted = SetCron { name, spec, paused: Some(paused), declared };
        self.write_cron(&wanted, "").await?;
        self.cron(&wanted.name).await
    }

    /// A field of a cron, which may not be readable otherwise; empty when it has none.
    async fn cron_field(&self, name: &CronName, field: &str) -> Result<String, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.cron(name)).arg(field);
        let value: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(value.unwrap_or_default())
    }

    /// The next tick as the script takes it.
    async fn next_run(
        &self,
        wanted: &SetCron,
        was: Option<&Cron>,
        paused: bool,
    ) -> Result<String, StoreError> {
        let same = |was: &Cron| {
            was.spec.schedule == wanted.spec.schedule && was.spec.time_zone == wanted.spec.time_zone
        };
        if !paused && was.is_some_and(|was| !was.paused && same(was)) {
            return Ok("keep".to_owned());
        }
        let next = if paused { None } else { wanted.spec.next(self.now().await?) };
        Ok(next.map(|next| next.ms().to_string()).unwrap_or_default())
    }
}

fn changes_too_often(name: &CronName) -> StoreError {
    StoreError::unreadable(format!("cron {name}"), "it changes too often to be set")
}
