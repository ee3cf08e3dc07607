//! What `capstan` can be told, and the help for it. Each command's own arguments stand beside its
//! code.

use clap::{Parser, Subcommand};
use reqwest::Url;

use crate::access::Access;
use crate::actions::ActionsCommand;
use crate::bench::BenchArguments;
use crate::crons::CronsCommand;
use crate::demo::DemoArguments;
use crate::health::HealthArguments;
use crate::init::InitArguments;
use crate::jobs::JobsCommand;
use crate::locks::LocksCommand;
use crate::queues::QueuesCommand;
use crate::settings::SettingsCommand;
use crate::subscriptions::SubscriptionsCommand;
use crate::token::TokenCommand;
use crate::workers::WorkersArguments;

const EXIT_CODES: &str = "\
Exit codes:
  0  well
  1  a job ended otherwise than done; or the command itself failed
  2  the command line is wrong
  3  the API refused; its message and the field are printed
  4  the API is unreachable or unavailable
  5  a wait timed out";

/// Background jobs on a fleet of workers
#[derive(Debug, Parser)]
#[command(name = "capstan", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Arguments {
    /// Where the API is, as http://host:port or https://host:port
    #[arg(
        long,
        env = "CAPSTAN_API",
        default_value = "http://127.0.0.1:8080",
        hide_env_values = true,
        value_name = "URL",
        value_parser = api_url,
        global = true
    )]
    pub(crate) api: Url,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Submit jobs, look at them, read their logs, wait for their end, change, cancel, delete, retry
    /// them
    #[command(subcommand, after_help = EXIT_CODES)]
    Jobs(JobsCommand),
    /// Set crons, see when they fire and what they did, run and pause them
    #[command(subcommand, after_help = EXIT_CODES)]
    Crons(CronsCommand),
    /// Set what jobs of an action have unless they say otherwise
    #[command(subcommand, after_help = EXIT_CODES)]
    Actions(ActionsCommand),
    /// List the workers; drain them, resume them, change what they offer
    #[command(after_help = EXIT_CODES)]
    Workers(WorkersArguments),
    /// List locks, who holds them and who waits; set how many permits one has, clear one
    #[command(subcommand, after_help = EXIT_CODES)]
    Locks(LocksCommand),
    /// List queues and what there is in each; pause classes of jobs, resume them
    #[command(subcommand, after_help = EXIT_CODES)]
    Queues(QueuesCommand),
    /// Set who is told of events over HTTP, see how that goes, try it
    #[command(subcommand, after_help = EXIT_CODES)]
    Subscriptions(SubscriptionsCommand),
    /// Show and change how much of what is over is kept
    #[command(subcommand, after_help = EXIT_CODES)]
    Settings(SettingsCommand),
    /// Make, list, delete the tokens that the API asks for, in their file
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make what a first start needs: a token for its admin, passwords for the broker and the store
    Init(InitArguments),
    /// Ask a health address; exits 0 when it answers 2xx, otherwise prints why not and exits 1
    Health(HealthArguments),
    /// Show a registry's jobs on a fleet that knows them, as after `./dev up`, and judge them
    #[command(after_help = EXIT_CODES)]
    Demo(DemoArguments),
    /// Measure the fleet with jobs that do nothing; it should have nothing else to do
    #[command(after_help = EXIT_CODES)]
    Bench(BenchArguments),
}

fn api_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err("it must be like http://127.0.0.1:8080".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_address_of_the_api_must_be_one() {
        for text in ["http://127.0.0.1:8080", "https://api", "http://me:token@api:80/behind/"] {
            assert!(api_url(text).is_ok(), "{text}");
        }
        for text in ["", "127.0.0.1:8080", "localhost:8080", "ftp://api", "http://"] {
            assert!(api_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_address_may_stand_before_and_behind_the_command() {
        for line in [
            ["capstan", "bench", "raw", "--api", "http://there:1"],
            ["capstan", "bench", "--api", "http://there:1", "raw"],
            ["capstan", "--api", "http://there:1", "bench", "raw"],
        ] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert_eq!(arguments.api.as_str(), "http://there:1/", "{line:?}");
        }
    }
}
