//! The attacks. Each is what one connection does; when it is closed, the next one repeats it.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::target::Target;

/// An attack.
pub(crate) struct Attack {
    /// The name, for the report.
    pub(crate) name: &'static str,
    /// The number of connections; `None` for the number on the command line.
    pub(crate) connections: Option<usize>,
    /// The number of addresses that the connections come from.
    addresses: usize,
    script: Script,
}

type Script = for<'a> fn(&'a Target, &'a mut TcpStream) -> BoxFuture<'a, io::Result<()>>;

macro_rules! attacks {
    ($($name:literal $connections:tt from $addresses:literal: $script:ident;)*) => {
        /// All attacks.
        pub(crate) const ATTACKS: &[Attack] = &[$(Attack {
            name: $name,
            connections: attacks!(@ $connections),
            addresses: $addresses,
            script: |target, connection| Box::pin($script(target, connection)),
        }),*];
    };
    (@ all) => { None };
    (@ $count:literal) => { Some($count) };
}

attacks! {
    "none" 0 from 1: slow_head;
    "slow heads" all from 10: slow_head;
    "slow bodies" all from 10: slow_body;
    "never reading" all from 10: never_reading;
    "endless chunks" 200 from 10: endless_chunks;
    "too large" 100 from 10: too_large;
    "full batches" 40 from 10: full_batch;
    "nested" 100 from 10: nested;
    "header size" 100 from 10: header_size;
    "header count" 100 from 10: header_count;
    "invalid UTF-8" 100 from 10: invalid_utf8;
    "large pages unread" 300 from 10: large_page_unread;
    "large pages read" 40 from 10: large_page_read;
    "batches unread" 40 from 10: batch_unread;
    "events unread" 300 from 10: events_unread;
    "logs unread" 300 from 10: logs_unread;
    "websockets unread" 300 from 10: websockets_unread;
    "pipelined" 20 from 10: pipelined;
    "bad tokens" 20 from 10: bad_tokens;
}

/// The pause before a connection is replaced.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

