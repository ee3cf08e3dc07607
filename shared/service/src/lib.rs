//! What every service binary needs: threads, settings, logging, health, the admin listener,
//! shutdown, the exit code, and files that are read again when they change. Imports `domain`,
//! `store` and `broker`.

pub mod admin;
pub mod exit;
pub mod health;
pub mod logging;
pub mod runtime;
pub mod settings;
pub mod shutdown;
pub mod watched_files;
