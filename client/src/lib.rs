//! The HTTP client of Capstan's API v0, the wire types it reads, and what the command-line
//! programs over it share.
//!
//! From the bottom up: [`wire`] and [`ClientError`] ← [`ApiClient`] ← [`ConnectionOptions`] and
//! [`wait_for_jobs`] ← [`command`]. Of the workspace it imports only the domain: it knows neither
//! Redis, RabbitMQ nor the API's own types.

mod api_client;
pub mod command;
mod connection_options;
mod error;
mod escape;
mod http;
mod wait;
pub mod wire;

pub use api_client::{ApiClient, Page, Query};
pub use connection_options::ConnectionOptions;
pub use error::{ClientError, Refusal};
pub use escape::{escape, escape_json, escape_lines};
pub use http::http_client;
pub use reqwest::header::HeaderValue;
pub use wait::{API_OUTAGE_LIMIT, FinishedJob, wait_for_jobs};
