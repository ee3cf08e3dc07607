//! One queue as the desk sees it: what it holds, whether it is consumed, whether it starves.

use std::time::{Duration, Instant};

use domain::capacity::CapacityMap;
use domain::job::{JobId, Priority, Timestamp};

/// An offer that has come and is not used up.
pub(super) struct Held {
    pub(super) key: u64,
    pub(super) scheduled_at: Timestamp,
    pub(super) ids: Vec<JobId>,
    /// When it pauses its queue unless it is used up.
    pub(super) until: Instant,
    /// The same, once there has been room for a job of it.
    pub(super) last: Instant,
    /// A claim of its ids is under way.
    pub(super) claiming: bool,
}

/// How long an offer may wait here. Where there is room in the fleet it is to be there within `offer_hold`: the first
/// worker keeps it for a part of that, and those after it, while it is untouched, for a moment.
pub(super) struct Hold {
    /// While there is no room for any of its jobs. Short for an urgent one: it goes where one is free.
    pub(super) untouched: Duration,
    /// When there was, for the others in it.
    pub(super) begun: Duration,
}

impl Hold {
    pub(super) fn of(hold: Duration, priority: Priority, redelivered: bool) -> Hold {
        match (redelivered, priority) {
            (true, _) => Hold { untouched: hold / 50, begun: hold / 5 },
            (false, Priority::High) => Hold { untouched: hold / 5, begun: hold * 4 / 5 },
            (false, Priority::Normal | Priority::Low) => {
                Hold { untouched: hold * 4 / 5, begun: hold * 4 / 5 }
            }
        }
    }
}

pub(super) struct Line {
    pub(super) need: CapacityMap,
    pub(super) consuming: bool,
    pub(super) held: Vec<Held>,
    /// It was paused with an offer in hand that did not fit.
    pub(super) hungry: bool,
    /// How many other jobs have started since it waits.
    pub(super) passed_over: u32,
    /// Since when it is paused for want of room; until there is room it is not resumed.
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
        self.paused = None;
        self.resumed = Some(now);
        self.expecting = self.hungry.then(|| now + expecting);
    }

    /// It was resumed a moment ago, for a job that has not come yet.
    pub(super) fn expects(&self, now: Instant) -> bool {
        self.expecting.is_some_and(|until| now < until)
    }

    /// It is paused for want of room, and as far as is known a job waits in it.
    pub(super) fn is_kept_out(&self) -> bool {
        self.paused.is_some()
    }

    /// One of its jobs waits for room.
    pub(super) fn waits(&self) -> bool {
        let held = |held: &Held| !held.claiming && !held.ids.is_empty();
        self.is_kept_out() || self.held.iter().any(held)
    }

    /// One of its jobs got in. When it is paused by now, others did not.
    pub(super) fn admitted(&mut self) {
        self.hungry = self.is_kept_out();
        self.passed_over = 0;
    }

    /// None of its jobs waits: there is nothing that it is to be kept from.
    pub(super) fn emptied(&mut self) {
        self.paused = None;
        self.expecting = None;
        self.admitted();
    }

    /// It has been consumed for a while, and nothing has come.
    pub(super) fn is_fed(&self, now: Instant, hold: Duration) -> bool {
        let long = self.resumed.is_some_and(|resumed| now >= resumed + hold);
        self.consuming && self.hungry && self.held.is_empty() && long
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
