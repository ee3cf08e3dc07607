//! Limits guessing of tokens: of each address the first wrong tokens are answered at once, further
//! ones with a delay, and too many at a time not at all. Valid tokens from the same address are
//! never delayed, because many clients may share it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many wrong tokens of an address are answered at once; one more after each [`REFILL`].
const BURST: u32 = 10;
const REFILL: Duration = Duration::from_secs(6);
/// The delay of further answers.
const DELAY: Duration = Duration::from_secs(1);
/// How many delayed answers an address may wait for.
const MAX_DELAYED: u32 = 16;
/// How many addresses are remembered; further ones share one bucket.
const MAX_ADDRESSES: usize = 10_000;

/// One token bucket for each address that has sent wrong tokens.
#[derive(Default)]
pub(super) struct FailureThrottle(Mutex<HashMap<IpAddr, Bucket>>);

/// The result of recording a wrong token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The delay, if any, is over: say that the token is wrong.
    Answered,
    /// The address sends too many.
    TooMany,
}

struct Bucket {
    used: u32,
    since: Instant,
    delayed: u32,
}

enum Decision {
    AtOnce,
    /// After a delay that counts in the bucket of this address.
    Delayed(IpAddr),
    TooMany,
}

impl FailureThrottle {
    /// Records a wrong token and waits for the delay of its answer.
    pub(super) async fn record(&self, from: IpAddr) -> Verdict {
        match self.decide(bucket_address(from)) {
            Decision::AtOnce => Verdict::Answered,
            Decision::TooMany => Verdict::TooMany,
            Decision::Delayed(address) => {
                // Released also when the client hangs up.
                let _delayed = Delayed(self, address);
                tokio::time::sleep(DELAY).await;
                Verdict::Answered
            }
        }
    }

    fn decide(&self, address: IpAddr) -> Decision {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| bucket.delayed > 0 || bucket.refill(now) > 0);
        }
        let full = buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&address);
        let address = if full { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { address };
        let bucket = buckets.entry(address).or_insert(Bucket { used: 0, since: now, delayed: 0 });
        if bucket.refill(now) < BURST {
            bucket.used += 1;
            return Decision::AtOnce;
        }
        if bucket.delayed >= MAX_DELAYED {
            return Decision::TooMany;
        }
        bucket.delayed += 1;
        Decision::Delayed(address)
    }
}

impl Bucket {
    /// Adds what has been refilled by now, and returns how many are used.
    fn refill(&mut self, now: Instant) -> u32 {
        let steps = now.duration_since(self.since).as_secs() / REFILL.as_secs();
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.used = self.used.saturating_sub(steps);
        self.since = if self.used == 0 { now } else { self.since + REFILL * steps };
        self.used
    }
}

/// A delayed answer; dropping it makes room for another.
struct Delayed<'a>(&'a FailureThrottle, IpAddr);

impl Drop for Delayed<'_> {
    fn drop(&mut self) {
        let mut buckets = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&self.1) {
            bucket.delayed = bucket.delayed.saturating_sub(1);
        }
    }
}

/// Returns the address that a bucket is kept for: a client with IPv6 has a whole /64 network.
fn bucket_address(address: IpAddr) -> IpAddr {
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

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_answers_are_immediate_then_delayed_then_refused() {
        let throttle = FailureThrottle::default();
        let one = address("192.0.2.1");
        for _ in 0..BURST {
            assert!(matches!(throttle.decide(one), Decision::AtOnce));
        }
        for _ in 0..MAX_DELAYED {
            assert!(matches!(throttle.decide(one), Decision::Delayed(_)));
        }
        assert!(matches!(throttle.decide(one), Decision::TooMany));
        assert!(matches!(throttle.decide(address("192.0.2.2")), Decision::AtOnce));
        drop(Delayed(&throttle, one));
        assert!(matches!(throttle.decide(one), Decision::Delayed(_)));
    }

    #[test]
    fn a_bucket_refills_over_time() {
        let now = Instant::now();
        let mut bucket = Bucket { used: BURST, since: now, delayed: 0 };
        assert_eq!(bucket.refill(now + REFILL / 2), BURST);
        assert_eq!(bucket.refill(now + REFILL), BURST - 1);
        assert_eq!(bucket.refill(now + REFILL * 3 / 2), BURST - 1);
        assert_eq!(bucket.refill(now + REFILL * 100), 0);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let throttle = FailureThrottle::default();
        for n in 0..2 * MAX_ADDRESSES as u32 {
            throttle.decide(IpAddr::V4(n.into()));
        }
        assert!(throttle.0.lock().unwrap().len() <= MAX_ADDRESSES + 1);
    }

    #[test]
    fn an_ipv6_network_shares_one_bucket() {
        let bucket = |text| bucket_address(address(text));
        assert_eq!(bucket("2001:db8::1"), bucket("2001:db8::ffff:1:2:3"));
        assert_ne!(bucket("2001:db8::1"), bucket("2001:db8:0:1::1"));
        assert_eq!(bucket("::ffff:192.0.2.1"), address("192.0.2.1"));
    }
}
