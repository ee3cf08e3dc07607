//! What a job does and needs: the flags that `jobs submit` and `crons set` share.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use domain::capacity::CapacityMap;
use domain::job::{GoDuration, Priority};
use serde::ser::Error;
use serde::{Serialize, Serializer};

use super::parameters::ParameterFlags;

/// Serialized as the fields of a request body; null is a flag that was not given.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobTemplate {
    #[command(flatten)]
    parameters: ParameterFlags,

    /// Capacity the job uses while it runs, for example scan=1,cpu=2
    #[arg(long = "capacity", value_name = "TYPE=UNITS,...")]
    capacity_map: Option<CapacityMap>,

    /// Lock the job holds while it runs, with its permits if more than one: devices, licences=2,
    /// device-{{host}}. Repeatable
    #[arg(long = "lock", value_name = "NAME[=N]")]
    #[serde(serialize_with = "by_name")]
    locks: Vec<LockRequest>,

    /// Rate limit under which the job starts, with the number of starts that it counts as if more
    /// than one: mail, mail-{{tenant}}=2. Repeatable
    #[arg(long = "rate", value_name = "KEY[=N]")]
    #[serde(serialize_with = "by_name")]
    rates: Vec<LockRequest>,

    /// Number of retries after a failure
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// Time limit of each run, for example 15m or 1h30m
    #[arg(long, value_name = "DURATION")]
    deadline: Option<GoDuration>,

    /// Time a run has to stop before it is killed
    #[arg(long, value_name = "DURATION")]
    stop_timeout: Option<GoDuration>,

    /// Priority: high, normal or low
    #[arg(long)]
    priority: Option<Priority>,
}

/// A lock or a rate limit, and how much of it. The API checks the name, which may be a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockRequest {
    name: String,
    permits: u32,
}

impl FromStr for LockRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<LockRequest, String> {
        let (name, permits) = text.rsplit_once('=').unwrap_or((text, "1"));
        let permits = permits.parse().ok().filter(|permits| *permits > 0);
        let permits = permits.ok_or("the number after = must be a positive integer")?;
        if name.is_empty() {
            return Err("the name is empty".to_owned());
        }
        Ok(LockRequest { name: name.to_owned(), permits })
    }
}

pub(crate) fn by_name<S: Serializer>(
    requests: &[LockRequest],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut locks = BTreeMap::new();
    for LockRequest { name, permits } in requests {
        if locks.insert(name, permits).is_some() {
            return Err(S::Error::custom(format!("lock or rate {name:?} is given twice")));
        }
    }
    Some(locks).filter(|locks| !locks.is_empty()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_permit_unless_given() {
        let request = |name: &str, permits| Ok(LockRequest { name: name.to_owned(), permits });
        let cases = [
            ("devices", request("devices", 1)),
            ("licences=2", request("licences", 2)),
            ("device-{{host}}", request("device-{{host}}", 1)),
            ("site/a:1=3", request("site/a:1", 3)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "=1", "a=", "a=0", "a=-1", "a=b"] {
            assert!(text.parse::<LockRequest>().is_err(), "{text}");
        }
    }
}
