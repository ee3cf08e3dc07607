//! The crontab parser against another implementation and a table of known firings.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cron_oracle;
