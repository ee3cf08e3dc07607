//! Rate limits: what operators have set, and how much of each is used up.

use std::time::Duration;

use super::text::{limit_text, read_limit, renewed_text, shown_text};
use crate::bounds::{MAX_LIMIT_PATTERNS, MAX_LIMITS};
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::Timestamp;
use domain::limit::{CalendarQuota, LimitName, RateLimit, RateLimits, SpacedStarts};
use domain::lock::LockName;

static SET_LIMIT: Script = Script::new("set_limit", include_str!("set_limit.lua"));
static RENEW_WINDOWS: Script = Script::new("renew_windows", include_str!("renew_windows.lua"));
static HOLD_BACK: Script = Script::new("hold_back", include_str!("hold_back.lua"));

/// A rate limit and its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What it applies to.
    pub name: LimitName,
    /// How many jobs may start.
    pub limit: RateLimit,
    /// The state of its key; `None` for a name with a star, which has many keys.
    pub state: Option<LimitState>,
}

/// How much of a limit is used up by one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState {
    /// How many starts are used up. It may exceed the burst after the limit was held back.
    pub used: u32,
    /// When a job that counts as one start may start next; in the past if it may now.
    pub next_at: Timestamp,
    /// How many jobs wait for it.
    pub waiting: u64,
}

/// What became of a limit that was to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetLimitAnswer {
    /// It applies.
    Set,
    /// There are too many limits, or too many whose name ends in a star.
    TooMany,
}

impl Store {
    /// Sets a limit. It applies at once, also to jobs that wait for it.
    pub async fn set_limit(
        &self,
        name: &LimitName,
        limit: RateLimit,
    ) -> Result<SetLimitAnswer, StoreError> {
        let text = limit_text(&limit, self.now().await?);
        let answer = self.call(&SET_LIMIT, |call| {
            call.arg(name.as_str()).arg(&text).arg(shown_text(&limit));
            call.arg(MAX_LIMITS).arg(MAX_LIMIT_PATTERNS);
        });
        answer.await?.decode(|words| match words {
            ["set"] => Some(SetLimitAnswer::Set),
            ["too_many"] => Some(SetLimitAnswer::TooMany),
            _ => None,
        })
    }

    /// Deletes a limit. Returns false if there is none.
    pub async fn delete_limit(&self, name: &LimitName) -> Result<bool, StoreError> {
        let answer = self.call(&SET_LIMIT, |call| {
            call.arg(name.as_str()).arg("").arg("").arg(0).arg(0);
        });
        answer.await?.decode(|words| match words {
            ["deleted"] => Some(true),
            ["no_such_limit"] => Some(false),
            _ => None,
        })
    }

    /// Gives each calendar limit the ends of its next windows, if it has not enough of them. Returns
    /// how many limits were changed.
    pub async fn renew_windows(&self) -> Result<u64, StoreError> {
        let (now, mut renewed) = (self.now().await?, 0);
        for (name, known) in self.kept_limits().await? {
            let Some((_, limit)) = self.left_out.readable(read_limit(&name, &known)) else {
                continue;
            };
            let Some(text) = renewed_text(&limit, &known, now) else { continue };
            let answer = self.call(&RENEW_WINDOWS, |call| {
                call.arg(&name).arg(&known).arg(&text);
            });
            renewed += answer.await?.decode(|words| match words {
                ["renewed"] => Some(1),
                ["changed"] => Some(0),
                _ => None,
            })?;
        }
        Ok(renewed)
    }

    /// Lets no job start under a key for some time. Returns false if the key has no limit.
    pub async fn hold_back(&self, key: &LockName, time: Duration) -> Result<bool, StoreError> {
        let answer = self.call(&HOLD_BACK, |call| {
            call.arg(key.rate_key().unwrap_or_default()).arg(time.as_millis() as u64);
        });
        answer.await?.decode(|words| match words {
            ["held_back"] => Some(true),
            ["not_limited"] => Some(false),
            _ => None,
        })
    }

    /// All limits.
    pub async fn rate_limits(&self) -> Result<RateLimits, StoreError> {
        let kept = self.kept_limits().await?;
        let read = kept.iter().map(|(name, text)| read_limit(name, text));
        Ok(read.filter_map(|limit| self.left_out.readable(limit)).collect())
    }

