//! The steps in which the intake stops: a shutdown request, the end of the grace period, a second
//! request, a lost lease. No I/O and no clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::context::stop::StopReason;
use crate::engine::session::SessionEnd;

/// How long the outcome of the last action may take to be recorded after the grace period. An
/// unreachable store must not keep the process alive forever.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// How far the intake has stopped.
#[derive(Debug, Default)]
pub(super) struct StopSequence {
    shutting_down: bool,
    forced: bool,
    lease_lost: bool,
    grace_ends: Option<Instant>,
    give_up_at: Option<Instant>,
}

impl StopSequence {
    /// Returns true until a shutdown is requested or the lease is lost.
    pub(super) fn is_running(&self) -> bool {
        !self.shutting_down && !self.lease_lost
    }

    /// Returns true while a second request could end the grace period.
    pub(super) fn can_be_forced(&self) -> bool {
        self.shutting_down && !self.forced
    }

    pub(super) fn has_lease(&self) -> bool {
        !self.lease_lost
    }

    /// Returns how the session ends once nothing is running, or `None` while it continues.
    pub(super) fn end(&self) -> Option<SessionEnd> {
        match (self.lease_lost, self.shutting_down) {
            (true, _) => Some(SessionEnd::LeaseLost),
            (false, true) => Some(SessionEnd::Shutdown),
            (false, false) => None,
        }
    }

    /// Returns when the grace period ends, if it has started and not ended.
    pub(super) fn grace_ends(&self) -> Option<Instant> {
        self.grace_ends
    }

    /// Returns when unrecorded outcomes are given up.
    pub(super) fn give_up_at(&self) -> Option<Instant> {
        self.give_up_at.filter(|_| self.has_lease())
    }

    /// Starts the grace period.
    pub(super) fn shut_down(&mut self, now: Instant, grace: Duration) {
        self.shutting_down = true;
        self.grace_ends = Some(now + grace);
    }

    /// Ends the grace period. If it had already ended, returns the reason for which every job must
    /// stop now.
    pub(super) fn force(&mut self, now: Instant) -> Option<StopReason> {
        self.forced = true;
        if self.grace_ends.is_some() {
            self.grace_ends = Some(now);
            return None;
        }
        Some(StopReason::Immediate)
    }

    /// Notes that the grace period has ended.
    pub(super) fn end_grace(&mut self) {
        self.grace_ends = None;
    }

    pub(super) fn lose_lease(&mut self) {
        self.lease_lost = true;
    }

    /// Limits how long outcomes may take to be recorded, once every action has returned after the
    /// grace period.
    pub(super) fn actions_returned(&mut self, now: Instant) {
        if self.shutting_down && self.grace_ends.is_none() && self.give_up_at.is_none() {
            self.give_up_at = Some(now + GIVE_UP_AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_request_ends_the_grace_period_and_after_it_stops_jobs_at_once() {
        let (now, grace) = (Instant::now(), Duration::from_secs(10));
        let mut stop = StopSequence::default();
        assert!(stop.is_running() && !stop.can_be_forced());
        assert_eq!(stop.end(), None);
        stop.shut_down(now, grace);
        assert_eq!(
            (stop.end(), stop.grace_ends()),
            (Some(SessionEnd::Shutdown), Some(now + grace))
        );
        assert_eq!(stop.force(now), None);
        assert_eq!(stop.grace_ends(), Some(now));
        assert!(!stop.can_be_forced());

        let mut stop = StopSequence::default();
        stop.shut_down(now, grace);
        stop.end_grace();
        assert_eq!(stop.force(now), Some(StopReason::Immediate));
    }

    #[test]
    fn outcomes_are_given_up_only_after_the_grace_period_and_not_after_a_lost_lease() {
        let (now, mut stop) = (Instant::now(), StopSequence::default());
        stop.actions_returned(now);
        stop.shut_down(now, Duration::from_secs(10));
        stop.actions_returned(now);
        assert_eq!(stop.give_up_at(), None);
        stop.end_grace();
        stop.actions_returned(now);
        assert_eq!(stop.give_up_at(), Some(now + GIVE_UP_AFTER));
        stop.lose_lease();
        assert_eq!((stop.give_up_at(), stop.end()), (None, Some(SessionEnd::LeaseLost)));
    }
}
