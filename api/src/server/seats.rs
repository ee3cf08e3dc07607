//! How many connections there may be: in all, so that memory is bounded, and of one address, so that nobody takes all of
//! them. When every place is taken, whoever has the most gives one up for whoever has fewer: some addresses together hold
//! up nobody else, and what they send slowly, or never read, does not either.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Exposure;
use crate::auth::Networks;

/// The places for connections.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
    most_of_one: usize,
    proxies: Networks,
}

/// The connections of each address, the newest last.
#[derive(Default)]
struct Taken {
    of: HashMap<IpAddr, Vec<(u64, CancellationToken)>>,
    next: u64,
}

/// A place; dropping it frees it.
pub(super) struct Seat {
    address: IpAddr,
    id: u64,
    given_up: CancellationToken,
    taken: Arc<Mutex<Taken>>,
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(exposure: &Exposure) -> Seats {
        Seats {
            free: Arc::new(Semaphore::new(exposure.max_connections)),
            taken: Arc::default(),
            most_of_one: exposure.max_connections_per_address,
            proxies: exposure.trusted_proxies.clone(),
        }
    }

    /// A place for a connection from this address; none when it has its share, or when all places are taken and nobody has
    /// more than it has. Trusted proxies stand for many: they wait until there is a place, and give none up.
    pub(super) async fn take(&self, address: IpAddr) -> Option<Seat> {
        let is_proxy = self.proxies.contain(address);
        if !is_proxy && self.lock().count(address) >= self.most_of_one {
            return None;
        }
        let free = Arc::clone(&self.free);
        let permit = match free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.make_room(address, is_proxy) || is_proxy => {
                free.acquire_owned().await.ok()?
            }
            Err(_) => return None,
        };
        let (id, given_up) = self.lock().add(address);
        let taken = Arc::clone(&self.taken);
        Some(Seat { address, id, given_up, taken, _permit: permit })
    }

    /// Has whoever has the most give up its newest connection, if that is more than `address` has.
    fn make_room(&self, address: IpAddr, is_proxy: bool) -> bool {
        let mut taken = self.lock();
        let own = if is_proxy { 0 } else { taken.count(address) };
        let others = taken.of.iter_mut().filter(|(other, _)| !self.proxies.contain(**other));
        let most = others.map(|(_, all)| all).max_by_key(|all| all.len());
        let newest = most.filter(|all| all.len() > own).and_then(Vec::pop);
        newest.is_some_and(|(_, given_up)| {
            given_up.cancel();
            true
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn count(&self, address: IpAddr) -> usize {
        self.of.get(&address).map_or(0, Vec::len)
    }

    fn add(&mut self, address: IpAddr) -> (u64, CancellationToken) {
        let given_up = CancellationToken::new();
        self.next += 1;
        self.of.entry(address).or_default().push((self.next, given_up.clone()));
        (self.next, given_up)
    }

    fn remove(&mut self, address: IpAddr, id: u64) {
        if let Some(all) = self.of.get_mut(&address) {
            all.retain(|(other, _)| *other != id);
            if all.is_empty() {
                self.of.remove(&address);
            }
        }
    }
}

impl Seat {
    /// Says when it is to be given up.
    pub(super) fn given_up(&self) -> CancellationToken {
        self.given_up.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(self.address, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(max_connections: usize, max_connections_per_address: usize) -> Seats {
        Seats::new(&Exposure {
            max_connections,
            max_connections_per_address,
            trusted_proxies: "10.0.0.1".parse().unwrap(),
            ..Exposure::default()
        })
    }

    #[tokio::test]
    async fn each_address_has_its_share_and_gives_it_back() {
        let seats = seats(5, 2);
        let take = async |text: &str| seats.take(text.parse().unwrap()).await;
        let one = take("192.0.2.1").await;
        let two = take("192.0.2.1").await;
        assert!(one.is_some() && two.is_some());
        assert!(take("192.0.2.1").await.is_none());
        let proxied = [take("10.0.0.1").await, take("10.0.0.1").await, take("10.0.0.1").await];
        assert!(proxied.iter().all(Option::is_some));
        assert_eq!(seats.free.available_permits(), 0);
        drop((one, proxied));
        assert!(take("192.0.2.1").await.is_some());
        drop(two);
        assert_eq!(seats.free.available_permits(), 5);
        assert!(seats.lock().of.is_empty());
    }

    #[tokio::test]
    async fn who_has_the_most_gives_up_its_newest_for_who_has_fewer() {
        let seats = seats(4, 4);
        let take = async |text: &str| seats.take(text.parse().unwrap()).await;
        let greedy = [take("192.0.2.1").await, take("192.0.2.1").await, take("192.0.2.1").await];
        let given_up = || greedy.iter().flatten().map(|seat| seat.given_up().is_cancelled());
        let other = take("192.0.2.2").await;
        assert!(other.is_some() && given_up().all(|given_up| !given_up));
        assert!(take("192.0.2.1").await.is_none(), "it has the most itself");
        let mut taking = Box::pin(take("192.0.2.3"));
        assert!(futures_util::poll!(&mut taking).is_pending());
        assert!(given_up().eq([false, false, true]));
        let [_, _, newest] = greedy;
        drop(newest);
        assert!(taking.await.is_some());
    }
}
