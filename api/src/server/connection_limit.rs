//! The connection limits: a total, which bounds memory, and a share for each address, so that no
//! client uses up the total. At the total, the address with the most connections loses its newest
//! one to an address with fewer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::settings::{Exposure, Networks};

/// The connection limits.
pub(super) struct ConnectionLimit {
    free: Arc<Semaphore>,
    open: Arc<Mutex<OpenConnections>>,
    max_per_address: usize,
    proxies: Networks,
}

/// The connections of each address, newest last, each with its id and its eviction.
#[derive(Default)]
struct OpenConnections {
    by_address: HashMap<IpAddr, Vec<(u64, CancellationToken)>>,
    next_id: u64,
}

/// The permission for one connection; dropping it frees its place.
pub(super) struct ConnectionPermit {
    address: IpAddr,
    id: u64,
    evicted: CancellationToken,
    open: Arc<Mutex<OpenConnections>>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// Creates the limits of these settings.
    pub(super) fn new(exposure: &Exposure) -> ConnectionLimit {
        ConnectionLimit {
            free: Arc::new(Semaphore::new(exposure.max_connections)),
            open: Arc::default(),
            max_per_address: exposure.max_connections_per_address,
            proxies: exposure.trusted_proxies.clone(),
        }
    }

    /// Returns a permit for a connection from this address. There is none if the address has its
    /// share, or if the total is reached and no address has more connections.
    ///
    /// A trusted proxy serves many clients: it waits for a permit and is never evicted.
    pub(super) async fn acquire(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let is_proxy = self.proxies.contain(address);
        if !is_proxy && lock(&self.open).count(address) >= self.max_per_address {
            return None;
        }
        let free = Arc::clone(&self.free);
        let permit = match free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.evict_one(address, is_proxy) || is_proxy => {
                free.acquire_owned().await.ok()?
            }
            Err(_) => return None,
        };
        let (id, evicted) = lock(&self.open).add(address);
        let open = Arc::clone(&self.open);
        Some(ConnectionPermit { address, id, evicted, open, _permit: permit })
    }

    /// Evicts the newest connection of the address with the most, if that has more than `address`.
    fn evict_one(&self, address: IpAddr, is_proxy: bool) -> bool {
        let mut open = lock(&self.open);
        let own = if is_proxy { 0 } else { open.count(address) };
        let others = open.by_address.iter_mut().filter(|(other, _)| !self.proxies.contain(**other));
        let largest = others.map(|(_, all)| all).max_by_key(|all| all.len());
        let newest = largest.filter(|all| all.len() > own).and_then(Vec::pop);
        newest.is_some_and(|(_, evicted)| {
            evicted.cancel();
            true
        })
    }
}

impl OpenConnections {
    fn count(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, Vec::len)
    }

    fn add(&mut self, address: IpAddr) -> (u64, CancellationToken) {
        let evicted = CancellationToken::new();
        self.next_id += 1;
        self.by_address.entry(address).or_default().push((self.next_id, evicted.clone()));
        (self.next_id, evicted)
    }

    fn remove(&mut self, address: IpAddr, id: u64) {
        if let Some(all) = self.by_address.get_mut(&address) {
            all.retain(|(other, _)| *other != id);
            if all.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

impl ConnectionPermit {
    /// Returns a token that is cancelled when the connection is evicted.
    pub(super) fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        lock(&self.open).remove(self.address, self.id);
    }
}

fn lock(open: &Mutex<OpenConnections>) -> MutexGuard<'_, OpenConnections> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(max_connections: usize, max_connections_per_address: usize) -> ConnectionLimit {
        ConnectionLimit::new(&Exposure {
            max_connections,
            max_connections_per_address,
            trusted_proxies: "10.0.0.1".parse().unwrap(),
            ..Exposure::default()
        })
    }

    #[tokio::test]
    async fn an_address_gets_its_share_and_returns_it() {
        let limit = limit(5, 2);
        let acquire = async |text: &str| limit.acquire(text.parse().unwrap()).await;
        let one = acquire("192.0.2.1").await;
        let two = acquire("192.0.2.1").await;
        assert!(one.is_some() && two.is_some());
        assert!(acquire("192.0.2.1").await.is_none());
        let proxied =
            [acquire("10.0.0.1").await, acquire("10.0.0.1").await, acquire("10.0.0.1").await];
        assert!(proxied.iter().all(Option::is_some));
        assert_eq!(limit.free.available_permits(), 0);
        drop((one, proxied));
        assert!(acquire("192.0.2.1").await.is_some());
        drop(two);
        assert_eq!(limit.free.available_permits(), 5);
        assert!(lock(&limit.open).by_address.is_empty());
    }

    #[tokio::test]
    async fn the_address_with_the_most_loses_its_newest_to_one_with_fewer() {
        let limit = limit(4, 4);
        let acquire = async |text: &str| limit.acquire(text.parse().unwrap()).await;
        let greedy =
            [acquire("192.0.2.1").await, acquire("192.0.2.1").await, acquire("192.0.2.1").await];
        let evicted = || greedy.iter().flatten().map(|permit| permit.evicted().is_cancelled());
        let other = acquire("192.0.2.2").await;
        assert!(other.is_some() && evicted().all(|evicted| !evicted));
        assert!(acquire("192.0.2.1").await.is_none(), "no address has more");
        let mut acquiring = Box::pin(acquire("192.0.2.3"));
        assert!(futures_util::poll!(&mut acquiring).is_pending());
        assert!(evicted().eq([false, false, true]));
        let [_, _, newest] = greedy;
        drop(newest);
        assert!(acquiring.await.is_some());
    }
}
