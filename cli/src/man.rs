//! `capstan man`: manual pages, one per command.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use client::command::{CommandOutcome, CommandResult, note};

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Folder for the pages; it is created if it does not exist
    folder: PathBuf,
}

/// Writes the pages.
pub(crate) fn run(arguments: &ManArguments, command: Command) -> CommandResult {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
    note(format_args!("read them with: man {}", folder.join("capstan.1").display()));
    Ok(CommandOutcome::Success)
}
