//! Logging to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts to log events that pass the filter. Call once, from `main`: the log is global to the
/// process.
pub fn start_logging(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("invalid CAPSTAN_LOG: {filter:?} is not a log filter: {error}"))?;
    // lapin logs every closed channel as an error; Capstan logs those that matter.
    let quiet = ["lapin=off", "redis=warn"].into_iter().filter_map(|rule| rule.parse().ok());
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    started.map_err(|error| format!("cannot start logging: {error}"))
}
