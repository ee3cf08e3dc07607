//! `capstan token`: makes, lists and deletes the tokens that the API asks for. It works on their
//! file, wherever the API is: the first token cannot be asked for with a token.

mod file;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shared::tokens::{Owner, Role};

use crate::failure::{Ending, Failure};
use crate::out;

pub(crate) use file::{create, replace};

/// What `token` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once; its file keeps a hash only
    New(NewArguments),
    /// List whose tokens there are, and what they may
    List(TokensFile),
    /// Delete somebody's token; within a second or two the API takes it no more
    Delete(DeleteArguments),
}

/// Where tokens are kept.
#[derive(Debug, Args)]
pub(crate) struct TokensFile {
    /// The file of tokens, the same as the API's
    #[arg(long, env = "CAPSTAN_TOKENS", value_name = "FILE")]
    file: PathBuf,
}

/// What `token new` is told.
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    #[command(flatten)]
    tokens: TokensFile,

    /// What it may: viewer reads; operator also submits, cancels, clears locks, runs crons; admin
    /// everything
    #[arg(long)]
    role: Role,

    /// Whose it is; jobs show it as scheduledBy
    #[arg(long)]
    name: Owner,
}

/// What `token delete` is told.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    tokens: TokensFile,

    /// Whose it is
    name: Owner,
}

/// Does it.
pub(crate) fn run(command: TokenCommand) -> Result<Ending, Failure> {
    match command {
        TokenCommand::New(NewArguments { tokens, role, name }) => {
            let secret = file::add(&tokens.file, &name, role)?;
            out::note(format!("the token of {name}, {role}; it is shown this once:"));
            out::say(secret.reveal())?;
        }
        TokenCommand::List(tokens) => {
            let entries = file::read(&tokens.file)?;
            let row = |entry: &shared::tokens::Entry| {
                vec![entry.owner.to_string(), entry.role.to_string()]
            };
            out::say(out::table(&["NAME", "ROLE"], entries.entries().iter().map(row)))?;
        }
        TokenCommand::Delete(DeleteArguments { tokens, name }) => {
            if !file::delete(&tokens.file, &name)? {
                return Err(Failure::Usage(format!("{name} has no token")));
            }
        }
    }
    Ok(Ending::Well)
}

#[cfg(test)]
mod tests;
