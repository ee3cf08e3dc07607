//! Values of settings: how an invalid one is reported, and the forms that several programs share.

use std::fmt;
use std::time::Duration;

use crate::time::{GoDuration, InvalidDuration};

/// A setting has an invalid value. Never shows a URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("invalid {setting}: {reason}")]
pub struct InvalidSetting {
    setting: &'static str,
    reason: String,
}

impl InvalidSetting {
    /// Names the setting as its environment variable, and the reason.
    pub fn new(setting: &'static str, reason: impl fmt::Display) -> InvalidSetting {
        InvalidSetting { setting, reason: reason.to_string() }
    }
}

/// Parses a duration in Go syntax, such as `90s` or `1h30m`; zero and the empty text are errors.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error: InvalidDuration| error.to_string())?;
    duration.duration().ok_or_else(|| "the duration must be longer than zero".to_owned())
}
