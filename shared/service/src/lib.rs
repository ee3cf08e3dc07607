//! What every service binary needs: settings, logs, health, metrics, shutdown. Imports `domain`, `store` and `broker`.

pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod watched_files;
