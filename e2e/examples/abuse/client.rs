//! Somebody who behaves: asks for ten jobs, waits a little, asks again; in turn on one connection, which is kept, and on
//! new ones.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::target::Target;

/// Where nobody else comes from.
const FROM: [u8; 4] = [127, 0, 9, 9];
const PAUSE: Duration = Duration::from_millis(5);
/// Nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has come of it so far.
#[derive(Default)]
pub(crate) struct Behaved {
    /// How long an answer took on the connection that is kept.
    pub(crate) kept: Took,
    /// How long it took on a new one.
    pub(crate) new: Took,
    /// What was not answered, or with something else than 200.
    pub(crate) failed: usize,
    connection: Option<TcpStream>,
}

/// Lengths of time.
#[derive(Default)]
pub(crate) struct Took(Vec<Duration>);

impl Behaved {
    /// Asks once on each.
    pub(crate) async fn ask(&mut self, target: &Target) {
        let begin = Instant::now();
        let mut kept = self.connection.take();
        match asked(target, &mut kept, "").await {
            Ok(()) => {
                self.kept.0.push(begin.elapsed());
                self.connection = kept;
            }
            Err(_) => self.failed += 1,
        }
        tokio::time::sleep(PAUSE).await;
        let begin = Instant::now();
        match asked(target, &mut None, "connection: close\r\n").await {
            Ok(()) => self.new.0.push(begin.elapsed()),
            Err(_) => self.failed += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn asked(target: &Target, connection: &mut Option<TcpStream>, more: &str) -> io::Result<()> {
    let asking = async {
        let mut here = match connection.take() {
            Some(here) => here,
            None => target.connect(FROM).await?,
        };
        here.write_all(target.head("GET", "/api/v0/jobs", more).as_bytes()).await?;
        answered(&mut here).await?;
        *connection = Some(here);
        Ok(())
    };
    tokio::time::timeout(PATIENCE, asking).await?
}

/// Reads one answer that says how long it is.
async fn answered(connection: &mut TcpStream) -> io::Result<()> {
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
        if connection.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

impl fmt::Display for Took {
    /// The median, the 99th of a hundred, the largest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.0.clone();
        all.sort();
        let at = |part: usize| all.get((all.len() * part / 100).min(all.len().saturating_sub(1)));
        let ms = |took: Option<&Duration>| took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
        write!(f, "{:.1}/{:.1}/{:.1}ms", ms(at(50)), ms(at(99)), ms(at(100)))
    }
}