    async fn kept_limits(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.limits());
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    /// All limits and their states, by name.
    pub async fn limits(&self) -> Result<Vec<Limit>, StoreError> {
        let limits = self.rate_limits().await?;
        let limits = limits.iter().map(|(name, limit)| (name.clone(), *limit));
        self.with_states(limits.collect()).await
    }

    /// The limit with this name and its state; `None` if there is none.
    pub async fn limit(&self, name: &LimitName) -> Result<Option<Limit>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.limits()).arg(name.as_str());
        let text: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let Some(text) = text else { return Ok(None) };
        let limit = read_limit(name.as_str(), &text)?;
        Ok(self.with_states(vec![limit]).await?.pop())
    }

    async fn with_states(
        &self,
        limits: Vec<(LimitName, RateLimit)>,
    ) -> Result<Vec<Limit>, StoreError> {
        let keys: Vec<(LockName, RateLimit)> =
            limits.iter().filter_map(|(name, limit)| Some((name.lock()?, *limit))).collect();
        let mut states = self.limit_states(&keys).await?.into_iter();
        let limits = limits.into_iter().map(|(name, limit)| {
            let state = name.lock().and_then(|_| states.next());
            Limit { name, limit, state }
        });
        Ok(limits.collect())
    }

    /// The states of these keys under their limits, in the same order.
    pub async fn limit_states(
        &self,
        keys: &[(LockName, RateLimit)],
    ) -> Result<Vec<LimitState>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now().await?;
        let mut scores = redis::cmd("ZMSCORE");
        scores.arg(self.keys.rates());
        let mut used = redis::cmd("HMGET");
        used.arg(self.keys.calendar_used());
        let mut counts = redis::pipe();
        for (key, _) in keys {
            scores.arg(key.rate_key().unwrap_or_default());
            used.arg(key.rate_key().unwrap_or_default());
            counts.zcard(self.keys.waiters(key));
        }
        let restored_at: Vec<Option<f64>> =
            scores.query_async(&mut self.connection.clone()).await?;
        let used: Vec<Option<String>> = used.query_async(&mut self.connection.clone()).await?;
        let waiting: Vec<u64> = counts.query_async(&mut self.connection.clone()).await?;
        let mut states = Vec::new();
        for (index, (_, limit)) in keys.iter().enumerate() {
            let (used, next_at) = match limit {
                RateLimit::Spaced(spaced) => {
                    spaced_state(spaced, restored_at.get(index).copied().flatten(), now)
                }
                RateLimit::Calendar(calendar) => {
                    calendar_state(calendar, used.get(index).and_then(Option::as_deref), now)
                }
            };
            let waiting = waiting.get(index).copied().unwrap_or_default();
            states.push(LimitState { used, next_at, waiting });
        }
        Ok(states)
    }
}

/// How many starts are used up, and when the next one is allowed.
fn spaced_state(
    limit: &SpacedStarts,
    restored_at: Option<f64>,
    now: Timestamp,
) -> (u32, Timestamp) {
    let behind = restored_at.map_or(0.0, |at| (at - now.ms() as f64).max(0.0));
    let interval = limit.interval_ms();
    let next_in = behind + (1.0 - f64::from(limit.burst)) * interval;
    let used = (behind / interval - 1e-6).ceil().max(0.0) as u32;
    (used, Timestamp::from_ms(now.ms() + next_in.ceil().max(0.0) as i64))
}

/// The same as in `calendar_limit.lua`, which keeps `used ends held window`.
fn calendar_state(limit: &CalendarQuota, kept: Option<&str>, now: Timestamp) -> (u32, Timestamp) {
    let mut words = kept.unwrap_or_default().splitn(4, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<i64>().ok()).unwrap_or(0);
    let [used, ends, held] = [number(), number(), number()];
    let is_counted = words.next().is_some_and(|word| word == limit.window_text());
    let used_at = |at: i64| if is_counted && ends > at { used } else { 0 };
    let next = held.max(now.ms());
    let next_at = if used_at(next) < i64::from(limit.quota) {
        next
    } else {
        let end_of_window = limit.ends(Timestamp::from_ms(next)).next().unwrap_or(now);
        ends.max(end_of_window.ms())
    };
    // During a pause all starts are used up.
    let least = if held > now.ms() { i64::from(limit.quota) } else { 0 };
    let used = used_at(now.ms()).max(least);
    (u32::try_from(used).unwrap_or(u32::MAX), Timestamp::from_ms(next_at))
}
