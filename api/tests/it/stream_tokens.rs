//! Streams end with the token that allowed them, and a client that has vanished is noticed.

use std::net::SocketAddr;

use domain::access_tokens::Role;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::env::{TIMEOUT, TestEnv, eventually, id_of, send, with_env};
use crate::token_files::{Tokens, with_tokens};

/// Opens a stream of the v0 surface.
async fn open(env: &TestEnv, path: &str, token: &str) -> Response {
    let response = env.request_as("GET", path, token).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response
}

/// Reads a stream to its end, and returns its text.
async fn read_to_end(response: Response) -> String {
    tokio::time::timeout(TIMEOUT, response.text()).await.expect("the stream ends").unwrap()
}

/// Waits until the API no longer accepts a token.
async fn revoke(env: &TestEnv, tokens: &Tokens, role: Role) {
    let others = tokens.lines.iter().filter(|line| !line.contains(role.as_str()));
    tokens.write(&others.cloned().collect::<Vec<_>>());
    let status = async || env.send_as("GET", "/jobs", tokens.of(role)).await.status;
    eventually(status, |status| *status == 401).await;
}

async fn submit(env: &TestEnv, tokens: &Tokens) -> Value {
    let request = env.request_as("POST", "/jobs", tokens.of(Role::Admin));
    send(request.json(&json!({"action": "noop"}))).await.json()
}

#[tokio::test]
async fn streams_end_when_their_token_is_deleted() {
    with_tokens(async |env, tokens| {
        let (viewer, operator) = (tokens.of(Role::Viewer), tokens.of(Role::Operator));
        let logs = format!("/jobs/{}/logs?stream=true", id_of(&submit(env, tokens).await));
        let events = open(env, "/events", viewer).await;
        let lines = open(env, &logs, viewer).await;
        let request = env.request_as("GET", &logs, viewer).header("accept", "text/event-stream");
        let log_events = request.send().await.unwrap();
        let mut other = open(env, "/events", operator).await;

        revoke(env, tokens, Role::Viewer).await;
        for stream in [events, lines, log_events] {
            let text = read_to_end(stream).await;
            // The job has not ended, so neither has its log.
            assert!(!text.contains("data") && !text.contains("end"), "{text}");
        }
        submit(env, tokens).await;
        let mut text = String::new();
        while !text.contains("event: job") {
            let chunk = tokio::time::timeout(TIMEOUT, other.chunk()).await.unwrap();
            text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
        }
    })
    .await;
}

/// A Socket.IO client over a WebSocket.
struct Socket(TcpStream);

impl Socket {
    async fn connected(env: &TestEnv, token: &str) -> Socket {
        let address = env.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /socket.io/?EIO=4&transport=websocket&jwt={token} HTTP/1.1\r\nhost: {address}\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(connection.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        let mut socket = Socket(connection);
        assert!(socket.packet().await.starts_with('0'));
        socket.send("40").await;
        assert!(socket.packet().await.starts_with("40{"));
        socket
    }

    /// Sends a text of at most 125 bytes.
    async fn send(&mut self, text: &str) {
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }

    /// Returns the next text that is not a ping.
    async fn packet(&mut self) -> String {
        loop {
            let reading = async {
                let mut head = [0; 2];
                self.0.read_exact(&mut head).await.unwrap();
                assert!(head[1] < 126, "a short frame");
                let mut text = vec![0; head[1].into()];
                self.0.read_exact(&mut text).await.unwrap();
                String::from_utf8(text).unwrap()
            };
            match tokio::time::timeout(TIMEOUT, reading).await.expect("a packet") {
                ping if ping == "2" => self.send("3").await,
                packet => return packet,
            }
        }
    }
}

#[tokio::test]
async fn a_socket_is_disconnected_when_its_token_is_deleted() {
    with_tokens(async |env, tokens| {
        let mut other = Socket::connected(env, tokens.of(Role::Admin)).await;
        let mut socket = Socket::connected(env, tokens.of(Role::Viewer)).await;
        revoke(env, tokens, Role::Viewer).await;
        assert_eq!(socket.packet().await, "41");
        // The connection itself does not let it in again.
        socket.send("40").await;
        let refused = socket.packet().await;
        assert!(refused.starts_with(r#"44{"message":"the token has been deleted"#), "{refused}");
        other.send(r#"421["events",{"update":"job"}]"#).await;
        assert_eq!(other.packet().await, "431[null]");
    })
    .await;
}

#[tokio::test]
async fn an_empty_line_keeps_an_idle_log_stream_open() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        let url = env.at(&format!("/jobs/{id}/logs?stream=true"));
        let mut response = env.client.get(url).timeout(TIMEOUT * 3).send().await.unwrap();
        let chunk = tokio::time::timeout(TIMEOUT, response.chunk()).await;
        assert_eq!(&chunk.expect("a line").unwrap().unwrap()[..], b"\n");
    })
    .await;
}

/// Returns which timer the system has set for a connection of this process: 2 is the one that
/// probes whether its peer is still there.
#[cfg(target_os = "linux")]
fn timer(local: SocketAddr, remote: SocketAddr) -> String {
    let hex = |address: SocketAddr| match address {
        SocketAddr::V4(address) => {
            let ip = u32::from_ne_bytes(address.ip().octets());
            format!("{ip:08X}:{:04X}", address.port())
        }
        SocketAddr::V6(_) => unreachable!("the tests use IPv4"),
    };
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1] == hex(local) && row[2] == hex(remote));
    row.map(|row| row[5].chars().take(2).collect()).unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_probes_whether_the_client_of_a_stream_is_still_there() {
    with_env(async |env| {
        let address: SocketAddr = env.url.trim_start_matches("http://").parse().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /api/v0/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 15];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let own = client.local_addr().unwrap();
        eventually(async || timer(address, own), |timer| timer == "02").await;
    })
    .await;
}
