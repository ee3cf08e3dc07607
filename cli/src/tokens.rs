//! `capstan token`: creating, listing and deleting API tokens.

mod file;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::command::{CommandError, CommandOutcome, CommandResult, note, print, table};
use domain::access_tokens::{Owner, Role};

pub(crate) use file::{PRIVATE, create, replace};

const NEW_EXAMPLE: &str = "\
Example:
  capstan token new --file /etc/capstan/tokens --role operator --name ci";

/// The commands on tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print it
    ///
    /// The token is shown only once: its file holds a hash.
    #[command(after_help = NEW_EXAMPLE)]
    New(NewArguments),
    /// List the owners of tokens and their roles
    List(TokensFile),
    /// Delete a token; the API rejects it within two seconds
    Delete(DeleteArguments),
}

/// The file to work on.
#[derive(Debug, Args)]
pub(crate) struct TokensFile {
    /// Tokens file, the same as the API's
    #[arg(long, env = "CAPSTAN_TOKENS", value_name = "FILE")]
    file: PathBuf,
}

/// The arguments of `token new`.
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    #[command(flatten)]
    tokens: TokensFile,

    /// Role: viewer reads; operator also submits and cancels jobs, clears locks and runs crons;
    /// admin can do everything
    #[arg(long)]
    role: Role,

    /// Name of the owner; jobs show it as scheduledBy
    #[arg(long)]
    name: Owner,
}

/// The arguments of `token delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    tokens: TokensFile,

    /// Name of the owner
    name: Owner,
}

/// Runs the command.
pub(crate) fn run(command: TokenCommand) -> CommandResult {
    match command {
        TokenCommand::New(NewArguments { tokens, role, name }) => {
            let secret = file::add(&tokens.file, &name, role)?;
            note(format!("token of {name} with role {role}, shown only once:"));
            print(secret.reveal())?;
        }
        TokenCommand::List(tokens) => {
            let tokens = file::read(&tokens.file)?;
            let entries = tokens.entries().iter();
            let rows = entries.map(|entry| vec![entry.owner.to_string(), entry.role.to_string()]);
            print(table(&["NAME", "ROLE"], rows))?;
        }
        TokenCommand::Delete(DeleteArguments { tokens, name }) => {
            if !file::delete(&tokens.file, &name)? {
                return Err(CommandError::Usage(format!("{name} has no token")));
            }
        }
    }
    Ok(CommandOutcome::Success)
}
