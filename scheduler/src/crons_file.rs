//! The crons file, in TOML: parsed and checked before the scheduler starts, applied when the store
//! is ready.

mod apply;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::cron::{CronName, CronSpec, Misfire, Overlap, Schedule, TimeZone};
use domain::job::{ActionName, GoDuration, Priority};
use domain::lock::LockTemplates;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::SetCron;

pub(crate) use apply::apply_until_done;

/// The crons file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CronsFileError {
    /// The file cannot be read.
    #[error("cannot read CAPSTAN_CRONS={0}: {1}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The contents are not valid.
    #[error("invalid CAPSTAN_CRONS={0}: {1}")]
    Invalid(PathBuf, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    crons: BTreeMap<CronName, DeclaredCron>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredCron {
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
    #[serde(default)]
    rates: LockTemplates,
    paused: Option<bool>,
}

/// Reads and checks the crons of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<SetCron>, CronsFileError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| CronsFileError::Unreadable(path.to_owned(), error))?;
    parse(&text).map_err(|reason| CronsFileError::Invalid(path.to_owned(), reason))
}

/// Parses the contents of a file.
pub(crate) fn parse(text: &str) -> Result<Vec<SetCron>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    file.crons.into_iter().map(|(name, cron)| cron.validate(name)).collect()
}

impl DeclaredCron {
    fn validate(self, name: CronName) -> Result<SetCron, String> {
        let invalid = |field: &str, reason: &dyn Display| format!("{name}: {field}: {reason}");
        Class::of(self.capacity.as_ref()).map_err(|error| invalid("capacity", &error))?;
        let retries = bounds::retries(self.retries).map_err(|error| invalid("retries", &error))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = parameters.map_err(|error| invalid("parameters", &error))?;
        let action = match self.action {
            Some(action) => action,
            None => name.as_str().parse().map_err(|error| format!("{name}: {error}"))?,
        };
        let locks = self.locks.render(parameters.as_ref());
        let mut locks = locks.map_err(|error| invalid("locks", &error))?;
        let rates = self.rates.render_rates(parameters.as_ref());
        locks.extend(rates.map_err(|error| invalid("rates", &error))?);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cron_takes_the_action_of_its_name_by_default() {
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
    fn an_error_names_the_cron_and_the_field() {
        let cases = [
            ("[crons.a]", "missing field `schedule`"),
            ("[crons.a]\nschedule = '* * *'", "has 3 fields"),
            ("[crons.a]\nschedule = '@daily'\nmisfire = 'twice'", "unknown variant `twice`"),
            ("[crons.a]\nschedule = '@daily'\ntimezone = 'UTC'", "unknown field `timezone`"),
            (
                "[crons.a]\nschedule = '@daily'\ntime_zone = 'Mars'",
                "\"Mars\" is not a valid time zone",
            ),
            ("[crons.'a b']\nschedule = '@daily'", "is not a valid cron name"),
            ("[crons.a]\nschedule = '@daily'\nlocks = ['x-{{y}}']", "a: locks: lock \"x-{{y}}\""),
            (
                "[crons.a]\nschedule = '@daily'\nretries = 101",
                "a: retries: it must be a whole number",
            ),
            ("[jobs]", "unknown field `jobs`"),
        ];
        for (text, reason) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
