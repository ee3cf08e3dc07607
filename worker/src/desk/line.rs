//! One queue as the desk sees it: what it holds, whether it is consumed, whether it starves.

use std::time::{Duration, Instant};

use shared::capacity::CapacityMap;
use shared::job::{JobId, Timestamp};

/// An offer that has come and is not used up.
pub(super) struct Held {
    pub(super) key: u64,
    pub(super) scheduled_at: Timestamp,
    pub(super) ids: Vec<JobId>,
    /// When it pauses its queue unless it is admitted.
    pub(super) until: Instant,
    /// A claim of its ids is under way.
    pub(super) claiming: bool,
}

pub(super) struct Line {
    pub(super) need: CapacityMap,
    pub(super) consuming: bool,
    pub(super) held: Vec<Held>,
    /// It was paused with an offer in hand that did not fit.
    pub(super) hungry: bool,
    /// How many other jobs were admitted since.
    pub(super) passed_over: u32,
    /// When it was last paused for want of room.
    pub(super) paused: Option<Instant>,
    /// Until when its next job counts as taken.
    pub(super) expecting: Option<Instant>,
    resumed: Option<Instant>,
}

impl Line {
    pub(super) fn new(need: CapacityMap) -> Line {
        Line {
            need,
            consuming: false,
            held: Vec::new(),
            hungry: false,
            passed_over: 0,
            paused: None,
            expecting: None,
            resumed: None,
        }
    }

    /// Its consumer is closed because an offer waited for too long. What is held goes back; a claim under way is
    /// answered all the same.
    pub(super) fn pause(&mut self, now: Instant) {
        self.pause_idle();
        self.paused = Some(now);
        self.hungry = true;
    }

    /// Its consumer is closed for no reason of its own.
    pub(super) fn pause_idle(&mut self) {
        self.consuming = false;
        self.expecting = None;
        self.held.clear();
    }

    pub(super) fn resume(&mut self, now: Instant, expecting: Duration) {
        self.consuming = true;
        self.resumed = Some(now);
        self.expecting = self.hungry.then(|| now + expecting);
    }

    /// It was resumed a moment ago, for a job that has not come yet.
    pub(super) fn expects(&mut self, now: Instant) -> bool {
        self.expecting = self.expecting.filter(|until| *until > now);
        self.expecting.is_some()
    }

    /// One of its jobs got in, or none is waiting: it does not starve.
    pub(super) fn admitted(&mut self) {
        self.hungry = false;
        self.passed_over = 0;
    }

    pub(super) fn idle_since(&self, now: Instant, hold: Duration) -> bool {
        self.resumed.is_some_and(|resumed| now >= resumed + hold)
    }

    /// When time alone changes something here.
    pub(super) fn deadline(&self, hold: Duration) -> Option<Instant> {
        if !self.consuming {
            return None;
        }
        let held = self.held.iter().filter(|held| !held.claiming).map(|held| held.until).min();
        let hungry = self.resumed.filter(|_| self.hungry && self.held.is_empty());
        [held, self.expecting, hungry.map(|resumed| resumed + hold)].into_iter().flatten().min()
    }
}
