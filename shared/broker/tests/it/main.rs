//! The broker on a real RabbitMQ: queues, offers, TLS and passwords.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod queues;
mod tls;
