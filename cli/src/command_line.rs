//! The top level of the command line. Each command's arguments are defined beside its code.

use clap::{Parser, Subcommand};
use client::ConnectionOptions;
use client::command::EXIT_CODES;

use crate::actions::ActionsCommand;
use crate::audit::AuditArguments;
use crate::bulk::BulkCommand;
use crate::columns::columns_help;
use crate::completions::CompletionsArguments;
use crate::crons::CronsCommand;
use crate::events::EventsArguments;
use crate::explain::ExplainArguments;
use crate::failures::FailuresArguments;
use crate::flags::OutputFlags;
use crate::health::HealthArguments;
use crate::init::InitArguments;
use crate::jobs::JobsCommand;
use crate::limits::LimitsCommand;
use crate::locks::LocksCommand;
use crate::man::ManArguments;
use crate::program::ProgramArguments;
use crate::queues::QueuesCommand;
use crate::scaling::ScalingArguments;
use crate::settings::SettingsCommand;
use crate::status::StatusArguments;
use crate::subscriptions::SubscriptionsCommand;
use crate::tokens::TokenCommand;
use crate::top::TopArguments;
use crate::up::UpArguments;
use crate::verdict::VerdictArguments;
use crate::waiting::GROUPS;
use crate::why::WhyArguments;
use crate::workers::WorkersArguments;

