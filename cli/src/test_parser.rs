//! Parses the arguments of one command, for its tests.

use clap::{Args, Subcommand};

/// Parses a command's arguments.
pub(crate) fn arguments<T: Args>(words: &[&str]) -> Result<T, clap::Error> {
    let command = T::augment_args(clap::Command::new("test"));
    T::from_arg_matches(&command.try_get_matches_from(["test"].iter().chain(words))?)
}

/// Parses a subcommand from words separated by spaces.
pub(crate) fn subcommand<T: Subcommand>(line: &str) -> Result<T, clap::Error> {
    let command = T::augment_subcommands(clap::Command::new("test").subcommand_required(true));
    let words = ["test"].into_iter().chain(line.split_whitespace());
    T::from_arg_matches(&command.try_get_matches_from(words)?)
}
