//! A TCP proxy between the services and a server. Its connections can be cut, delayed and stalled,
//! so services see real network faults and need no hooks for tests.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// The state of the network that the proxy simulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// Data is forwarded.
    Up,
    /// Data is forwarded in both directions after a delay.
    Delayed(Duration),
    /// Connections are closed, including new ones.
    Down,
    /// Nothing is forwarded, and connections stay open.
    Stalled,
}

impl Network {
    fn is_broken(&self) -> bool {
        matches!(self, Network::Down | Network::Stalled)
    }
}

/// A TCP proxy in front of one server.
pub struct Proxy {
    address: SocketAddr,
    failed_connections: Arc<AtomicUsize>,
    network: Arc<watch::Sender<Network>>,
    server: watch::Sender<String>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy in front of a server, given as `host:port`.
    pub async fn new(server: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let network = Arc::new(watch::Sender::new(Network::Up));
        let watched = Arc::clone(&network);
        let failed_connections = Arc::new(AtomicUsize::new(0));
        let failed = Arc::clone(&failed_connections);
        let server = watch::Sender::new(server);
        #[expect(clippy::disallowed_methods, reason = "the proxy owns the task and aborts it")]
        let task = tokio::spawn(serve(listener, server.subscribe(), watched, failed));
        Proxy { address, failed_connections, network, server, task }
    }

    /// Starts a proxy in front of the server of a URL. Returns it with the URL that leads through
    /// it.
    pub async fn in_front_of(url: &str) -> (Proxy, String) {
        let server = server_of(url);
        let proxy = Proxy::new(url[server.clone()].to_owned()).await;
        let (before, after) = (&url[..server.start], &url[server.end..]);
        let through = format!("{before}{}{after}", proxy.address());
        (proxy, through)
    }

    /// Directs new connections to the server of another URL, as a changed DNS name does. Open
    /// connections stay.
    pub fn lead_to(&self, url: &str) {
        self.server.send_replace(url[server_of(url)].to_owned());
    }

    /// The address on which the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of connections that were opened while the network was cut or stalled. It grows as
    /// services notice a fault and try to reconnect.
    #[must_use]
    pub fn failed_connections(&self) -> usize {
        self.failed_connections.load(Ordering::SeqCst)
    }

    /// Closes all connections, and new ones until [`Proxy::restore`].
    pub fn cut(&self) {
        self.network.send_replace(Network::Down);
    }

    /// Delays all data in both directions until [`Proxy::restore`].
    pub fn delay(&self, delay: Duration) {
        self.network.send_replace(Network::Delayed(delay));
    }

    /// Stalls all connections, and new ones until [`Proxy::restore`], as when a machine loses
    /// power. Stalled connections stay dead afterwards: a rebooted machine does not know them.
    pub fn stall(&self) {
        self.network.send_replace(Network::Stalled);
    }

    /// Forwards data and accepts connections again.
    pub fn restore(&self) {
        self.network.send_replace(Network::Up);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns where `host:port` stands in a URL.
fn server_of(url: &str) -> Range<usize> {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let start = after_scheme + url[after_scheme..].find('@').map_or(0, |at| at + 1);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    start..end
}

async fn serve(
    listener: TcpListener,
    server: watch::Receiver<String>,
    network: Arc<watch::Sender<Network>>,
    failed: Arc<AtomicUsize>,
) {
    let mut pairs = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let (server, mut network) = (server.borrow().clone(), network.subscribe());
        if network.borrow().is_broken() {
            failed.fetch_add(1, Ordering::SeqCst);
        }
        pairs.spawn(async move {
            let now = *network.borrow_and_update();
            match now {
                Network::Down => return,
                Network::Stalled => std::future::pending().await,
                Network::Up | Network::Delayed(_) => {}
            }
            let Ok(upstream) = TcpStream::connect(server).await else { return };
            forward(client, upstream, network).await;
        });
        while pairs.try_join_next().is_some() {}
    }
}

async fn forward(
    mut client: TcpStream,
    mut upstream: TcpStream,
    mut network: watch::Receiver<Network>,
) {
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_upstream, to_upstream) = upstream.split();
        let (there, back) = (network.clone(), network.clone());
        tokio::select! {
            biased;
            Ok(network) = network.wait_for(Network::is_broken) => *network,
            _ = async {
                tokio::try_join!(
                    one_way(from_client, to_upstream, there),
                    one_way(from_upstream, to_client, back),
                )
            } => Network::Down,
        }
    };
    if ended == Network::Stalled {
        // Keeps both sockets open, so neither end notices.
        std::future::pending::<()>().await;
    }
}

/// Forwards one direction until it ends. Data that was read together is written together, after the
/// delay.
async fn one_way(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    network: watch::Receiver<Network>,
) -> io::Result<()> {
    // Bounded, so a receiver that does not read slows the sender down, as without a proxy.
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let reading = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from.read(&mut buffer).await?;
            let some = (Instant::now(), buffer[..count].to_vec());
            if count == 0 || sender.send(some).await.is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((read_at, bytes)) = receiver.recv().await {
            let delay = match *network.borrow() {
                Network::Delayed(delay) => delay,
                Network::Up | Network::Down | Network::Stalled => Duration::ZERO,
            };
            if delay > Duration::ZERO {
                tokio::time::sleep_until(read_at + delay).await;
            }
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_| ())
}
