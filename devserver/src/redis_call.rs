//! Calls of a private Redis on this machine, whose answers are compared as text.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Returns the answer to a command that is answered with one text. `None` if there is none in time.
pub(crate) async fn call(port: u16, command: &str) -> Option<String> {
    let asking = async {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.ok()?);
        stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
        let mut head = String::new();
        stream.read_line(&mut head).await.ok()?;
        let Some(length) = head.strip_prefix('$') else { return Some(head) };
        let mut text = vec![0; length.trim().parse().ok()?];
        stream.read_exact(&mut text).await.ok()?;
        String::from_utf8(text).ok()
    };
    timeout(ANSWER_WITHIN, asking).await.ok()?
}
