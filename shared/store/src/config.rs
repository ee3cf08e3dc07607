//! Where the store is, and the credentials for it.

use std::fmt;

/// The Redis server and the namespace. `Debug` leaves out the URL and the password.
#[derive(Clone)]
pub struct StoreConfig {
    /// `redis://[user:password@]host:port[/db]`; `rediss://` uses TLS. With
    /// `redis+sentinel://[user:password@]host,host,host/name[/db]` (or `rediss+sentinel://`), the
    /// sentinels at these hosts are asked for the primary of that name.
    pub redis_url: String,
    /// Replaces the password of the URL.
    pub password: Option<String>,
    /// The password of the sentinels, if they have one.
    pub sentinel_password: Option<String>,
    /// How many replicas must have a submission before it is accepted.
    pub replicas: u8,
    /// The certificate authorities to trust, as PEM; those of the system when absent.
    pub authorities: Option<String>,
    /// The prefix of every key.
    pub namespace: String,
}

impl StoreConfig {
    /// A store that needs neither a password nor certificate authorities beside its URL.
    #[must_use]
    pub fn new(redis_url: impl Into<String>, namespace: impl Into<String>) -> StoreConfig {
        let (redis_url, namespace) = (redis_url.into(), namespace.into());
        StoreConfig {
            redis_url,
            password: None,
            sentinel_password: None,
            replicas: 0,
            authorities: None,
            namespace,
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
