//! Readiness probes: a question over TCP that a process answers once it is ready.
//!
//! Asking with `redis-cli` or `rabbitmqctl` would start a process each time; `rabbitmqctl` alone
//! takes seconds.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Readiness of a process that listens on a port of 127.0.0.1.
#[derive(Debug, Clone)]
pub struct Probe {
    port: u16,
    question: Vec<u8>,
    /// What an answer must begin with.
    answer: &'static [u8],
    limit: Duration,
}

impl Probe {
    /// Ready when the port accepts connections.
    #[must_use]
    pub fn listens(port: u16) -> Probe {
        Probe { port, question: Vec::new(), answer: b"", limit: Duration::from_secs(10) }
    }

    /// Ready when Redis has loaded its data: until then, it answers `PING` with an error.
    #[must_use]
    pub fn redis(port: u16) -> Probe {
        let question = b"PING\r\n".to_vec();
        Probe { port, question, answer: b"+PONG", limit: Duration::from_secs(60) }
    }

    /// Ready when RabbitMQ opens an AMQP connection with a method frame, which is of type 1.
    #[must_use]
    pub fn rabbitmq(port: u16) -> Probe {
        let question = b"AMQP\x00\x00\x09\x01".to_vec();
        Probe { port, question, answer: b"\x01", limit: Duration::from_secs(90) }
    }

    /// Ready when `GET /readyz` answers 200.
    #[must_use]
    pub fn readyz(port: u16) -> Probe {
        let question =
            format!("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        let question = question.into_bytes();
        Probe { port, question, answer: b"HTTP/1.1 200", limit: Duration::from_secs(60) }
    }

    /// How long a process has to become ready.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Asks once. No answer, a wrong answer and a late answer all mean "not ready".
    pub async fn is_ready(&self) -> bool {
        matches!(timeout(ANSWER_WITHIN, self.ask()).await, Ok(Ok(answer)) if answer == self.answer)
    }

    async fn ask(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(&self.question).await?;
        let mut answer = vec![0; self.answer.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}
