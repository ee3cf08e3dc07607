//! `capstan init`: what a first start needs and nobody should choose: a token for its admin,
//! passwords for the broker and the store. What is there stays.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use shared::tokens::{Owner, Role, password};

use crate::failure::{Ending, Failure};
use crate::{out, token};

/// The services of a fleet run as different users, and only they are given the directory.
const READ_BY_SERVICES: u32 = 0o644;
const PRIVATE: u32 = 0o600;
/// The broker's one user.
const BROKER_USER: &str = "capstan";

/// What `init` is told.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Where `tokens`, the API's file, and `admin-token` are made
    #[arg(long, value_name = "DIRECTORY")]
    access: PathBuf,

    /// Where `redis-password` and `amqp-password` are made, and what sets them: `redis.conf`,
    /// `rabbitmq.conf`
    #[arg(long, value_name = "DIRECTORY")]
    secrets: PathBuf,
}

/// Makes what is missing.
pub(crate) fn run(arguments: &InitArguments) -> Result<Ending, Failure> {
    let InitArguments { access, secrets } = arguments;
    for directory in [access, secrets] {
        let made = std::fs::create_dir_all(directory);
        made.with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let redis = made(&secrets.join("redis-password"))?;
    let amqp = made(&secrets.join("amqp-password"))?;
    let files = [
        ("redis.conf", format!("requirepass {redis}\n")),
        (
            "rabbitmq.conf",
            format!("default_user = {BROKER_USER}\ndefault_pass = {amqp}\nlog.console = true\n"),
        ),
    ];
    for (name, text) in files {
        token::create(&secrets.join(name), &text, READ_BY_SERVICES)?;
    }
    let place = access.join("admin-token");
    let news = if admin(access, &place)? { "made a token for admin" } else { "the token of admin" };
    out::say(format!("{news}: it stands in {}", place.display()))?;
    Ok(Ending::Well)
}

/// The password of a file, which is made if it is not there.
fn made(path: &Path) -> Result<String, Failure> {
    let password = password().context("there is no randomness")?;
    token::create(path, &password, READ_BY_SERVICES)?;
    let read = std::fs::read_to_string(path);
    Ok(read.with_context(|| format!("cannot read {}", path.display()))?)
}

/// The token's line is written before the token: when this is interrupted, the next start makes
/// both anew.
fn admin(access: &Path, place: &Path) -> Result<bool, Failure> {
    if place.exists() {
        return Ok(false);
    }
    let owner: Owner = "admin".parse().map_err(anyhow::Error::msg)?;
    let secret = token::replace(&access.join("tokens"), &owner, Role::Admin)?;
    token::create(place, &format!("{}\n", secret.reveal()), PRIVATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::job::WorkerId;
    use shared::tokens::Tokens;

    #[test]
    fn a_second_start_changes_nothing() {
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
        let tokens: Tokens = first[0].parse().unwrap();
        assert_eq!(tokens.find(first[1].trim()).unwrap().role, Role::Admin);
        assert_ne!(first[2], first[3]);
        assert_eq!(first[2].len(), 64);
        assert_eq!(first[4], format!("requirepass {}\n", first[2]));
        assert!(first[5].contains(&format!("default_pass = {}\n", first[3])), "{}", first[5]);

        // It was interrupted after the line and before the token.
        std::fs::remove_file(root.join("access/admin-token")).unwrap();
        run(&arguments).unwrap();
        let [tokens, token, ..] = all();
        let tokens: Tokens = tokens.parse().unwrap();
        assert!(tokens.find(token.trim()).is_some() && tokens.find(first[1].trim()).is_none());
        std::fs::remove_dir_all(root).unwrap();
    }
}
