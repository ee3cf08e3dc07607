//! `capstan init`: the secrets of a first start. Files that exist are kept.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, print};
use domain::access_tokens::{Owner, Role, random_password};

use crate::tokens::{PRIVATE, create, replace};

/// The services run as different users. The directory, which only they can reach, protects the
/// files.
const READABLE_BY_SERVICES: u32 = 0o644;
const RABBITMQ_USER: &str = "capstan";

/// The arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Directory for `tokens`, the API's tokens file, and `admin-token`
    #[arg(long, value_name = "DIRECTORY")]
    access: PathBuf,

    /// Directory for `redis-password` and `amqp-password`, and for `redis.conf` and `rabbitmq.conf`
    /// that set them
    #[arg(long, value_name = "DIRECTORY")]
    secrets: PathBuf,
}

/// Creates what is missing.
pub(crate) fn run(arguments: &InitArguments) -> CommandResult {
    let InitArguments { access, secrets } = arguments;
    for directory in [access, secrets] {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let redis = existing_or_new_password(&secrets.join("redis-password"))?;
    let amqp = existing_or_new_password(&secrets.join("amqp-password"))?;
    let files = [
        ("redis.conf", format!("requirepass {redis}\n")),
        (
            "rabbitmq.conf",
            format!("default_user = {RABBITMQ_USER}\ndefault_pass = {amqp}\nlog.console = true\n"),
        ),
    ];
    for (name, text) in files {
        create(&secrets.join(name), &text, READABLE_BY_SERVICES)?;
    }
    let file = access.join("admin-token");
    let verb = if create_admin_token(access, &file)? { "created" } else { "kept" };
    print(format!("{verb} the admin token in {}", file.display()))?;
    Ok(CommandOutcome::Success)
}

fn existing_or_new_password(path: &Path) -> Result<String, CommandError> {
    let password = random_password().context("cannot generate a password")?;
    create(path, &password, READABLE_BY_SERVICES)?;
    let text = std::fs::read_to_string(path);
    Ok(text.with_context(|| format!("cannot read {}", path.display()))?)
}

/// Returns false if there is already a token. The token's line in the tokens file is written first: if this
/// is interrupted, the next start replaces it.
fn create_admin_token(access: &Path, file: &Path) -> Result<bool, CommandError> {
    if file.exists() {
        return Ok(false);
    }
    let owner: Owner = "admin".parse().map_err(anyhow::Error::msg)?;
    let secret = replace(&access.join("tokens"), &owner, Role::Admin)?;
    create(file, &format!("{}\n", secret.reveal()), PRIVATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access_tokens::AccessTokens;
    use domain::job::WorkerId;

    #[test]
    fn a_second_start_keeps_every_file_and_a_missing_token_is_replaced() {
        let root = std::env::temp_dir().join(format!("capstan-test-{}", WorkerId::random()));
        let arguments =
            InitArguments { access: root.join("access"), secrets: root.join("secrets") };
        let names = [
            "access/tokens",
            "access/admin-token",
            "secrets/redis-password",
            "secrets/amqp-password",
            "secrets/redis.conf",
            "secrets/rabbitmq.conf",
        ];
        let all = || names.map(|name| std::fs::read_to_string(root.join(name)).unwrap());
        run(&arguments).unwrap();
        let first = all();
        run(&arguments).unwrap();
        assert_eq!(all(), first);
        let tokens: AccessTokens = first[0].parse().unwrap();
        assert_eq!(tokens.find(first[1].trim()).unwrap().role, Role::Admin);
        assert_ne!(first[2], first[3]);
        assert_eq!(first[2].len(), 64);
        assert_eq!(first[4], format!("requirepass {}\n", first[2]));
        assert!(first[5].contains(&format!("default_pass = {}\n", first[3])), "{}", first[5]);

        // As after an interruption between the line and the token.
        std::fs::remove_file(root.join("access/admin-token")).unwrap();
        run(&arguments).unwrap();
        let [tokens, token, ..] = all();
        let tokens: AccessTokens = tokens.parse().unwrap();
        assert!(tokens.find(token.trim()).is_some() && tokens.find(first[1].trim()).is_none());
        std::fs::remove_dir_all(root).unwrap();
    }
}
