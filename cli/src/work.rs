//! What a job does and needs, as `jobs submit` and `crons set` are told it alike.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use shared::capacity::CapacityMap;
use shared::job::{Priority, Span};

use crate::failure::Failure;
use crate::jobs::parameters::{Parameter, Parameters, joined};

/// What both are told.
#[derive(Debug, Args)]
pub(crate) struct Work {
    /// A parameter: key=value is a text, key:=json any JSON value. May be repeated
    #[arg(short, long = "parameter", value_name = "KEY=VALUE")]
    parameter: Vec<Parameter>,

    /// All parameters at once, a JSON object
    #[arg(long, value_name = "JSON")]
    parameters: Option<Parameters>,

    /// What a job needs while it runs, like scan=1,cpu=2
    #[arg(long, value_name = "TYPE=UNITS,…")]
    capacity: Option<CapacityMap>,

    /// A lock that a job holds while it runs, perhaps with permits, like licences=2 or
    /// device-{{host}}. May be repeated
    #[arg(long, value_name = "NAME[=N]")]
    lock: Vec<LockNeed>,

    /// How often a job is tried again when it fails
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// How long a run may take, like 15m or 1h30m; then it is stopped
    #[arg(long, value_name = "DURATION")]
    deadline: Option<Span>,

    /// How long it has between being asked to stop and being killed
    #[arg(long, value_name = "DURATION")]
    stop_timeout: Option<Span>,

    /// high, normal or low
    #[arg(long)]
    priority: Option<Priority>,
}

/// What is sent. What was not given is left to the API and to the action's defaults.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentWork<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_map: Option<&'a CapacityMap>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    locks: BTreeMap<&'a str, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<&'a Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_timeout: Option<&'a Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
}

impl Work {
    /// As the API takes it; refused when something is given twice.
    pub(crate) fn sent(&self) -> Result<SentWork<'_>, Failure> {
        let parameters = joined(self.parameters.clone(), &self.parameter);
        let mut locks = BTreeMap::new();
        for LockNeed { name, permits } in &self.lock {
            if locks.insert(name.as_str(), *permits).is_some() {
                return Err(Failure::Usage(format!("lock {name:?} is given twice")));
            }
        }
        Ok(SentWork {
            parameters: parameters.map_err(Failure::Usage)?,
            capacity_map: self.capacity.as_ref(),
            locks,
            retries: self.retries,
            deadline: self.deadline.as_ref(),
            stop_timeout: self.stop_timeout.as_ref(),
            priority: self.priority,
        })
    }
}

/// A lock, and how many permits of it. What its name may be, the API says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LockNeed {
    name: String,
    permits: u32,
}

impl FromStr for LockNeed {
    type Err = String;

    fn from_str(text: &str) -> Result<LockNeed, String> {
        let (name, permits) = text.rsplit_once('=').unwrap_or((text, "1"));
        let permits = permits.parse().ok().filter(|permits| *permits > 0);
        let permits = permits.ok_or("the permits must be a whole number from 1 on")?;
        if name.is_empty() {
            return Err("the name is empty".to_owned());
        }
        Ok(LockNeed { name: name.to_owned(), permits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_permit_unless_said() {
        let need = |name: &str, permits| Ok(LockNeed { name: name.to_owned(), permits });
        let cases = [
            ("devices", need("devices", 1)),
            ("licences=2", need("licences", 2)),
            ("device-{{host}}", need("device-{{host}}", 1)),
            ("site/a:1=3", need("site/a:1", 3)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "=1", "a=", "a=0", "a=-1", "a=b"] {
            assert!(text.parse::<LockNeed>().is_err(), "{text}");
        }
    }
}
