//! A line between the services and a server that can be cut and held, so that outages are real to the services
//! and no production code has a hook for them.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How the line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Line {
    /// Connections are ended, new ones too.
    cut: bool,
    /// How often the connections of the time were hung.
    hangs: u32,
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
        let line = Arc::new(watch::Sender::new(Line::default()));
        let watched = Arc::clone(&line);
        #[expect(clippy::disallowed_methods, reason = "the proxy owns the task and aborts it")]
        let task = tokio::spawn(serve(listener, server, watched));
        Proxy { address, line, task }
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection, and every new one until [`Proxy::mend`].
    pub fn cut(&self) {
        self.line.send_modify(|line| line.cut = true);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.line.send_modify(|line| line.cut = false);
    }

    /// From now on the connections that are open carry nothing, and nobody is told: as when the machine at the other
    /// end has vanished. New ones are as ever.
    pub fn hang(&self) {
        self.line.send_modify(|line| line.hangs += 1);
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
            if line.borrow_and_update().cut {
                return;
            }
            let Ok(upstream) = TcpStream::connect(server).await else { return };
            carry(client, upstream, line).await;
        });
        while pairs.try_join_next().is_some() {}
    }
}

async fn carry(mut client: TcpStream, mut upstream: TcpStream, line: watch::Receiver<Line>) {
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let hangs = line.borrow().hangs;
    let changed = line.clone();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => return,
        () = until(changed, |line| line.cut || line.hangs != hangs) => {}
    }
    until(line, |line| line.cut).await;
}

async fn until(mut line: watch::Receiver<Line>, condition: impl FnMut(&Line) -> bool) {
    let _ = line.wait_for(condition).await;
}