/// Run background jobs on a fleet of workers
#[derive(Debug, Parser)]
#[command(name = "capstan", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine: Redis, RabbitMQ, scheduler, workers, API
    ///
    /// Starts a private Redis and RabbitMQ on free ports, then the services, and runs until Ctrl-C.
    /// Given COMMAND, runs it, stops everything, and exits with the exit code of COMMAND.
    #[command(args = ConnectionOptions::hidden())]
    Up(UpArguments),
    /// Show the state of the fleet: services, Redis, RabbitMQ, jobs, and what needs attention
    ///
    /// Exits with 0 if the API answers, whatever the answer says.
    #[command(after_help = EXIT_CODES)]
    Status(StatusArguments),
    /// Watch the fleet: counts, rates, workers, waiting and running jobs
    ///
    /// Refreshes every 2 seconds. Keys: q quits, p pauses, r refreshes now, ? shows help.
    #[command(after_help = EXIT_CODES)]
    Top(TopArguments),
    /// List what fails, grouped by action, type of exception and message
    #[command(after_help = columns_help(crate::failures::FAILURES.columns))]
    Failures(FailuresArguments),
    /// Say in a sentence how the fleet is doing, what explains it and what was ruled out
    ///
    /// Exits with 0 if the API answers, whatever the answer says.
    #[command(after_help = EXIT_CODES)]
    Verdict(VerdictArguments),
    /// List the waiting jobs, grouped by the reason for which they wait
    #[command(after_help = columns_help(GROUPS.columns))]
    Waiting(OutputFlags),
    /// Show why a job waits and when it will probably start, or where its time went
    #[command(after_help = EXIT_CODES)]
    Why(WhyArguments),
    /// Submit, list, follow, wait for, cancel, retry and delete jobs
    #[command(subcommand, after_help = EXIT_CODES)]
    Jobs(JobsCommand),
    /// Cancel, retry or delete all jobs that match filters
    #[command(subcommand, after_help = EXIT_CODES)]
    Bulk(BulkCommand),
    /// Run jobs on a schedule
    #[command(subcommand, after_help = EXIT_CODES)]
    Crons(CronsCommand),
    /// Configure, pause and resume actions
    #[command(subcommand, after_help = EXIT_CODES)]
    Actions(ActionsCommand),
    /// List workers, drain and resume them, change their capacity
    #[command(after_help = EXIT_CODES)]
    Workers(WorkersArguments),
    /// List locks and their holders, set permits, clear locks
    #[command(subcommand, after_help = EXIT_CODES)]
    Locks(LocksCommand),
    /// Limit how many jobs start in a time
    #[command(subcommand, after_help = EXIT_CODES)]
    Limits(LimitsCommand),
    /// List and delete queues, pause and resume classes of jobs
    #[command(subcommand, after_help = EXIT_CODES)]
    Queues(QueuesCommand),
    /// Manage webhook subscriptions
    #[command(subcommand, after_help = EXIT_CODES)]
    Subscriptions(SubscriptionsCommand),
    /// Follow changes of jobs, workers, crons, locks and queues
    #[command(after_help = EXIT_CODES)]
    Events(EventsArguments),
    /// List who changed what, and which requests were refused
    #[command(after_help = columns_help(crate::audit::ENTRIES.columns))]
    Audit(AuditArguments),
    /// Explain an error code or the code of a wait reason
    #[command(args = ConnectionOptions::hidden())]
    Explain(ExplainArguments),
    /// Calculate how many workers of one shape are wanted, for an autoscaler
    ///
    /// Prints the number of workers that would hold what runs on such workers and what is ready.
    #[command(after_help = EXIT_CODES)]
    Scaling(ScalingArguments),
    /// Show and change how long finished jobs are kept, and how much may wait
    #[command(subcommand, after_help = EXIT_CODES)]
    Settings(SettingsCommand),
    /// Create, list and delete API tokens
    ///
    /// Edits the tokens file itself, not through the API, which would require a token.
    #[command(subcommand, args = ConnectionOptions::hidden())]
    Token(TokenCommand),
    /// Create the secrets that a first start needs
    ///
    /// Creates an admin token, and passwords for Redis and RabbitMQ. Files that exist are kept, so
    /// it is safe to run at every start.
    #[command(args = ConnectionOptions::hidden())]
    Init(InitArguments),
    /// Print a script that completes the command line in a shell
    #[command(args = ConnectionOptions::hidden())]
    Completions(CompletionsArguments),
    /// Write a manual page for each command into a folder
    #[command(args = ConnectionOptions::hidden())]
    Man(ManArguments),
    /// Check that a service is healthy
    ///
    /// Requests URL. Exits with 0 if the answer is 2xx; otherwise prints the reason and exits with 1.
    /// Made for container health checks.
    #[command(args = ConnectionOptions::hidden())]
    Health(HealthArguments),
    /// Run the demo: a container registry's jobs, with checks of every result
    ///
    /// Runs the program capstan-demo, which must be beside capstan or in PATH. `capstan demo --help`
    /// lists its options.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Demo(ProgramArguments),
    /// Measure the throughput and latency of an idle fleet
    ///
    /// Runs the program capstan-bench, which must be beside capstan or in PATH. `capstan bench --help`
    /// lists its options.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Bench(ProgramArguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::ffi::OsStr;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn only_commands_that_call_the_api_list_the_connection_flags() {
        let help = |line: &str| {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            error.to_string()
        };
        for command in ["jobs", "jobs list", "workers", "settings get"] {
            assert!(help(&format!("capstan {command} -h")).contains("--api"), "{command}");
        }
        for command in ["up", "token", "token new", "init", "health"] {
            assert!(!help(&format!("capstan {command} -h")).contains("--api"), "{command}");
        }
    }

    #[test]
    fn the_address_may_precede_or_follow_the_command() {
        let lines = [
            "capstan --api http://there:1 jobs list",
            "capstan jobs list --api http://there:1",
            "capstan health http://x --api http://there:1",
            "capstan --api http://there:1 demo",
            "capstan demo --api http://there:1",
        ];
        for line in lines {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            let variables = arguments.connection.environment();
            assert_eq!(variables[0], ("CAPSTAN_API", "http://there:1/".into()), "{line}");
        }
    }

    #[test]
    fn programs_receive_every_argument_that_is_not_about_the_connection() {
        let cases = [
            ("capstan --api http://there:1 bench raw --offers 5", "raw --offers 5"),
            ("capstan bench --api http://there:1 --jobs 5", "--jobs 5"),
            ("capstan bench --json", "--json"),
            ("capstan demo --help", "--help"),
            ("capstan demo --version", "--version"),
            ("capstan demo", ""),
            // The program has the same flag and reads it itself.
            ("capstan bench raw --api http://there:1", "raw --api http://there:1"),
        ];
        for (line, expected) in cases {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            let (Command::Demo(program) | Command::Bench(program)) = arguments.command else {
                panic!("{arguments:?}");
            };
            assert_eq!(program.arguments.join(OsStr::new(" ")), expected, "{line}");
        }
    }
}
