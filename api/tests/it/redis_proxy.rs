//! A proxy to Redis that can be opened late, can cut a connection and can be slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::env::redis_url;

/// Forwards connections on an address to the Redis of the tests, until it is dropped.
pub(crate) struct Proxy {
    bytes_until_cut: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Opens the proxy. When all connections together have sent `cut_after` bytes to Redis, the
    /// proxy cuts the one that sent the last of them. It cuts only one connection.
    pub(crate) async fn open(address: SocketAddr, cut_after: u64) -> Proxy {
        Proxy::start(address, cut_after, Duration::ZERO).await
    }

    /// Opens a proxy that passes on each request after a delay, as a distant Redis would.
    pub(crate) async fn open_slow(address: SocketAddr, delay: Duration) -> Proxy {
        Proxy::start(address, u64::MAX, delay).await
    }

    async fn start(address: SocketAddr, cut_after: u64, delay: Duration) -> Proxy {
        let listener = TcpListener::bind(address).await.unwrap();
        let bytes_until_cut = Arc::new(AtomicU64::new(cut_after));
        let counter = Arc::clone(&bytes_until_cut);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, Arc::clone(&counter), delay));
            }
        });
        Proxy { bytes_until_cut, _tasks: tasks }
    }

    /// Returns true if a connection has been cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.bytes_until_cut.load(Ordering::SeqCst) == 0
    }
}

async fn forward(client: TcpStream, bytes_until_cut: Arc<AtomicU64>, delay: Duration) {
    let url = redis_url();
    let target = url.trim_start_matches("redis://");
    let target = target.rsplit('@').next().unwrap().split('/').next().unwrap();
    let redis = TcpStream::connect(target).await.unwrap();
    client.set_nodelay(true).unwrap();
    redis.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_redis, mut to_redis) = redis.into_split();
    let sending = async {
        let mut bytes = vec![0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            tokio::time::sleep(delay).await;
            let sent = count as u64;
            let before =
                bytes_until_cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |bytes| {
                    Some(bytes.saturating_sub(sent))
                });
            if to_redis.write_all(&bytes[..count]).await.is_err() {
                break;
            }
            if before.is_ok_and(|before| (1..=sent).contains(&before)) {
                break;
            }
        }
    };
    // When one direction ends, both connections are dropped.
    tokio::select! {
        () = sending => {}
        _ = tokio::io::copy(&mut from_redis, &mut to_client) => {}
    }
}
