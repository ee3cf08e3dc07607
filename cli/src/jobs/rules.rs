//! The rules of a job that is submitted: when it is one too many, until when it makes sense, what
//! happens when it fails or its worker is lost.

use chrono::Utc;
use clap::Args;
use reqwest::header::HeaderValue;
use serde::Serialize;
use shared::job::{Span, Timestamp};

/// What `jobs submit` is told of them.
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// While a job with this key is not over no other is made, and that one answers
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,

    /// Sent again with the same key within a day it makes no second job
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<HeaderValue>,

    /// When not started by then it ends as error, RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in")]
    expires_at: Option<Timestamp>,

    /// The same, so long after it is due, like 10m
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Span>,

    /// How long the first retry waits, twice that the next one, and so on; 1s unless given
    #[arg(long, value_name = "DURATION")]
    backoff_base: Option<Span>,

    /// How long a retry waits at most; 5m unless given
    #[arg(long, value_name = "DURATION")]
    backoff_max: Option<Span>,

    /// When its worker is lost: retry elsewhere, or fail, because it must not run twice
    #[arg(long, value_parser = ["retry", "fail"])]
    on_worker_lost: Option<String>,

    /// Its worker stops it at the end of its lease, without waiting to be told that it is lost
    #[arg(long)]
    strict_lease: bool,
}

/// What is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SentRules<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff: Option<SentBackoff<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_worker_lost: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict_lease: bool,
}

#[derive(Debug, Serialize)]
struct SentBackoff<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<&'a Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<&'a Span>,
}

impl Rules {
    /// As the API takes them, for a job that is due at `at`, or now.
    pub(super) fn sent(&self, at: Option<Timestamp>) -> SentRules<'_> {
        let due_ms = || at.map_or_else(|| Utc::now().timestamp_millis(), Timestamp::ms);
        let span = self.expires_in.as_ref().and_then(Span::duration);
        let ends = span.map(|span| due_ms() + i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let (base, max) = (self.backoff_base.as_ref(), self.backoff_max.as_ref());
        SentRules {
            unique_key: self.unique_key.as_deref(),
            expires_at: self.expires_at.or(ends.map(Timestamp::from_ms)),
            backoff: (base.is_some() || max.is_some()).then_some(SentBackoff { base, max }),
            on_worker_lost: self.on_worker_lost.as_deref(),
            strict_lease: self.strict_lease,
        }
    }
}
