//! Completes arguments that name something, by the type of the argument. A shell waits for the
//! answer, so an API that is slow or refuses the request just completes nothing.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{Arg, Command, Parser};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use client::{ApiClient, ClientError, ConnectionOptions};
use domain::cron::CronName;
use domain::job::{ActionName, Status};
use domain::lock::LockName;
use domain::subscription::SubscriptionName;
use serde_json::Value;

use crate::references::{JobReference, WorkerReference};

/// How long the API may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How many of the latest jobs are completed.
const JOBS: &str = "200";
/// The flags of the command line that name the API and the token.
const CONNECTION_FLAGS: [&str; 3] = ["--api", "--token-file", "--ca"];

/// What the API lists.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Jobs,
    Workers,
    Crons,
    Actions,
    Locks,
    Subscriptions,
}

/// A name and what it is.
type Named = (String, String);

/// Only the flags of the connection.
#[derive(Parser)]
struct Connection {
    #[command(flatten)]
    options: ConnectionOptions,
}

/// Returns the command with completions for every argument whose type names something.
pub(super) fn with_names(command: Command) -> Command {
    command.mut_args(completed).mut_subcommands(with_names)
}

fn completed(arg: Arg) -> Arg {
    let kinds = [
        (TypeId::of::<JobReference>(), Kind::Jobs),
        (TypeId::of::<WorkerReference>(), Kind::Workers),
        (TypeId::of::<CronName>(), Kind::Crons),
        (TypeId::of::<ActionName>(), Kind::Actions),
        (TypeId::of::<LockName>(), Kind::Locks),
        (TypeId::of::<SubscriptionName>(), Kind::Subscriptions),
    ];
    let parsed = arg.get_value_parser().type_id();
    if parsed == TypeId::of::<Status>() {
        return arg.add(ArgValueCompleter::new(statuses));
    }
    match kinds.into_iter().find(|(of, _)| parsed == *of) {
        Some((_, kind)) => arg.add(ArgValueCompleter::new(move |typed: &OsStr| names(kind, typed))),
        None => arg,
    }
}

fn statuses(typed: &OsStr) -> Vec<CompletionCandidate> {
    let words = Status::ALL.map(|status| (status.as_str().to_owned(), String::new()));
    candidates(words.into(), typed)
}

fn names(kind: Kind, typed: &OsStr) -> Vec<CompletionCandidate> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asking = async {
        let api = api().ok_or(())?;
        let listed = tokio::time::timeout(TIMEOUT, listed(&api, kind)).await;
        listed.map_err(drop)?.map_err(drop)
    };
    let found: Result<Vec<Named>, ()> = runtime.map_err(drop).and_then(|one| one.block_on(asking));
    candidates(found.unwrap_or_default(), typed)
}

fn candidates(mut named: Vec<Named>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    named.retain(|(name, _)| name.starts_with(&*typed));
    let candidate = |(index, (name, what)): (usize, Named)| {
        let help = Some(what).filter(|what| !what.is_empty());
        let candidate = CompletionCandidate::new(name).help(help.map(Into::into));
        candidate.display_order(Some(index))
    };
    named.into_iter().enumerate().map(candidate).collect()
}

/// The API of the command line that is completed: its flags are those that follow `--`.
fn api() -> Option<ApiClient> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").collect();
    let connection = Connection::try_parse_from(connection_flags(&words)).ok()?;
    connection.options.client().ok()
}

/// The flags of the connection among the words of a command line.
fn connection_flags(words: &[OsString]) -> Vec<OsString> {
    let mut flags: Vec<OsString> = vec!["capstan".into()];
    for (index, word) in words.iter().enumerate() {
        let text = word.to_string_lossy();
        if CONNECTION_FLAGS.contains(&&*text) {
            flags.extend([word.clone()].into_iter().chain(words.get(index + 1).cloned()));
        } else if CONNECTION_FLAGS.iter().any(|flag| text.starts_with(&format!("{flag}="))) {
            flags.push(word.clone());
        }
    }
    flags
}

