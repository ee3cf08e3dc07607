//! `capstan locks`: what jobs hold while they run.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::lock::LockName;

use crate::api::{Api, Page};
use crate::each::each;
use crate::failure::{Ending, Failure};
use crate::jobs::show::lines;
use crate::out;
use crate::wire::{Lock, Locks};

/// What `locks` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum LocksCommand {
    /// List locks by name: how many permits are held, by which jobs, and how many wait
    List(ListArguments),
    /// Show who holds a lock, and who stands in line for it
    Show(OneLock),
    /// Take locks from all who hold them, and give them to the next in line; who held them goes on
    Clear {
        /// The locks
        #[arg(value_name = "NAME", required = true)]
        names: Vec<LockName>,
    },
    /// Set how many permits a lock has: action:scan and class:cpu=2 are limits of Capstan's own
    Set(SetArguments),
}

/// What `locks list` is told.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// From which place of the list on
    #[arg(long, default_value_t = 0)]
    start: u32,

    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=1000))]
    limit: u32,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What names one lock.
#[derive(Debug, Args)]
pub(crate) struct OneLock {
    /// The lock
    name: LockName,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What `locks set` is told.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    lock: OneLock,

    #[command(flatten)]
    permits: Permits,
}

/// How many permits; one of both must be said.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Permits {
    /// So many may be held at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    permits: Option<u32>,

    /// What it has when nothing is said: 1, and no limit for an action or a class
    #[arg(long)]
    reset: bool,
}

/// Does it.
pub(crate) async fn run(api: &Api, command: LocksCommand) -> Result<Ending, Failure> {
    match command {
        LocksCommand::List(arguments) => list(api, &arguments).await?,
        LocksCommand::Show(one) => show(&api.get(&path(&one.name)).await?, one.json)?,
        LocksCommand::Clear { names } => {
            let names: Vec<&LockName> = names.iter().collect();
            return each(&names, async |name| api.delete(&path(name)).await).await;
        }
        LocksCommand::Set(arguments) => {
            let OneLock { name, json } = &arguments.lock;
            let wanted = json!({"name": name, "permits": arguments.permits.permits});
            show(&api.post("/locks", &wanted).await?, *json)?;
        }
    }
    Ok(Ending::Well)
}

/// Where a lock is: of what its name may hold, a path means something else by a slash only.
fn path(name: &LockName) -> String {
    format!("/locks/{}", name.as_str().replace('/', "%2F"))
}

async fn list(api: &Api, arguments: &ListArguments) -> Result<(), Failure> {
    let query = [("start", arguments.start.to_string()), ("limit", arguments.limit.to_string())];
    let page: Page<Value> = api.page("/locks", &query).await?;
    if arguments.json {
        return out::say_json(&page.body);
    }
    let listed: Locks = read(&page.body)?;
    out::say(table(&listed.locks))?;
    if let Some(total) = page.total.filter(|total| *total > listed.locks.len() as u64) {
        out::note(format!("{} of {total}; see --start and --limit", listed.locks.len()));
    }
    Ok(())
}

fn read<T: for<'a> Deserialize<'a>>(answer: &Value) -> Result<T, Failure> {
    T::deserialize(answer)
        .map_err(|error| Failure::Away(format!("the API's answer cannot be read: {error}")))
}

/// One lock: a field a line, then a row for each job that holds it or stands in line.
fn show(answer: &Value, json: bool) -> Result<(), Failure> {
    if json { out::say_json(answer) } else { out::say(text(answer)?) }
}

fn text(answer: &Value) -> Result<String, Failure> {
    let lock: Lock = read(answer)?;
    let mut fields = answer.as_object().cloned().unwrap_or_default();
    fields.remove("holders");
    fields.remove("line");
    let mut text = lines(&fields, &["name", "permits", "paused", "held", "waiting"]);
    if !lock.holders.is_empty() {
        let rows = lock.holders.iter().map(|holder| {
            vec![
                holder.job_id.clone(),
                holder.number.to_string(),
                holder.action.clone(),
                holder.worker_id.clone().unwrap_or_default(),
                holder.permits.to_string(),
                holder.since.clone().unwrap_or_default(),
                holder.fencing_token.map(|token| token.to_string()).unwrap_or_default(),
                if holder.aborting { "aborting" } else { "" }.to_owned(),
            ]
        });
        let header =
            ["HELD BY", "NUMBER", "ACTION", "WORKER", "PERMITS", "SINCE", "TOKEN", "STATE"];
        text.push_str(&format!("\n\n{}", out::table(&header, rows)));
    }
    if !lock.line.is_empty() {
        let rows = lock.line.iter().map(|waiter| {
            vec![
                waiter.job_id.clone(),
                waiter.number.to_string(),
                waiter.action.clone(),
                waiter.priority.clone(),
                waiter.permits.to_string(),
            ]
        });
        let header = ["IN LINE", "NUMBER", "ACTION", "PRIORITY", "PERMITS"];
        text.push_str(&format!("\n\n{}", out::table(&header, rows)));
    }
    Ok(text)
}

/// How many jobs that hold a lock are named in its row.
const MOST_NAMED: usize = 3;

fn table(locks: &[Lock]) -> String {
    let rows = locks.iter().map(|lock| {
        let named = lock.holders.iter().take(MOST_NAMED);
        let mut holders: Vec<String> =
            named.map(|holder| format!("{} {}", holder.number, holder.action)).collect();
        if lock.holders.len() > MOST_NAMED {
            holders.push("…".to_owned());
        }
        vec![
            lock.name.clone(),
            lock.permits.map_or_else(|| "no limit".to_owned(), |permits| permits.to_string()),
            lock.held.to_string(),
            lock.waiting.to_string(),
            if lock.paused { "paused" } else { "" }.to_owned(),
            holders.join(", "),
        ]
    });
    out::table(&["NAME", "PERMITS", "HELD", "WAITING", "PAUSED", "HELD BY"], rows)
}

#[cfg(test)]
mod tests;
