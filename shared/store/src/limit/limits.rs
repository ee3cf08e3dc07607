//! Rate limits: what operators have set, and how much of each is used up.

use std::time::Duration;

use crate::bounds::{MAX_LIMIT_PATTERNS, MAX_LIMITS};
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::Timestamp;
use domain::limit::{LimitName, RateLimit, RateLimits};
use domain::lock::LockName;

static SET_LIMIT: Script = Script::new("set_limit", include_str!("set_limit.lua"));
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
        let answer = self.call(&SET_LIMIT, |call| {
            call.arg(name.as_str()).arg(limit.interval_ms().to_string()).arg(limit.burst);
            call.arg(limit.rate).arg(limit.per.as_millis() as u64);
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
            call.arg(name.as_str()).arg("").arg("").arg("").arg("").arg(0).arg(0);
        });
        answer.await?.decode(|words| match words {
            ["deleted"] => Some(true),
            ["no_such_limit"] => Some(false),
            _ => None,
        })
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
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.limits());
        let kept: Vec<(String, String)> = command.query_async(&mut self.connection.clone()).await?;
        let read = kept.iter().map(|(name, text)| read_limit(name, text));
        Ok(read.filter_map(|limit| self.left_out.readable(limit)).collect())
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
        let now = self.now().await?.ms();
        let mut scores = redis::cmd("ZMSCORE");
        scores.arg(self.keys.rates());
        let mut counts = redis::pipe();
        for (key, _) in keys {
            scores.arg(key.rate_key().unwrap_or_default());
            counts.zcard(self.keys.waiters(key));
        }
        let restored_at: Vec<Option<f64>> =
            scores.query_async(&mut self.connection.clone()).await?;
        let waiting: Vec<u64> = counts.query_async(&mut self.connection.clone()).await?;
        let mut states = Vec::new();
        for (((_, limit), restored_at), waiting) in keys.iter().zip(restored_at).zip(waiting) {
            let behind = restored_at.map_or(0.0, |at| (at - now as f64).max(0.0));
            let interval = limit.interval_ms();
            let next_in = behind + (1.0 - f64::from(limit.burst)) * interval;
            states.push(LimitState {
                used: (behind / interval - 1e-6).ceil().max(0.0) as u32,
                next_at: Timestamp::from_ms(now + next_in.ceil().max(0.0) as i64),
                waiting,
            });
        }
        Ok(states)
    }
}

/// Reads a limit as `set_limit.lua` keeps it: `interval burst rate per`.
fn read_limit(name: &str, text: &str) -> Result<(LimitName, RateLimit), StoreError> {
    let wrong = |why: &str| StoreError::unreadable(format!("rate limit {name}"), why.to_owned());
    let words: Vec<i64> = text.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
    let [burst, rate, per] = words[..] else { return Err(wrong("it has no three whole numbers")) };
    let per = Duration::from_millis(u64::try_from(per).unwrap_or_default());
    let limit = RateLimit::new(rate, per, burst)
        .map_err(|(field, error)| wrong(&format!("{field}: {error}")))?;
    Ok((name.parse().map_err(|_| wrong("its name is not valid"))?, limit))
}
