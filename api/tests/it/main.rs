//! Tests of the API over HTTP: a real server with a real Redis, each test in its own namespace. The
//! variable CAPSTAN_TEST_REDIS_URL is the URL of the Redis; without it the tests fail.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports an error by panicking")]

mod action_configs;
mod api_process;
mod audit;
mod authorization;
mod bulk_cancel;
mod crons;
mod cross_site;
mod deliveries;
mod dependencies;
mod docs_page;
mod env;
mod errors;
mod events;
mod history_settings;
mod hosts;
mod idempotency;
mod job_changes;
mod job_commands;
mod job_details;
mod job_list;
mod limits;
mod locks;
mod logs;
mod openapi;
mod outage;
mod password_secrecy;
mod queues;
mod redis_proxy;
mod redis_server;
mod secret_headers;
mod simulated_worker;
mod socketio;
mod startup;
mod status;
mod stream_tokens;
mod submission;
mod subscriptions;
mod tls;
mod token_files;
mod unreadable;
mod v1;
mod wait_reason;
mod web;
mod workers;
