//! What a cron is told to do, when, and what then happens to firings that are late or meet an earlier one.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Schedule, TimeZone};
use crate::capacity::CapacityMap;
use crate::lock::Locks;
use crate::names::{ActionName, CronName, JobId};
use crate::priority::Priority;
use crate::time::{GoDuration, Timestamp};

/// A cron as somebody wants it. Two that are equal fire alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CronSpec {
    /// What to do.
    pub action: ActionName,
    /// When.
    pub schedule: Schedule,
    /// On the wall of which place.
    #[serde(default)]
    pub time_zone: TimeZone,
    /// What becomes of firings that nobody was there for.
    #[serde(default)]
    pub misfire: Misfire,
    /// What becomes of a firing while a job of an earlier one is not over.
    #[serde(default)]
    pub overlap: Overlap,
    /// Jobs are due up to so much after their tick, each by its own share.
    #[serde(default)]
    pub jitter: GoDuration,
    /// How often a job is tried again; what the action says unless given.
    #[serde(default)]
    pub retries: Option<u32>,
    /// What a job needs; `None` when none was given.
    #[serde(default)]
    pub capacity_map: Option<CapacityMap>,
    /// What to do it with; `None` when nothing was given.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    /// From a job's start to SIGTERM.
    #[serde(default)]
    pub deadline: GoDuration,
    /// From SIGTERM to SIGKILL.
    #[serde(default)]
    pub stop_timeout: GoDuration,
    /// The band of its jobs.
    #[serde(default)]
    pub priority: Priority,
    /// What its jobs hold while they run.
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

            /// The word, the same in Redis, JSON and TOML.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// What becomes of ticks that are noticed too late: no scheduler ran, or Redis was away.
    Misfire {
        /// They are left out.
        Skip = "skip",
        /// One job stands for all of them; it is of the newest one.
        #[default]
        Once = "once",
        /// Each gets its job, up to a bound; the first one says how many older ones were left out.
        All = "all",
    }
}

words! {
    /// What becomes of a tick while a job of an earlier one waits or runs.
    Overlap {
        /// Its job is made.
        #[default]
        Allow = "allow",
        /// It is left out.
        Skip = "skip",
        /// It is held until the earlier ones are over.
        Queue = "queue",
        /// The earlier job is cancelled; when that is over, this one's is made.
        Replace = "replace",
    }
}

words! {
    /// Why a job of a cron was made.
    Cause {
        /// Its time had come.
        #[default]
        Tick = "tick",
        /// Somebody asked for it.
        Run = "run",
    }
}

/// What a job says of the cron that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The cron.
    pub cron: CronName,
    /// The moment that the line names; when it was asked for, of one that was.
    pub tick: Timestamp,
    /// Why it was made.
    #[serde(default)]
    pub cause: Cause,
    /// How many earlier ticks it stands for, or were left out before it, because nobody was there for them.
    #[serde(default)]
    pub missed: u64,
}

impl CronSpec {
    /// The first tick after a moment; `None` when there will be none.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next(after, self.time_zone)
    }

    /// How long after its tick the job with this id is due: the same for whoever asks.
    #[must_use]
    pub fn delay_ms(&self, id: JobId) -> i64 {
        let Some(jitter) = self.jitter.duration() else { return 0 };
        let jitter = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX).max(1);
        (id.bits() % jitter) as i64
    }
}

/// The id of the job of one tick of the cron with this id: whoever fires it makes the same job.
#[must_use]
pub fn job_id(cron: Uuid, tick: Timestamp) -> JobId {
    JobId::derived(cron, &tick.to_string())
}

impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.cron, self.tick)
    }
}
