//! The settings of a scheduler.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use domain::settings::duration;
use service::settings::{BrokerSettings, StoreSettings, TelemetrySettings, parse_path};

/// The settings of a scheduler.
#[derive(Debug, Clone, Args)]
pub struct Config {
    #[command(flatten)]
    /// The store.
    pub store: StoreSettings,
    #[command(flatten)]
    /// The broker.
    pub broker: BrokerSettings,
    #[command(flatten)]
    /// Logs, health and metrics.
    pub telemetry: TelemetrySettings,
    /// Lease of the workers; after an interruption, the scheduler waits this long before it ends
    /// leases
    #[arg(long, env = "CAPSTAN_LEASE", default_value = "5s", value_parser = duration)]
    pub lease: Duration,
    /// TOML file of crons, applied at startup; crons that are removed from the file are deleted
    #[arg(long, env = "CAPSTAN_CRONS", value_name = "FILE", value_parser = parse_path)]
    pub crons: Option<PathBuf>,
}

impl Config {
    /// The crons file, if there is one. The empty path is none: Docker Compose passes it for a
    /// variable that is not set.
    pub(crate) fn crons_file(&self) -> Option<&Path> {
        self.crons.as_deref().filter(|path| !path.as_os_str().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Config;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn an_empty_crons_file_setting_means_none() {
        let cli = Cli::try_parse_from(["test", "--crons="]).map_err(|error| error.to_string());
        assert_eq!(cli.map(|cli| cli.config.crons_file().map(ToOwned::to_owned)), Ok(None));
    }
}