impl Attack {
    /// Repeats the attack on one connection after the other until the future is dropped.
    pub(crate) fn repeat(
        &self,
        target: Target,
        index: usize,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (from, script) = ([127, 0, 2, 1 + (index % self.addresses) as u8], self.script);
        async move {
            loop {
                if let Ok(mut connection) = target.connect_from(from).await {
                    let _ = script(&target, &mut connection).await;
                }
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }
}

async fn send(connection: &mut TcpStream, text: &str) -> io::Result<()> {
    connection.write_all(text.as_bytes()).await
}

/// Waits until the API closes the connection, without reading from it.
async fn wait_for_end(connection: &mut TcpStream) -> io::Result<()> {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        connection.take_error()?.map_or(Ok(()), Err)?;
    }
}

/// Reads until the API closes the connection.
async fn read_all(connection: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    while connection.read(&mut bytes).await? > 0 {}
    Ok(())
}

async fn drip(connection: &mut TcpStream, byte: &str) -> io::Result<()> {
    let mut bytes = [0; 64];
    loop {
        tokio::select! {
            read = connection.read(&mut bytes) => if read? == 0 { return Ok(()) },
            () = tokio::time::sleep(Duration::from_secs(2)) => send(connection, byte).await?,
        }
    }
}

async fn slow_head(_: &Target, connection: &mut TcpStream) -> io::Result<()> {
    send(connection, "GET /api/v0/jobs HTTP/1.1\r\nhost: a").await?;
    drip(connection, "a").await
}

async fn slow_body(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    send(connection, &target.head("POST", "/api/v0/jobs", "content-length: 9999\r\n")).await?;
    drip(connection, " ").await
}

async fn never_reading(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let head = target.head("GET", "/api/v0/jobs?limit=1000", "");
    for _ in 0..20 {
        send(connection, &head).await?;
    }
    wait_for_end(connection).await
}

async fn endless_chunks(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let chunked = "transfer-encoding: chunked\r\n";
    send(connection, &target.head("POST", "/api/v0/jobs/batch", chunked)).await?;
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    loop {
        send(connection, &chunk).await?;
    }
}

async fn post(target: &Target, to: &mut TcpStream, path: &str, body: &[u8]) -> io::Result<()> {
    let length = format!("connection: close\r\ncontent-length: {}\r\n", body.len());
    send(to, &target.head("POST", path, &length)).await?;
    to.write_all(body).await?;
    read_all(to).await
}

async fn too_large(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    post(target, connection, "/api/v0/jobs/batch", &vec![b' '; 11 << 20]).await
}

/// A batch with as many values as allowed, of which the last is invalid.
async fn full_batch(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let some = format!(r#"{{"action":"a","parameters":{{"a":[0{}]}}}},"#, ",0".repeat(30_000));
    let body = format!(r#"{{"jobs":[{}{{}}]}}"#, some.repeat(170));
    post(target, connection, "/api/v0/jobs/batch", body.as_bytes()).await
}

async fn nested(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let body = format!(r#"{{"action":"a","parameters":{{"a":{deep}}}}}"#);
    post(target, connection, "/api/v0/jobs", body.as_bytes()).await
}

async fn header_size(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let long = format!("x: {}\r\n", "a".repeat(1 << 20));
    send(connection, &target.head("GET", "/api/v0/jobs", &long)).await?;
    read_all(connection).await
}

async fn header_count(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let many: String = (0..10_000).map(|at| format!("x{at}: a\r\n")).collect();
    send(connection, &target.head("GET", "/api/v0/jobs", &many)).await?;
    read_all(connection).await
}

async fn invalid_utf8(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let head = target.head("GET", "/api/v0/jobs/%ff%fe?action=%c3%28", "x: ?\r\n");
    let raw: Vec<u8> = head.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    send(connection, &head).await?;
    connection.write_all(&raw).await?;
    post(target, connection, "/api/v0/jobs", b"{\"action\": \"\xff\xfe\"}").await
}

/// The oldest jobs are the large ones.
const LARGE_PAGE: &str = "/api/v0/jobs?limit=1000&sort=scheduledAt";

async fn large_page_unread(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    send(connection, &target.head("GET", LARGE_PAGE, "")).await?;
    wait_for_end(connection).await
}

async fn large_page_read(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    send(connection, &target.head("GET", LARGE_PAGE, "connection: close\r\n")).await?;
    read_all(connection).await
}

/// The answer to a batch is larger than the batch.
async fn batch_unread(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let body =
        format!(r#"{{"jobs":[{{"action":"noop"}}{}]}}"#, r#",{"action":"noop"}"#.repeat(4999));
    let length = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    send(connection, &target.head("POST", "/api/v0/jobs/batch", &length)).await?;
    connection.write_all(body.as_bytes()).await?;
    wait_for_end(connection).await
}

async fn events_unread(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    send(connection, &target.head("GET", "/api/v0/events?kind=job", "last-event-id: 0-1\r\n"))
        .await?;
    wait_for_end(connection).await
}

async fn logs_unread(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let path = format!("/api/v0/jobs/{}/logs?stream=true", target.job());
    send(connection, &target.head("GET", &path, "")).await?;
    wait_for_end(connection).await
}

async fn websockets_unread(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    send(connection, &target.head("GET", "/socket.io/?EIO=4&transport=websocket", upgrade)).await?;
    wait_for_end(connection).await
}

async fn pipelined(target: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let heads = target.head("GET", "/api/v0/jobs?limit=1", "").repeat(1000);
    let (mut from, mut to) = connection.split();
    let mut bytes = [0; 65536];
    let reading = async {
        while from.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    tokio::try_join!(to.write_all(heads.as_bytes()), reading).map(drop)
}

/// All connections together send about one wrong token per millisecond.
async fn bad_tokens(_: &Target, connection: &mut TcpStream) -> io::Result<()> {
    let head = "GET /api/v0/jobs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer capstan_no\r\n\r\n";
    let mut bytes = [0; 4096];
    loop {
        send(connection, head).await?;
        if connection.read(&mut bytes).await? == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(18)).await;
    }
}
