//! Parses the value of a `--timeout` flag.

use std::time::Duration;

use domain::job::{GoDuration, InvalidDuration};

/// Parses a duration such as `90s` or `1h30m`. It must be longer than zero.
pub fn timeout(text: &str) -> Result<Duration, String> {
    let span: GoDuration = text.parse().map_err(|error: InvalidDuration| error.to_string())?;
    span.duration().ok_or_else(|| "it must be longer than zero".to_owned())
}
