//! The user that commands run as. A user other than the worker's keeps jobs away from what the
//! worker may read, such as its passwords, and from its processes, which they could otherwise kill.

use std::str::FromStr;

use domain::settings::InvalidSetting;
use nix::unistd::{Gid, Uid, geteuid};

/// The setting in error messages.
const SETTING: &str = "CAPSTAN_JOB_USER";

/// The capabilities that a worker needs for commands of another user, with their numbers.
const REQUIRED: [(&str, u32); 6] = [
    ("CAP_CHOWN", 0),
    ("CAP_DAC_OVERRIDE", 1),
    ("CAP_FOWNER", 3),
    ("CAP_KILL", 5),
    ("CAP_SETGID", 6),
    ("CAP_SETUID", 7),
];

/// A user and a group by number, or neither: then commands run as the worker's user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobUser(Option<(Uid, Gid)>);

impl FromStr for JobUser {
    type Err = String;

    fn from_str(text: &str) -> Result<JobUser, String> {
        if text.is_empty() {
            return Ok(JobUser(None));
        }
        let expected = || "expected a user and a group by number, such as 10002:10002".to_owned();
        let (user, group) = text.split_once(':').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| expected());
        let (user, group) = (number(user)?, number(group)?);
        if user == 0 || group == 0 {
            return Err("commands must not run as root".to_owned());
        }
        Ok(JobUser(Some((Uid::from_raw(user), Gid::from_raw(group)))))
    }
}

impl JobUser {
    /// Returns the user and the group.
    pub(crate) fn ids(self) -> Option<(Uid, Gid)> {
        self.0
    }

    /// Returns an error if this worker cannot run commands as the user.
    pub(crate) fn check(self) -> Result<(), InvalidSetting> {
        let Some((user, _)) = self.0 else { return Ok(()) };
        if user == geteuid() {
            let why = "it is the worker's own user; choose another, or leave the setting out";
            return Err(InvalidSetting::new(SETTING, why));
        }
        let missing = missing(effective_capabilities());
        if missing.is_empty() {
            return Ok(());
        }
        let why = format!(
            "this worker lacks {}; start it as root or with these capabilities, or leave the \
             setting out",
            missing.join(", ")
        );
        Err(InvalidSetting::new(SETTING, why))
    }
}

/// Returns the effective capabilities of this process; none if they are unknown.
fn effective_capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn missing(effective: u64) -> Vec<&'static str> {
    let missing = REQUIRED.iter().filter(|(_, number)| effective & (1 << number) == 0);
    missing.map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_user_is_two_numbers_and_not_root() {
        let parse = |text: &str| text.parse::<JobUser>();
        assert_eq!(parse("").unwrap().ids(), None);
        let ids = parse("10002:10003").unwrap().ids();
        assert_eq!(ids, Some((Uid::from_raw(10_002), Gid::from_raw(10_003))));
        for wrong in ["nobody", "10002", "0:10002", "10002:0", "-1:5", "10002:10002:10002"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_worker_that_cannot_change_to_the_user_is_refused_with_what_it_lacks() {
        assert_eq!(missing(u64::MAX), [""; 0]);
        assert_eq!(missing(!(1 << 5)), ["CAP_KILL"]);
        assert_eq!(missing(0).len(), REQUIRED.len());
        let own = JobUser(Some((geteuid(), Gid::from_raw(1))));
        let error = own.check().unwrap_err().to_string();
        assert!(error.starts_with("invalid CAPSTAN_JOB_USER: it is the worker's own"), "{error}");
    }
}
