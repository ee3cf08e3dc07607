//! The flags of `jobs submit` that say when the job is a duplicate, when it expires, and what
//! happens when it fails or its worker is lost.

use chrono::Utc;
use clap::Args;
use client::HeaderValue;
use domain::job::{Backoff, GoDuration, Timestamp};
use serde::Serialize;

use crate::flags::backoff;

/// Serialized as fields of the request body, without those that need a calculation.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rules {
    /// Create no job while another one with this key is unfinished; print its ID instead
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,

    /// Run the job after this time; until then, a submission with the same --unique-key replaces it,
    /// and the time begins again. For example 5s
    #[arg(long, value_name = "DURATION", requires = "unique_key", conflicts_with = "scheduled_at")]
    debounce: Option<GoDuration>,

    /// Longest time from the first of these submissions until the job runs [default: no limit]
    #[arg(long, value_name = "DURATION", requires = "debounce")]
    debounce_max: Option<GoDuration>,

    /// Run one job for the submissions with this key that differ only in their parameters, with the
    /// list of these
    #[arg(long, value_name = "KEY", requires_all = ["batch_size", "batch_wait"],
        conflicts_with_all = ["unique_key", "scheduled_at", "expires_at", "expires_in"])]
    batch_key: Option<String>,

    /// Run that job when it has this many submissions, from 2 to 1000
    #[arg(long, value_name = "NUMBER", requires = "batch_key")]
    batch_size: Option<u32>,

    /// Run it this long after the first of them at the latest, for example 10s
    #[arg(long, value_name = "DURATION", requires = "batch_key")]
    batch_wait: Option<GoDuration>,

    /// Make the command safe to repeat: with the same key, no second job is created within a day
    #[arg(long, value_name = "KEY")]
    #[serde(skip)]
    pub(super) idempotency_key: Option<HeaderValue>,

    /// Time at which the job fails if it has not started, in RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in")]
    expires_at: Option<Timestamp>,

    /// Time after which the job fails if it has not started, from when it is due, for example 10m
    #[arg(long, value_name = "DURATION")]
    #[serde(skip)]
    expires_in: Option<GoDuration>,

    /// Delay before the first retry; it doubles with each further one [default: 1s]
    #[arg(long, value_name = "DURATION")]
    #[serde(skip)]
    backoff_base: Option<GoDuration>,

    /// Longest delay before a retry [default: 5m]
    #[arg(long, value_name = "DURATION")]
    #[serde(skip)]
    backoff_max: Option<GoDuration>,

    /// What to do when the worker is lost: retry, or fail for jobs that must not run twice
    #[arg(long, value_name = "POLICY", value_parser = ["retry", "fail"])]
    on_worker_lost: Option<String>,

    /// Stop the job as soon as the lease of its worker ends
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict_lease: bool,
}

impl Rules {
    /// The time that `--expires-in` gives a job that is due at `due`; without `due`, it is due now.
    pub(super) fn expiry(&self, due: Option<Timestamp>) -> Option<Timestamp> {
        let span_ms = self.expires_in.as_ref()?.duration()?.as_millis();
        let due_ms = due.map_or_else(|| Utc::now().timestamp_millis(), Timestamp::ms);
        Some(Timestamp::from_ms(due_ms + i64::try_from(span_ms).unwrap_or(i64::MAX)))
    }

    /// The delays before retries, if one of them is given.
    pub(super) fn backoff(&self) -> Option<Backoff> {
        backoff(self.backoff_base.as_ref(), self.backoff_max.as_ref())
    }
}
