//! A way to Redis that can be opened late and cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::env::redis_url;

/// Leads connections on an address to the Redis of the tests, until it is dropped.
pub(crate) struct Proxy {
    left: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Cuts the connection over which, all together, more than `cut_after` bytes have gone to
    /// Redis; once.
    pub(crate) async fn open(address: SocketAddr, cut_after: u64) -> Proxy {
        let listener = TcpListener::bind(address).await.unwrap();
        let left = Arc::new(AtomicU64::new(cut_after));
        let leading = Arc::clone(&left);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(lead(client, Arc::clone(&leading)));
            }
        });
        Proxy { left, _tasks: tasks }
    }

    /// True when the connection has been cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

async fn lead(client: TcpStream, left: Arc<AtomicU64>) {
    let url = redis_url();
    let target = url.trim_start_matches("redis://");
    let target = target.rsplit('@').next().unwrap().split('/').next().unwrap();
    let redis = TcpStream::connect(target).await.unwrap();
    client.set_nodelay(true).unwrap();
    redis.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_redis, mut to_redis) = redis.into_split();
    let asking = async {
        let mut bytes = vec![0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            let sent = count as u64;
            let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(sent))
            });
            if to_redis.write_all(&bytes[..count]).await.is_err() {
                break;
            }
            if before.is_ok_and(|before| (1..=sent).contains(&before)) {
                break;
            }
        }
    };
    // Either end takes the other with it: both halves are dropped.
    tokio::select! {
        () = asking => {}
        _ = tokio::io::copy(&mut from_redis, &mut to_client) => {}
    }
}
