//! The API as its clients meet it: a really bound server over a real Redis, each test in a
//! namespace of its own. Redis is the one of CAPSTAN_TEST_REDIS_URL; without it the tests fail, they do not
//! skip.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

mod audit;
mod auth;
mod away;
mod commands;
mod crons;
mod docs;
mod fleet;
mod house;
mod jobs;
mod keys;
mod limits;
mod list;
mod logs;
mod many;
mod process;
mod proxy;
mod redis;
mod refusals;
mod secrets;
mod service;
mod settings;
mod submit;
mod tls;
mod tokens;
mod workers;
