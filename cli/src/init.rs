//! `capstan init`: the secrets of a first start. Passwords and tokens that exist are kept; the
//! files of Redis, RabbitMQ and the services are made from them again at each start.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, print};
use domain::access_tokens::{Owner, Role, random_password};

use crate::tokens::{PRIVATE, create, replace};

/// Redis and RabbitMQ run as users of their own. Their directories are mounted only into their own
/// containers.
const READABLE_BY_SERVER: u32 = 0o644;
const RABBITMQ_USER: &str = "capstan";
/// The services that use RabbitMQ too.
const AMQP_SERVICES: [&str; 2] = ["scheduler", "worker"];
/// What Redis allows each service. A service reads and writes the keys of the namespace `capstan`
/// with the commands of the scripts, and may not administer the server, see other namespaces or
/// list what there is. Only the API reads and writes the audit, whose keys begin with `au`.
const REDIS_COMMANDS: &str = "-@all +@read +@write +@connection +@pubsub +@scripting +@transaction \
    -@dangerous -function -fcall -fcall_ro -script|flush -script|kill -scan -randomkey \
    +time +info +role +config|get";
const ALL_KEYS: &str = "~{capstan}:*";
/// `{capstan}:` itself is an argument of every script.
const KEYS_BUT_THE_AUDIT: &str = "~{capstan}: ~{capstan}:[^a]* ~{capstan}:a[^u]*";
const REDIS_USERS: [(&str, &str); 3] =
    [("api", ALL_KEYS), ("scheduler", KEYS_BUT_THE_AUDIT), ("worker", KEYS_BUT_THE_AUDIT)];

/// The arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Directory for `tokens`, the API's tokens file, and `admin-token`
    #[arg(long, value_name = "DIRECTORY")]
    access: PathBuf,

    /// Directory for the passwords, with a subdirectory for each service, for `redis` and for
    /// `rabbitmq`
    #[arg(long, value_name = "DIRECTORY")]
    secrets: PathBuf,
}

/// Creates what is missing.
pub(crate) fn run(arguments: &InitArguments) -> CommandResult {
    let InitArguments { access, secrets } = arguments;
    create_directory(access)?;
    create_directory(secrets)?;
    create_redis_users(secrets)?;
    create_rabbitmq_user(secrets)?;
    let file = access.join("admin-token");
    let verb = if create_admin_token(access, &file)? { "created" } else { "kept" };
    print(format!("{verb} the admin token in {}", file.display()))?;
    Ok(CommandOutcome::Success)
}

/// Creates a Redis user for each service, and `default`, which may do everything and whose password
/// is only in Redis' own directory.
fn create_redis_users(secrets: &Path) -> Result<(), CommandError> {
    let redis = secrets.join("redis");
    create_directory(&redis)?;
    let password = existing_or_new_password(&secrets.join("redis-password"))?;
    write(&redis.join("redis-password"), &password, PRIVATE)?;
    let mut conf = format!("user default on >{password} ~* &* +@all\n");
    for (service, keys) in REDIS_USERS {
        create_directory(&secrets.join(service))?;
        let password = existing_or_new_password(&secrets.join(service).join("redis-password"))?;
        let rules = format!("{keys} &{{capstan}}:* {REDIS_COMMANDS}");
        conf.push_str(&format!("user {service} on >{password} {rules}\n"));
    }
    write(&redis.join("redis.conf"), &conf, READABLE_BY_SERVER)
}

/// Creates the user of RabbitMQ that the services share.
fn create_rabbitmq_user(secrets: &Path) -> Result<(), CommandError> {
    let rabbitmq = secrets.join("rabbitmq");
    create_directory(&rabbitmq)?;
    let password = existing_or_new_password(&secrets.join("amqp-password"))?;
    for service in AMQP_SERVICES {
        write(&secrets.join(service).join("amqp-password"), &password, PRIVATE)?;
    }
    let user = format!("default_user = {RABBITMQ_USER}\ndefault_pass = {password}\n");
    let conf = format!("{user}log.console = true\n");
    write(&rabbitmq.join("rabbitmq.conf"), &conf, READABLE_BY_SERVER)
}

fn create_directory(path: &Path) -> Result<(), CommandError> {
    let created = std::fs::create_dir_all(path);
    Ok(created.with_context(|| format!("cannot create {}", path.display()))?)
}

fn existing_or_new_password(path: &Path) -> Result<String, CommandError> {
    let password = random_password().context("cannot generate a password")?;
    create(path, &password, PRIVATE)?;
    let text = std::fs::read_to_string(path);
    Ok(text.with_context(|| format!("cannot read {}", path.display()))?)
}

/// Writes a file as a whole: a reader sees the old or the new one.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), CommandError> {
    let new = path.with_extension("new");
    // An interrupted start may have left one.
    let _ = std::fs::remove_file(&new);
    create(&new, text, mode)?;
    let renamed = std::fs::rename(&new, path);
    Ok(renamed.with_context(|| format!("cannot write {}", path.display()))?)
}

/// Returns false if there is already a token. The token's line in the tokens file is written first:
/// if this is interrupted, the next start replaces it.
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
    use std::os::unix::fs::PermissionsExt;

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
            "secrets/redis/redis.conf",
            "secrets/redis/redis-password",
            "secrets/rabbitmq/rabbitmq.conf",
            "secrets/api/redis-password",
            "secrets/scheduler/redis-password",
            "secrets/scheduler/amqp-password",
            "secrets/worker/redis-password",
            "secrets/worker/amqp-password",
        ];
        let all = || names.map(|name| std::fs::read_to_string(root.join(name)).unwrap());
        run(&arguments).unwrap();
        let first = all();
        run(&arguments).unwrap();
        assert_eq!(all(), first);
        let tokens: AccessTokens = first[0].parse().unwrap();
        assert_eq!(tokens.find(first[1].trim()).unwrap().role, Role::Admin);
        let [_, _, default, amqp, redis_conf, in_redis, rabbitmq_conf, api, ..] = &first;
        assert_eq!((default, default.len()), (in_redis, 64));
        let users: Vec<_> = redis_conf.lines().map(|line| line.split(" ~").next()).collect();
        let [scheduler, worker] = [&first[8], &first[10]];
        let of = |name: &str, password: &str| format!("user {name} on >{password}");
        let expected =
            [("default", default), ("api", api), ("scheduler", scheduler), ("worker", worker)];
        let expected = expected.map(|(name, password)| of(name, password));
        assert_eq!(users, expected.each_ref().map(|user| Some(user.as_str())));
        assert_eq!([&first[9], &first[11]], [amqp, amqp]);
        assert!(rabbitmq_conf.contains(&format!("default_pass = {amqp}\n")), "{rabbitmq_conf}");
        let mode = |name: &str| {
            let mode = std::fs::metadata(root.join(name)).unwrap().permissions().mode();
            (name.to_owned(), mode & 0o777)
        };
        for name in names.iter().filter(|name| !name.ends_with(".conf")) {
            assert_eq!(mode(name), (name.to_string(), 0o600));
        }

        // As after an interruption between the line and the token.
        std::fs::remove_file(root.join("access/admin-token")).unwrap();
        run(&arguments).unwrap();
        let [tokens, token, ..] = all();
        let tokens: AccessTokens = tokens.parse().unwrap();
        assert!(tokens.find(token.trim()).is_some() && tokens.find(first[1].trim()).is_none());
        std::fs::remove_dir_all(root).unwrap();
    }
}
