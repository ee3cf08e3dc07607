//! A well-behaved client: lists ten jobs, pauses, and repeats, alternately on a persistent
//! connection and on a new one.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::target::Target;

/// An address that no attack comes from.
const ADDRESS: [u8; 4] = [127, 0, 9, 9];
const PAUSE: Duration = Duration::from_millis(5);
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The client and its measurements.
#[derive(Default)]
pub(crate) struct WellBehavedClient {
    /// Latencies on the persistent connection.
    pub(crate) persistent: Latencies,
    /// Latencies on new connections.
    pub(crate) new: Latencies,
    /// Requests that were not answered with 200.
    pub(crate) failed: usize,
    connection: Option<TcpStream>,
}

#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl WellBehavedClient {
    /// Sends one request on each kind of connection.
    pub(crate) async fn list_jobs(&mut self, target: &Target) {
        let began = Instant::now();
        let mut connection = self.connection.take();
        match request(target, &mut connection, "").await {
            Ok(()) => {
                self.persistent.0.push(began.elapsed());
                self.connection = connection;
            }
            Err(_) => self.failed += 1,
        }
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        match request(target, &mut None, "connection: close\r\n").await {
            Ok(()) => self.new.0.push(began.elapsed()),
            Err(_) => self.failed += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn request(
    target: &Target,
    connection: &mut Option<TcpStream>,
    headers: &str,
) -> io::Result<()> {
    let exchange = async {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => target.connect_from(ADDRESS).await?,
        };
        stream.write_all(target.head_of_client("/api/v0/jobs", headers).as_bytes()).await?;
        read_response(&mut stream).await?;
        *connection = Some(stream);
        Ok(())
    };
    tokio::time::timeout(REQUEST_LIMIT, exchange).await?
}

/// Reads a response with a `content-length`.
async fn read_response(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if !head.starts_with("HTTP/1.1 200") {
                return Err(io::Error::other(head.to_owned()));
            }
            if body.len() >= length {
                return Ok(());
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

impl fmt::Display for Latencies {
    /// The median, the 99th percentile and the maximum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().saturating_sub(1);
        let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(last));
        let ms = |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
        write!(f, "{:.1}/{:.1}/{:.1}ms", ms(at(50)), ms(at(99)), ms(at(100)))
    }
}