async fn listed(api: &ApiClient, kind: Kind) -> Result<Vec<Named>, ClientError> {
    let latest = [("limit", JOBS.to_owned()), ("sort", "-createdAt".to_owned())];
    let (path, key, query) = match kind {
        Kind::Jobs => ("/jobs", "jobs", &latest[..]),
        Kind::Workers | Kind::Actions => ("/workers", "workers", &[][..]),
        Kind::Crons => ("/crons", "crons", &[][..]),
        Kind::Locks => ("/locks", "locks", &[][..]),
        Kind::Subscriptions => ("/subscriptions", "subscriptions", &[][..]),
    };
    let items: Vec<Value> = api.page(path, query).await?.items(key)?;
    let mut named: Vec<Named> = items.iter().flat_map(|item| named(kind, item)).collect();
    if matches!(kind, Kind::Actions) {
        let configs: Vec<Value> = api.page("/action_configs", &[]).await?.items("actionConfigs")?;
        named.extend(configs.iter().map(|one| (text(one, "action"), String::new())));
        named.sort();
        named.dedup();
    }
    named.retain(|(name, _)| !name.is_empty());
    Ok(named)
}

/// The names of an item.
fn named(kind: Kind, item: &Value) -> Vec<Named> {
    let what = |fields: [&str; 2]| fields.map(|field| text(item, field)).join(" ");
    match kind {
        Kind::Jobs => {
            let what = what(["action", "status"]);
            vec![(item["number"].to_string(), what.clone()), (text(item, "id"), what)]
        }
        Kind::Workers => {
            let what = what(["status", "version"]);
            vec![(text(item, "name"), what.clone()), (text(item, "id"), what)]
        }
        Kind::Actions => {
            let actions = item["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let actions = actions.iter().filter_map(Value::as_str);
            actions.map(|action| (action.to_owned(), String::new())).collect()
        }
        Kind::Crons => vec![(text(item, "name"), what(["schedule", "action"]))],
        Kind::Locks | Kind::Subscriptions => vec![(text(item, "name"), String::new())],
    }
}

fn text(item: &Value, field: &str) -> String {
    item[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::Arguments;
    use clap::CommandFactory;

    #[test]
    fn arguments_that_name_something_are_completed_and_others_are_not() {
        let mut command = with_names(Arguments::command());
        command.build();
        let is_completed = |path: &[&str], id: &str| {
            let command = path
                .iter()
                .fold(&command, |command, name| command.find_subcommand(name).expect("it exists"));
            let arg = command.get_arguments().find(|arg| arg.get_id() == id).expect(id);
            arg.get::<ArgValueCompleter>().is_some()
        };
        let completed: [(&[&str], &str); 8] = [
            (&["jobs", "show"], "job"),
            (&["jobs", "retry"], "jobs"),
            (&["jobs", "list"], "worker"),
            (&["jobs", "list"], "status"),
            (&["jobs", "submit"], "action"),
            (&["crons", "run"], "name"),
            (&["locks", "show"], "name"),
            (&["actions", "pause"], "actions"),
        ];
        for (path, id) in completed {
            assert!(is_completed(path, id), "{path:?} {id}");
        }
        for (path, id) in [(&["jobs", "list"][..], "limit"), (&["jobs", "submit"], "comment")] {
            assert!(!is_completed(path, id), "{path:?} {id}");
        }
    }

    #[test]
    fn the_flags_of_the_connection_are_found_in_the_words() {
        let words = ["--", "capstan", "jobs", "--api", "http://a:1", "show", "--ca=b.pem", "7"];
        let flags = connection_flags(&words.map(OsString::from));
        assert_eq!(flags, ["capstan", "--api", "http://a:1", "--ca=b.pem"].map(OsString::from));
    }
}
