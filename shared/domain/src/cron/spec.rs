//! The definition of a cron, and what its jobs record of the firing that created them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::schedule::Schedule;
use super::time_zone::TimeZone;
use crate::capacity::CapacityMap;
use crate::lock::Locks;
use crate::names::{ActionName, CronName, JobId};
use crate::priority::Priority;
use crate::time::{GoDuration, Timestamp};

/// A cron as a client defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CronSpec {
    /// The action to run.
    pub action: ActionName,
    /// When it fires.
    pub schedule: Schedule,
    /// The time zone of the schedule.
    #[serde(default)]
    pub time_zone: TimeZone,
    /// What happens to ticks that no scheduler noticed in time.
    #[serde(default)]
    pub misfire: Misfire,
    /// What happens to a tick while a job of an earlier tick has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// The longest random delay of a job after its tick.
    #[serde(default)]
    pub jitter: GoDuration,
    /// The number of retries of its jobs; the default of the action if `None`.
    #[serde(default)]
    pub retries: Option<u32>,
    /// The capacity that its jobs need; the default of the action if `None`.
    #[serde(default)]
    pub capacity_map: Option<CapacityMap>,
    /// The parameters of its jobs; the default of the action if `None`.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    /// The longest run of its jobs.
    #[serde(default)]
    pub deadline: GoDuration,
    /// The time from SIGTERM to SIGKILL.
    #[serde(default)]
    pub stop_timeout: GoDuration,
    /// The priority of its jobs.
    #[serde(default)]
    pub priority: Priority,
    /// The locks that its jobs hold while they run.
    #[serde(default)]
    pub locks: Locks,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$each])* $variant),+ }

        impl $name {
            /// Every word.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word that Redis, JSON and TOML use.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// What happens to ticks that are noticed late, because no scheduler ran or Redis was
    /// unavailable.
    Misfire {
        /// They get no job.
        Skip = "skip",
        /// One job, of the newest tick, represents all of them.
        #[default]
        Once = "once",
        /// Each gets a job, up to a limit; the first job records how many older ticks were skipped.
        All = "all",
    }
}

words! {
    /// What happens to a tick while a job of an earlier tick waits or runs.
    Overlap {
        /// It gets a job.
        #[default]
        Allow = "allow",
        /// It gets no job.
        Skip = "skip",
        /// It gets a job when the earlier ones have ended.
        Queue = "queue",
        /// The earlier job is cancelled; the tick gets a job when that one has ended.
        Replace = "replace",
    }
}

words! {
    /// Why a job of a cron was created.
    Cause {
        /// A tick of the schedule.
        #[default]
        Tick = "tick",
        /// A request to run the cron now.
        Run = "run",
    }
}

/// The firing of a cron that created a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The cron.
    pub cron: CronName,
    /// The time that the schedule names, or the time of the request to run the cron now.
    pub tick: Timestamp,
    /// Why the cron fired.
    #[serde(default)]
    pub cause: Cause,
    /// The number of earlier ticks that were missed and that this firing represents or follows.
    #[serde(default)]
    pub missed: u64,
}

impl CronSpec {
    /// Returns the first tick after a moment, if there is one.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next(after, self.time_zone)
    }

    /// Returns the delay of the job with this id after its tick. It follows from the id, so that
    /// every scheduler computes the same.
    #[must_use]
    pub fn delay_ms(&self, id: JobId) -> i64 {
        let Some(jitter) = self.jitter.duration() else { return 0 };
        let jitter = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX).max(1);
        (id.bits() % jitter) as i64
    }
}

/// Returns the id of the job for a tick of the cron with this id. Two schedulers that fire the same
/// tick create the same job.
#[must_use]
pub fn job_id(cron: Uuid, tick: Timestamp) -> JobId {
    JobId::derived(cron, &tick.to_string())
}

impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.cron, self.tick)
    }
}
