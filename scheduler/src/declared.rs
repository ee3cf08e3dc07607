//! Crons that stand in a TOML file: read and checked before the scheduler starts, applied when the store is there.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::cron::{Schedule, CronName, CronSpec, Misfire, Overlap, TimeZone};
use domain::job::{ActionName, Priority, GoDuration};
use domain::lock::LockTemplates;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::{CronSet, SetCron, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// The file cannot be used; the text says where and why.
#[derive(Debug, thiserror::Error)]
pub enum DeclaredError {
    /// It cannot be read.
    #[error("cannot read CAPSTAN_CRONS={0}: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// It is not what it should be.
    #[error("CAPSTAN_CRONS={0}: {1}")]
    Wrong(PathBuf, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    crons: BTreeMap<CronName, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    action: Option<ActionName>,
    schedule: Schedule,
    #[serde(default)]
    time_zone: TimeZone,
    #[serde(default)]
    misfire: Misfire,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    jitter: GoDuration,
    retries: Option<u32>,
    capacity: Option<CapacityMap>,
    parameters: Option<Map<String, Value>>,
    #[serde(default)]
    deadline: GoDuration,
    #[serde(default)]
    stop_timeout: GoDuration,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    locks: LockTemplates,
    paused: Option<bool>,
}

/// Reads the crons of a file.
pub fn read(path: &Path) -> Result<Vec<SetCron>, DeclaredError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| DeclaredError::Read(path.to_owned(), error))?;
    parse(&text).map_err(|why| DeclaredError::Wrong(path.to_owned(), why))
}

/// Reads what stands in it.
pub(crate) fn parse(text: &str) -> Result<Vec<SetCron>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    file.crons.into_iter().map(|(name, entry)| entry.cron(name)).collect()
}

impl Entry {
    fn cron(self, name: CronName) -> Result<SetCron, String> {
        let wrong = |field: &str, why: &dyn Display| format!("{name}: {field}: {why}");
        Class::of(self.capacity.as_ref()).map_err(|error| wrong("capacity", &error))?;
        let retries = bounds::retries(self.retries).map_err(|error| wrong("retries", &error))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = parameters.map_err(|error| wrong("parameters", &error))?;
        let action = match self.action {
            Some(action) => action,
            None => name.as_str().parse().map_err(|error| format!("{name}: {error}"))?,
        };
        let locks = self.locks.render(parameters.as_ref());
        let locks = locks.map_err(|error| wrong("locks", &error))?;
        let spec = CronSpec {
            action,
            locks,
            schedule: self.schedule,
            time_zone: self.time_zone,
            misfire: self.misfire,
            overlap: self.overlap,
            jitter: self.jitter,
            retries,
            capacity_map: self.capacity,
            parameters,
            deadline: self.deadline,
            stop_timeout: self.stop_timeout,
            priority: self.priority,
        };
        Ok(SetCron { name, spec, paused: self.paused, declared: true })
    }
}

/// How many crons are looked at at once.
const PAGE: usize = 1000;

/// Makes the store's declared crons those of the file: one that is not in it any more is deleted, one that was not
/// declared is left alone. Returns how many were changed.
pub async fn apply(store: &Store, wanted: &[SetCron]) -> Result<u64, StoreError> {
    let mut changed = 0;
    for cron in wanted {
        match store.set_cron(cron).await? {
            CronSet::Created | CronSet::Changed => changed += 1,
            CronSet::Same => {}
            CronSet::TooMany => {
                tracing::error!(cron.name = %cron.name, "no room for one more cron");
            }
        }
    }
    let (mut start, mut gone) = (0, Vec::new());
    loop {
        let (page, _) = store.crons(start, PAGE).await?;
        start += page.len();
        let missing = |name: &CronName| !wanted.iter().any(|cron| cron.name == *name);
        gone.extend(
            page.iter()
                .filter(|cron| cron.declared && missing(&cron.name))
                .map(|cron| cron.name.clone()),
        );
        if page.len() < PAGE {
            break;
        }
    }
    for name in gone {
        tracing::warn!(cron.name = %name, "a declared cron is not in the file any more: deleted");
        changed += u64::from(store.delete_cron(&name).await?);
    }
    Ok(changed)
}

/// Applies them once, as soon as the store lets it.
pub(crate) async fn apply_persistently(
    store: &Store,
    wanted: &[SetCron],
    shutdown: &CancellationToken,
) {
    loop {
        match apply(store, wanted).await {
            Ok(changed) => {
                tracing::info!(count = wanted.len(), changed, "declared crons are applied");
                return;
            }
            Err(error) => tracing::warn!(%error, "cannot apply the declared crons yet"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_declares_crons_by_name() {
        let crons = parse(
            "[crons.gc]\nschedule = '0 0 1 * * 6'\nretries = 2\ndeadline = '15m'\n\
             [crons.night]\naction = 'scan'\nschedule = '30 3 * * *'\ntime_zone = 'Europe/Berlin'\n\
             overlap = 'skip'\nparameters = { depth = 3 }\ncapacity = { scan = 1 }\n\
             locks = ['site-{{depth}}', 'all']\n",
        )
        .unwrap();
        assert_eq!(crons.len(), 2);
        assert_eq!((crons[0].name.as_str(), crons[0].spec.action.as_str()), ("gc", "gc"));
        assert_eq!(crons[1].spec.parameters.as_ref().unwrap()["depth"], 3);
        assert_eq!(crons[1].spec.locks.to_string(), "all=1 site-3=1");
        assert!(crons.iter().all(|cron| cron.declared && cron.paused.is_none()));
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let cases = [
            ("[crons.a]", "missing field `schedule`"),
            ("[crons.a]\nschedule = '* * *'", "has 3 fields"),
            ("[crons.a]\nschedule = '@daily'\nmisfire = 'twice'", "unknown variant `twice`"),
            ("[crons.a]\nschedule = '@daily'\ntimezone = 'UTC'", "unknown field `timezone`"),
            ("[crons.a]\nschedule = '@daily'\ntime_zone = 'Mars'", "\"Mars\" is not a valid time zone"),
            ("[crons.'a b']\nschedule = '@daily'", "is not a valid cron name"),
            ("[crons.a]\nschedule = '@daily'\nlocks = ['x-{{y}}']", "a: locks: lock \"x-{{y}}\""),
            (
                "[crons.a]\nschedule = '@daily'\nretries = 101",
                "a: retries: it must be a whole number",
            ),
            ("[jobs]", "unknown field `jobs`"),
        ];
        for (text, why) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
