//! Calls of a private Redis on this machine, whose answers are compared as text.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Returns the answer to a command, as the protocol has it. `None` if there is none in time.
pub(crate) async fn call(port: u16, command: &str) -> Option<String> {
    let asking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    timeout(ANSWER_WITHIN, asking).await.ok()?
}
