//! The API as its clients meet it: a really bound server over a real Redis, each test in a
//! namespace of its own. Redis is the one of CAPSTAN_TEST_REDIS_URL; without it the tests fail,
//! they do not skip.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

mod action_configs;
mod audit;
mod auth;
mod away;
mod change;
mod commands;
mod crons;
mod docs;
mod events;
mod fleet;
mod house;
mod jobs;
mod keys;
mod limits;
mod list;
mod locks;
mod logs;
mod many;
mod page;
mod process;
mod proxy;
mod queues;
mod redis;
mod refusals;
mod relations;
mod secrets;
mod service;
mod settings;
mod socket;
mod submit;
mod subscriptions;
mod tls;
mod tokens;
mod v1;
mod waiting;
mod workers;
