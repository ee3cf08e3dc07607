//! The state of the fleet as a sentence. The first rule that applies to the present state of the
//! store determines it.

use std::collections::BTreeMap;

use crate::web::format::{count, number, rough};

/// What the rules look at.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// The number of workers that send heartbeats.
    pub(super) live_workers: u64,
    /// The number of those that start no jobs.
    pub(super) draining_workers: u64,
    /// The number of running jobs.
    pub(super) running: u64,
    /// The number of waiting jobs.
    pub(super) waiting: u64,
    /// How long the waiting job that was due first has been due; negative if it is not due yet.
    pub(super) oldest_ms: i64,
    /// The codes of the reasons why the oldest waiting jobs wait.
    pub(super) codes: Vec<&'static str>,
    /// Why no job is offered to workers, in words.
    pub(super) outage: Option<String>,
    /// True if the store has nearly used up its memory.
    pub(super) store_is_nearly_full: bool,
}

/// How urgent a verdict is; also the name of its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Nothing has to be done.
    Calm,
    /// Someone should look at it.
    Notice,
    /// Jobs cannot run.
    Alarm,
}

/// A job that has been due for longer is late.
const LATE_MS: i64 = 60_000;

/// Returns the sentence and its urgency.
pub(super) fn verdict(signs: &Signs) -> (Urgency, String) {
    let waiting = count(signs.waiting, "job");
    let wait = if signs.waiting == 1 { "waits" } else { "wait" };
    let active = signs.live_workers.saturating_sub(signs.draining_workers);
    if signs.store_is_nearly_full {
        let text = "The store has nearly used up its memory, so new jobs are refused.";
        return (Urgency::Alarm, text.to_owned());
    }
    if let Some(outage) = &signs.outage {
        let text = match signs.waiting {
            0 => format!("No job waits, but {outage}."),
            _ => format!("{waiting} {wait}: {outage}."),
        };
        return (Urgency::Alarm, text);
    }
    if active == 0 && signs.waiting > 0 {
        let why = if signs.live_workers == 0 { "no worker is live" } else { "every worker drains" };
        return (Urgency::Alarm, format!("{waiting} {wait}, and {why}."));
    }
    if active == 0 {
        let why = if signs.live_workers == 0 { "No worker is live" } else { "Every worker drains" };
        return (Urgency::Notice, format!("{why}. No job waits."));
    }
    if signs.waiting == 0 {
        let text = match signs.running {
            0 => "All is well. No job waits, and none runs.".to_owned(),
            running => format!("All is well. {} run, and none waits.", count(running, "job")),
        };
        return (Urgency::Calm, text.replace("1 job run,", "1 job runs,"));
    }
    if signs.oldest_ms <= 0 {
        let next = rough(-signs.oldest_ms);
        return (
            Urgency::Calm,
            format!("All is well. {waiting} {wait}; the next is due in {next}."),
        );
    }
    let main = main_code(&signs.codes);
    let age = rough(signs.oldest_ms);
    let mut text = format!("{waiting} {wait}, the oldest for {age}: {}.", cause(main));
    let stuck = signs.codes.iter().filter(|code| **code == "capacity").count() as u64;
    if stuck > 0 && main != "capacity" {
        let needs = if stuck == 1 { "needs" } else { "need" };
        let jobs = count(stuck, "job");
        text.push_str(&format!(" {jobs} {needs} capacity that no live worker offers."));
    }
    let urgency = match main {
        "capacity" | "action" => Urgency::Alarm,
        _ if stuck > 0 || signs.oldest_ms > LATE_MS => Urgency::Notice,
        _ => Urgency::Calm,
    };
    (urgency, text)
}

/// Returns the code of most of the oldest jobs; of several, that of the older job.
fn main_code(codes: &[&'static str]) -> &'static str {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for code in codes {
        *numbers.entry(code).or_default() += 1;
    }
    let most = numbers.values().max().copied();
    let mut of_most = codes.iter().filter(|code| numbers.get(*code).copied() == most);
    of_most.next().copied().unwrap_or("queue")
}

fn cause(code: &str) -> &'static str {
    match code {
        "due" => "it waits for its back-off",
        "dependency" => "the jobs it depends on have not finished",
        "children" => "its children have not finished",
        "paused" => "its action or class is paused",
        "lock" => "a lock is held",
        "fairness" => "other jobs of the same fairness group go first",
        "capacity" => "no live worker offers the capacity that it needs",
        "action" => "too few live workers know its action",
        "draining" => "every worker that could run it is draining",
        _ => "the workers are busy",
    }
}

/// Describes the workers, for the line below the verdict.
pub(super) fn workers(signs: &Signs) -> String {
    let live = signs.live_workers;
    let draining = match signs.draining_workers {
        0 => String::new(),
        draining => format!(", {} of them draining", number(draining)),
    };
    let running = count(signs.running, "running job");
    format!("{} live{draining} · {running}", count(live, "worker"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_first_rule_that_applies_gives_the_verdict() {
        let fleet = || Signs { live_workers: 3, running: 2, ..Signs::default() };
        let late = |codes: &[&'static str]| Signs {
            waiting: 13,
            oldest_ms: 720_000,
            codes: codes.to_vec(),
            ..fleet()
        };
        let cases = [
            Signs::default(),
            Signs { waiting: 1, ..Signs::default() },
            Signs { waiting: 2, draining_workers: 3, ..fleet() },
            Signs { store_is_nearly_full: true, ..fleet() },
            Signs { outage: Some("no scheduler is running".to_owned()), waiting: 2, ..fleet() },
            fleet(),
            Signs { running: 0, ..fleet() },
            Signs { running: 1, ..fleet() },
            Signs { waiting: 1, oldest_ms: -300_000, ..fleet() },
            late(&["queue", "lock", "lock"]),
            late(&["capacity"]),
            Signs { oldest_ms: 2000, ..late(&["lock", "capacity", "lock"]) },
            late(&["dependency", "paused"]),
            late(&[]),
            Signs { oldest_ms: 2000, ..late(&["queue"]) },
        ];
        let texts = cases.map(|signs| {
            let (urgency, text) = verdict(&signs);
            format!("{urgency:?}: {text}\n")
        });
        expect![[r#"
            Notice: No worker is live. No job waits.
            Alarm: 1 job waits, and no worker is live.
            Alarm: 2 jobs wait, and every worker drains.
            Alarm: The store has nearly used up its memory, so new jobs are refused.
            Alarm: 2 jobs wait: no scheduler is running.
            Calm: All is well. 2 jobs run, and none waits.
            Calm: All is well. No job waits, and none runs.
            Calm: All is well. 1 job runs, and none waits.
            Calm: All is well. 1 job waits; the next is due in 5 min.
            Notice: 13 jobs wait, the oldest for 12 min: a lock is held.
            Alarm: 13 jobs wait, the oldest for 12 min: no live worker offers the capacity that it needs.
            Notice: 13 jobs wait, the oldest for 2 s: a lock is held. 1 job needs capacity that no live worker offers.
            Notice: 13 jobs wait, the oldest for 12 min: the jobs it depends on have not finished.
            Notice: 13 jobs wait, the oldest for 12 min: the workers are busy.
            Calm: 13 jobs wait, the oldest for 2 s: the workers are busy.
        "#]]
        .assert_eq(&texts.concat());
    }
}
