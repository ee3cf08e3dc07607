//! A line between the services and a server that can be cut, slowed and left hanging, so that outages are real
//! to the services and no production code has a hook for them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// How the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// All goes through.
    Open,
    /// All goes through, so much later in each direction.
    Slow(Duration),
    /// Connections are ended, new ones too.
    Cut,
    /// Nothing goes through and nobody is told: connections stay open and are dead for ever.
    Hung,
}

/// A TCP proxy in front of one server.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of `server`, `host:port`.
    pub async fn new(server: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let line = Arc::new(watch::Sender::new(Line::Open));
        let watched = Arc::clone(&line);
        #[expect(clippy::disallowed_methods, reason = "the proxy owns the task and aborts it")]
        let task = tokio::spawn(serve(listener, server, watched));
        Proxy { address, line, task }
    }

    /// A proxy in front of the server of this URL, and the URL that leads through it.
    pub async fn before(url: &str) -> (Proxy, String) {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let rest = &url[after_scheme..];
        let start = after_scheme + rest.find('@').map_or(0, |at| at + 1);
        let end = url[start..].find('/').map_or(url.len(), |at| start + at);
        let proxy = Proxy::new(url[start..end].to_owned()).await;
        let through = format!("{}{}{}", &url[..start], proxy.address(), &url[end..]);
        (proxy, through)
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection, and every new one until [`Proxy::mend`].
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// Lets what is sent arrive so much later, until [`Proxy::mend`].
    pub fn slow(&self, delay: Duration) {
        self.line.send_replace(Line::Slow(delay));
    }

    /// Lets every connection hang, and every new one until [`Proxy::mend`]: as when a machine vanishes without a
    /// word. Those that hang stay dead after that, as a new machine knows nothing of the old one's connections.
    pub fn hang(&self) {
        self.line.send_replace(Line::Hung);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.line.send_replace(Line::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, server: String, line: Arc<watch::Sender<Line>>) {
    let mut pairs = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let (server, mut line) = (server.clone(), line.subscribe());
        pairs.spawn(async move {
            let now = *line.borrow_and_update();
            match now {
                Line::Cut => return,
                Line::Hung => std::future::pending().await,
                Line::Open | Line::Slow(_) => {}
            }
            let Ok(upstream) = TcpStream::connect(server).await else { return };
            carry(client, upstream, line).await;
        });
        while pairs.try_join_next().is_some() {}
    }
}

async fn carry(mut client: TcpStream, mut upstream: TcpStream, mut line: watch::Receiver<Line>) {
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_upstream, to_upstream) = upstream.split();
        let (there, back) = (line.clone(), line.clone());
        tokio::select! {
            biased;
            Ok(line) = line.wait_for(|line| matches!(line, Line::Cut | Line::Hung)) => *line,
            _ = async {
                tokio::try_join!(
                    one_way(from_client, to_upstream, there),
                    one_way(from_upstream, to_client, back),
                )
            } => Line::Cut,
        }
    };
    if ended == Line::Hung {
        // With both sockets open: neither end hears of it.
        std::future::pending::<()>().await;
    }
}

/// Carries one direction to its end. What was read together arrives together, later by the line's delay.
async fn one_way(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    line: watch::Receiver<Line>,
) -> io::Result<()> {
    // Bounded, so that a receiver that does not read makes the sender wait, as without a proxy.
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
            let delay = match *line.borrow() {
                Line::Slow(delay) => delay,
                Line::Open | Line::Cut | Line::Hung => Duration::ZERO,
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
