//! Free TCP ports of 127.0.0.1.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Error;

/// Below the range from which the kernel takes ports for outgoing connections (32768 and up), so
/// that a port stays free while its server is down.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Starts at a random port: other development servers on this machine look for ports as well.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
    AtomicU16::new(u16::try_from(random() % u64::from(COUNT)).unwrap_or_default())
});

/// Returns a port on which nothing listens. Within a process, no port is returned twice in a row.
pub fn free_port() -> Result<u16, Error> {
    for _ in 0..COUNT {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::io("find a free port")(std::io::ErrorKind::AddrInUse.into()))
}

/// A random number, good enough to keep ports and folders apart.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_in_use_is_skipped() {
        let first = free_port().unwrap();
        let _listener = TcpListener::bind(("127.0.0.1", first)).unwrap();
        NEXT.store(first - FIRST, Ordering::Relaxed);
        let second = free_port().unwrap();
        assert_ne!(first, second);
        assert!((FIRST..FIRST + COUNT).contains(&second));
    }
}
