//! Logging to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, TelemetrySettings};

/// Starts to log events that pass the filter. Call once, from `main`: the log is global to the
/// process.
pub fn start_logging(settings: &TelemetrySettings) -> Result<(), String> {
    let filter = &settings.log;
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("invalid CAPSTAN_LOG: {filter:?} is not a log filter: {error}"))?;
    // lapin logs every closed channel as an error; Capstan logs those that matter.
    let quiet = ["lapin=off", "redis=warn"].into_iter().filter_map(|rule| rule.parse().ok());
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
    };
    started.map_err(|error| format!("cannot start logging: {error}"))
}
