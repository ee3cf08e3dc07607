//! The HTTP API of Capstan. It records what clients request and shows what the store holds; it
//! decides nothing about the life of a job and does not speak AMQP.
//!
//! Each layer imports only the layers above it in this list, and no two files import each other:
//!
//! 1. `error`, `settings`, `deadline`, `body`, `http_error`, `words`
//! 2. `metrics`, `auth`, `audit`, `submit`, `bulk`, `events`, `query`, `failures`, `redaction`,
//!    `outage`, `wait_reason`, `waiting`, `load`, `verdict`, `expected_start`, `timeline`,
//!    `stream_lifetime`, `live_pages`
//! 3. `app`: the state that handlers share; `commands`, `job_filter`, `job_search`: what handlers
//!    ask of the store; and `fleet_metrics`
//! 4. `v0`, `v1`, `docs_page`, `web`: the surfaces, which share no code with each other
//! 5. `server`: routes, middleware, connections and background tasks

// The example of a job has more fields than the default limit of `json!`.
#![recursion_limit = "256"]

mod app;
mod audit;
mod auth;
mod body;
mod bulk;
mod commands;
mod deadline;
mod docs_page;
mod error;
mod events;
mod expected_start;
mod failures;
mod fleet_metrics;
#[doc(hidden)]
pub mod fuzzing;
mod http_error;
mod job_filter;
mod job_list;
mod job_search;
mod live_pages;
mod load;
mod metrics;
mod outage;
mod query;
mod redaction;
mod server;
mod settings;
mod signal_link;
mod stream_lifetime;
mod submit;
mod timeline;
mod v0;
mod v1;
mod verdict;
mod wait_reason;
mod waiting;
mod web;
mod words;

pub use server::{RunError, run, run_on};
pub use settings::{Config, Exposure, Hosts, Networks, Origins, RequestRate};
