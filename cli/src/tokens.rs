//! `capstan token`: creating, listing and deleting API tokens.

mod file;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::command::{CommandError, CommandOutcome, CommandResult, note, print};
use domain::access_tokens::{AccessTokenEntry, Owner, Role};
use serde_json::{Value, json};

use crate::columns::{Column, columns_help, lay_out};
use crate::flags::OutputFlags;

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
    #[command(after_help = columns_help(&COLUMNS))]
    List(ListArguments),
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

/// The arguments of `token list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    tokens: TokensFile,

    #[command(flatten)]
    output: OutputFlags,
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
        TokenCommand::List(ListArguments { tokens, output }) => {
            let tokens = file::read(&tokens.file)?;
            let entries = tokens.entries();
            let documents: Vec<Value> = entries.iter().map(document).collect();
            let list = json!({"tokens": documents, "total": documents.len()});
            if !output.print_list(&list, &list["tokens"], "name")? {
                print(lay_out(&COLUMNS, entries, output.is_wide(), output.table_width()))?;
            }
        }
        TokenCommand::Delete(DeleteArguments { tokens, name }) => {
            if !file::delete(&tokens.file, &name)? {
                return Err(CommandError::Usage(format!("{name} has no token")));
            }
        }
    }
    Ok(CommandOutcome::Success)
}

const COLUMNS: [Column<AccessTokenEntry>; 2] = [
    Column::whole("NAME", "name of the owner", |entry| entry.owner.to_string()),
    Column::new("ROLE", "viewer, operator or admin", |entry| entry.role.to_string()),
];

/// An entry for programs. Its hash is left out.
fn document(entry: &AccessTokenEntry) -> Value {
    json!({"name": entry.owner.as_str(), "role": entry.role.as_str()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access_tokens::AccessToken;

    #[test]
    fn a_token_is_listed_without_its_hash() {
        let (owner, secret) = ("ci".parse().unwrap(), AccessToken::random().unwrap());
        let entry = AccessTokenEntry::new(owner, Role::Operator, &secret);
        assert_eq!(document(&entry), json!({"name": "ci", "role": "operator"}));
        let shown = lay_out(&COLUMNS, &[entry], true, None);
        assert_eq!(shown, "NAME  ROLE\nci    operator");
    }
}
