//! Actions as jobs meet them: real workers, real Redis and RabbitMQ, real processes, looked at from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod commands;
mod deliveries;
mod examples;
mod family;
mod killed;
mod library;
mod limits;
mod logs;
mod progress;
mod services;
mod webhooks;
mod world;
