//! How many connections there may be: in all, so that memory is bounded, and of one address, so
//! that nobody takes all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Exposure;
use crate::auth::Networks;

/// The places for connections.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most_of_one: usize,
    proxies: Networks,
}

/// A place; dropping it frees it.
pub(super) struct Seat {
    address: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
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

    /// Waits until there is room for one more connection.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// A place for a connection from this address; none when it has its share. Trusted proxies
    /// stand for many.
    pub(super) fn take(&self, address: IpAddr, permit: OwnedSemaphorePermit) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = taken.entry(address).or_default();
        if *of_one >= self.most_of_one && !self.proxies.contain(address) {
            return None;
        }
        *of_one += 1;
        Some(Seat { address, taken: Arc::clone(&self.taken), _permit: permit })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = taken.get_mut(&self.address) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_address_has_its_share_and_gives_it_back() {
        let exposure = Exposure {
            max_connections: 5,
            max_connections_per_address: 2,
            trusted_proxies: "10.0.0.1".parse().unwrap(),
            ..Exposure::default()
        };
        let seats = Seats::new(&exposure);
        let take = async |text: &str| {
            let permit = seats.room().await.unwrap();
            seats.take(text.parse().unwrap(), permit)
        };
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
        assert!(seats.taken.lock().unwrap().is_empty());
    }
}
