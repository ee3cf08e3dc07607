//! Rate limits in the model: how many starts each key has used up, and when more are allowed.

use domain::job::Timestamp;
use domain::limit::{CalendarQuota, LimitName, RateLimit};

use super::state::Model;
use super::waiting::{MOST_GRANTED, MOST_WALKED};

impl Model {
    /// How many permits of a key are used up.
    pub(super) fn used_up(&self, key: &str) -> u64 {
        match self.limits.get(key) {
            None => 0,
            Some(RateLimit::Spaced(spaced)) => {
                let behind = (self.restored_at(key) - self.now) as f64;
                (behind / spaced.interval_ms()).ceil() as u64
            }
            Some(RateLimit::Calendar(calendar)) => self.used_of(key, calendar),
        }
    }

    /// A job that counts as `need` starts under a key.
    pub(super) fn use_rate(&mut self, key: &str, need: u64) {
        match self.limits.get(key).copied() {
            None => {}
            Some(RateLimit::Spaced(spaced)) => {
                let at = self.restored_at(key) + (need as f64 * spaced.interval_ms()) as i64;
                self.rates.insert(key.to_owned(), at);
            }
            Some(RateLimit::Calendar(calendar)) => {
                let used = self.used_of(key, &calendar) + need;
                let entry = (used, self.window_end(&calendar), calendar.window_text());
                self.calendar_used.insert(key.to_owned(), entry);
            }
        }
    }

    /// Whether the clamping of times would change one of a rate limit.
    pub(super) fn has_rate_times(&self) -> bool {
        let exceeds = |(key, at): (&String, &i64)| {
            let most = match self.limits.get(key) {
                Some(RateLimit::Spaced(spaced)) => f64::from(spaced.burst) * spaced.interval_ms(),
                Some(RateLimit::Calendar(_)) | None => 0.0,
            };
            *at > self.clock + most as i64
        };
        self.rates.iter().any(exceeds) || self.grants.keys().any(|name| name.starts_with("rate:"))
    }

    /// When all permits of a key of a rate limit are restored.
    fn restored_at(&self, key: &str) -> i64 {
        self.rates.get(key).copied().unwrap_or_default().max(self.now)
    }

    /// How many jobs have started under a key of a calendar limit in this window.
    fn used_of(&self, key: &str, calendar: &CalendarQuota) -> u64 {
        let counted = |(_, ends, windows): &&(u64, i64, String)| {
            *ends > self.now && *windows == calendar.window_text()
        };
        self.calendar_used.get(key).filter(counted).map_or(0, |(used, _, _)| *used)
    }

    fn window_end(&self, calendar: &CalendarQuota) -> i64 {
        calendar.ends(Timestamp::from_ms(self.now)).next().unwrap().ms()
    }

    /// Notes when a rate limit has permits for the first waiter that is not granted it yet.
    pub(super) fn note_next_start(&mut self, name: &str) {
        let Some(key) = name.strip_prefix("rate:") else { return };
        let Some(limit) = self.limits.get(key).copied() else { return };
        let queue = self.wait_queue(name);
        let granted = self.granted_in(name, &queue);
        if granted.len() == MOST_GRANTED {
            return;
        }
        let mut count = 0;
        for id in queue.iter().take(MOST_WALKED) {
            let need = self.jobs[id].need(name) as i64;
            if need <= i64::from(limit.burst()) {
                count += need;
                if !granted.contains(id) {
                    let at = match &limit {
                        RateLimit::Spaced(spaced) => {
                            let ahead = count - i64::from(spaced.burst);
                            self.restored_at(key) + (ahead as f64 * spaced.interval_ms()) as i64
                        }
                        RateLimit::Calendar(calendar) => self.window_end(calendar),
                    };
                    let noted = self.grants.entry(name.to_owned()).or_insert(at);
                    *noted = at.min(*noted);
                    return;
                }
            }
        }
    }

    pub(super) fn set_limit(&mut self, name: &LimitName, limit: Option<RateLimit>) {
        let (key, lock) = (name.to_string(), format!("rate:{name}"));
        let was = match limit {
            Some(limit) => self.limits.insert(key, limit),
            None => self.limits.remove(&key),
        };
        if limit.is_none() && was.is_none() {
            return;
        }
        self.wake_waiters(&lock);
        self.refill_offers();
        let value = limit.map(|limit| match limit {
            RateLimit::Spaced(spaced) => {
                format!("{} {} {}", spaced.burst, spaced.rate, spaced.per.as_millis())
            }
            RateLimit::Calendar(calendar) => {
                format!("{} {}", calendar.quota, calendar.window_text())
            }
        });
        self.emit_lock(&lock, "rate", value.unwrap_or_default());
    }
}
