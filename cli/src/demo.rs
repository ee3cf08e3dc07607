//! `capstan demo`: on a real fleet, and through the API alone, that jobs run where and when they
//! should. It reports and judges; each part is a file of its own that says what it looks for.

mod crons;
mod digests;
mod files;
mod three_jobs;

use std::time::{Duration, Instant};

use clap::Args;

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::{Worker, Workers, units_of};

/// What `demo` is told.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// How long all of it may take
    #[arg(long, default_value = "120s", value_parser = shared::config::duration)]
    timeout: Duration,

    /// How many files to have digested; from 100 on both workers must take part
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    count: u64,
}

/// What every part is given.
struct Stage<'a> {
    api: &'a Api,
    deadline: Instant,
    count: usize,
    /// The one live worker that offers `scan`.
    scanner: String,
}

impl Stage<'_> {
    /// What is left of the time.
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// How a part went.
#[derive(Default)]
struct Part {
    table: String,
    jobs: usize,
    digests: usize,
    /// What is not as it should be, a sentence each.
    wrong: Vec<String>,
}

/// Plays all parts.
pub(crate) async fn run(api: &Api, arguments: &DemoArguments) -> Result<Ending, Failure> {
    let began = Instant::now();
    let deadline = began + arguments.timeout;
    let mut total = Part::default();
    let played = async {
        let scanner = scanner(api, deadline).await?;
        let stage = Stage { api, deadline, count: arguments.count as usize, scanner };
        add(&mut total, three_jobs::play(&stage).await?)?;
        add(&mut total, digests::play(&stage).await?)?;
        add(&mut total, crons::play(&stage).await?)
    };
    match played.await {
        Ok(()) => {}
        // A fleet that is too slow is not as it should be; the rest is not the fleet's doing.
        Err(Failure::Late(why)) => total.wrong.push(why),
        Err(other) => return Err(other),
    }
    if total.wrong.is_empty() {
        let (jobs, digests) = (total.jobs, total.digests);
        let took = began.elapsed().as_secs_f64();
        out::say(format!(
            "demo: all as it should be: {jobs} jobs, {digests} digests checked, {took:.1} s"
        ))?;
    } else {
        out::say(format!("demo: not as it should be, {} times:", total.wrong.len()))?;
        for why in &total.wrong {
            out::say(format!("  - {why}"))?;
        }
    }
    Ok(Ending::well_if(total.wrong.is_empty()))
}

/// Prints a part and counts it in.
fn add(total: &mut Part, part: Part) -> Result<(), Failure> {
    out::say(format!("{}\n", part.table))?;
    total.jobs += part.jobs;
    total.digests += part.digests;
    total.wrong.extend(part.wrong);
    Ok(())
}

/// A worker of an earlier run, killed, counts as alive until its lease ends.
const SETTLE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);

/// The worker that offers `scan`, when there is exactly one and another one beside it.
async fn scanner(api: &Api, deadline: Instant) -> Result<String, Failure> {
    let deadline = deadline.min(Instant::now() + SETTLE);
    loop {
        let all: Workers = api.get("/workers").await?;
        match the_scanner(&all.workers) {
            Ok(id) => return Ok(id),
            Err(why) if Instant::now() >= deadline => return Err(Failure::Late(why)),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn the_scanner(workers: &[Worker]) -> Result<String, String> {
    let live = || workers.iter().filter(|worker| worker.status == "running");
    let scanners: Vec<&Worker> =
        live().filter(|worker| units_of(&worker.capacity_map, "scan") > 0).collect();
    let count = live().count();
    match scanners[..] {
        _ if count < 2 => Err(format!("the demo needs two live workers, and there are {count}")),
        [one]
            if units_of(&one.capacity_map, "scan") == 1
                && units_of(&one.capacity_map, "scanCheck") > 0 =>
        {
            Ok(one.id.clone())
        }
        [_] => Err("the worker that offers scan must offer scan=1,scanCheck=1".to_owned()),
        _ => Err(format!(
            "the demo needs exactly one live worker that offers scan, and there are {}",
            scanners.len()
        )),
    }
}

/// Seconds from one moment to another, for a table; nothing when the other has not come.
fn seconds_since(from: shared::job::Timestamp, to: Option<shared::job::Timestamp>) -> String {
    to.map(|to| format!("{:.3}", (to.ms() - from.ms()) as f64 / 1000.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn worker(id: &str, status: &str, offers: &serde_json::Value) -> Worker {
        let document = json!({"id": id, "status": status, "capacityMap": offers});
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn the_demo_needs_one_worker_that_scans_and_another() {
        let a = || worker("a", "running", &json!({"scan": 1, "scanCheck": 1, "default": 16}));
        let b = || worker("b", "running", &json!({"cpu": 2, "default": 16}));
        let dead = || worker("c", "dead", &json!({"scan": 1}));
        assert_eq!(the_scanner(&[dead(), b(), a()]), Ok("a".to_owned()));
        let large = worker("a", "running", &json!({"scan": 2, "scanCheck": 1}));
        let fleets = [
            vec![],
            vec![a()],
            vec![a(), dead()],
            vec![b(), b()],
            vec![a(), a()],
            vec![large, b()],
        ];
        for fleet in fleets {
            assert!(the_scanner(&fleet).is_err(), "{fleet:?}");
        }
    }
}
