//! Wrong tokens, by where they come from: the first few are answered at once, more of them late,
//! and too many at a time not at all. Right ones from the same address are never held up: many may
//! share it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, WRONG_TOKEN};

/// So many are answered at once; after each `REGAIN` one more.
const FREE: u32 = 10;
const REGAIN: Duration = Duration::from_secs(6);
/// The others wait for so long …
const DELAY: Duration = Duration::from_secs(1);
/// … but no more than so many of one address.
const MOST_WAITING: u32 = 16;
/// How many addresses are remembered; those that come then share one account.
const MOST_ADDRESSES: usize = 10_000;

/// The accounts.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, Account>>);

struct Account {
    used: u32,
    since: Instant,
    waiting: u32,
}

enum Verdict {
    AtOnce,
    /// On this account.
    Later(IpAddr),
    TooMany,
}

impl Failures {
    /// Notes a wrong token, waits if that is due, and says what to answer.
    pub(super) async fn slow_down(&self, from: IpAddr) -> Error {
        let place = account_of(from);
        match self.note(place) {
            Verdict::AtOnce => WRONG_TOKEN,
            Verdict::TooMany => Error::TooManyWrongTokens,
            Verdict::Later(place) => {
                // Given back however the wait ends: who hangs up must not keep a place.
                let _place = Place(self, place);
                tokio::time::sleep(DELAY).await;
                WRONG_TOKEN
            }
        }
    }

    fn note(&self, place: IpAddr) -> Verdict {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if accounts.len() >= MOST_ADDRESSES && !accounts.contains_key(&place) {
            accounts.retain(|_, account| account.waiting > 0 || account.settle(now) > 0);
        }
        let full = accounts.len() >= MOST_ADDRESSES && !accounts.contains_key(&place);
        let place = if full { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { place };
        let account = accounts.entry(place).or_insert(Account { used: 0, since: now, waiting: 0 });
        if account.settle(now) < FREE {
            account.used += 1;
            return Verdict::AtOnce;
        }
        if account.waiting >= MOST_WAITING {
            return Verdict::TooMany;
        }
        account.waiting += 1;
        Verdict::Later(place)
    }
}

impl Account {
    /// How many are used up now.
    fn settle(&mut self, now: Instant) -> u32 {
        let steps = now.duration_since(self.since).as_secs() / REGAIN.as_secs();
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.used = self.used.saturating_sub(steps);
        self.since = if self.used == 0 { now } else { self.since + REGAIN * steps };
        self.used
    }
}

struct Place<'a>(&'a Failures, IpAddr);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut accounts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get_mut(&self.1) {
            account.waiting = account.waiting.saturating_sub(1);
        }
    }
}

/// Whoever has an IPv6 address has 2^64 of them.
fn account_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_are_answered_at_once_and_too_many_not_at_all() {
        let failures = Failures::default();
        let address = from("192.0.2.1");
        for _ in 0..FREE {
            assert!(matches!(failures.note(address), Verdict::AtOnce));
        }
        for _ in 0..MOST_WAITING {
            assert!(matches!(failures.note(address), Verdict::Later(_)));
        }
        assert!(matches!(failures.note(address), Verdict::TooMany));
        assert!(matches!(failures.note(from("192.0.2.2")), Verdict::AtOnce));
        drop(Place(&failures, address));
        assert!(matches!(failures.note(address), Verdict::Later(_)));
    }

    #[test]
    fn more_are_answered_at_once_as_time_goes_by() {
        let now = Instant::now();
        let mut account = Account { used: FREE, since: now, waiting: 0 };
        assert_eq!(account.settle(now + REGAIN / 2), FREE);
        assert_eq!(account.settle(now + REGAIN), FREE - 1);
        assert_eq!(account.settle(now + REGAIN * 3 / 2), FREE - 1);
        assert_eq!(account.settle(now + REGAIN * 100), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let failures = Failures::default();
        for n in 0..2 * MOST_ADDRESSES as u32 {
            failures.note(IpAddr::V4(n.into()));
        }
        assert!(failures.0.lock().unwrap().len() <= MOST_ADDRESSES + 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_account() {
        assert_eq!(account_of(from("2001:db8::1")), account_of(from("2001:db8::ffff:1:2:3")));
        assert_ne!(account_of(from("2001:db8::1")), account_of(from("2001:db8:0:1::1")));
        assert_eq!(account_of(from("::ffff:192.0.2.1")), from("192.0.2.1"));
    }
}
