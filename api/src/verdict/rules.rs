//! The rules. The first one that applies gives the sentence; all others that apply explain it. Pure.

use super::causes::{age, group_sentence, lock_sentence};
use super::facts::Facts;
use super::statement::{Urgency, Verdict};
use crate::outage::{broker, unoffered};
use crate::waiting::{Group, Waiting};
use crate::words::{count, number};
use domain::job::Status;
use store::MemoryUse;

/// A store that takes longer for one read is slow.
const SLOW_STORE_MS: u64 = 250;
/// A job that has been due for longer is late.
const LATE_MS: i64 = 60_000;
/// How many groups the explanation has.
const MOST_GROUPS: usize = 5;

/// Returns the verdict.
pub(super) fn verdict(facts: &Facts, waiting: &Waiting) -> Verdict {
    let (urgency, text, main) = sentence(facts, waiting);
    let mut because = Vec::new();
    let others = waiting.groups.iter().enumerate().filter(|(at, _)| Some(*at) != main);
    because.extend(others.take(MOST_GROUPS).map(|(_, group)| full(&explained(facts, group))));
    because.extend(waiting.long_held.iter().map(|held| {
        let (name, since) = (&held.name, age(facts.now.ms() - held.since.ms()));
        let holder = format!("job {} ({})", held.holder_number, held.holder);
        format!("Lock {name} has been held by {holder} for {since}.")
    }));
    because.extend(dead_workers(facts));
    because.extend(busy_workers(facts));
    if waiting.is_cut {
        because.push("There are more groups of waiting jobs than were looked at.".to_owned());
    }
    Verdict {
        urgency,
        text: full(&text),
        because,
        ruled_out: ruled_out(facts, waiting),
        drains_in_ms: drains_in_ms(facts, waiting),
    }
}

/// Returns the sentence, and the index of the group that it is about.
fn sentence(facts: &Facts, waiting: &Waiting) -> (Urgency, String, Option<usize>) {
    let (total, wait) = (count(waiting.total, "job"), wait(waiting.total));
    if let Some(why) = &facts.status.refuses_writes {
        return (Urgency::Alarm, format!("The store refuses writes: {why}"), None);
    }
    if facts.status.health.memory.is_some_and(|memory| memory.is_nearly_full()) {
        let text = "The store has nearly used up its memory, so new jobs are refused";
        return (Urgency::Alarm, text.to_owned(), None);
    }
    if let Some(outage) = unoffered(&facts.status.health) {
        let text = match waiting.total {
            0 => format!("No job waits, but {outage}"),
            _ => format!("{total} {wait}: {outage}"),
        };
        return (Urgency::Alarm, text, None);
    }
    if facts.store_ms >= SLOW_STORE_MS {
        let text = format!("The store is slow: one read took {} ms", number(facts.store_ms));
        return (Urgency::Notice, text, None);
    }
    if facts.active_workers() == 0 {
        let why =
            if facts.workers.is_empty() { "no worker is live" } else { "every worker drains" };
        return match waiting.total {
            0 => (Urgency::Notice, format!("No job waits, but {why}"), None),
            _ => (Urgency::Alarm, format!("{total} {wait}, and {why}"), None),
        };
    }
    match main_group(&waiting.groups) {
        Some(at) => about(facts, waiting, at),
        None => (Urgency::Calm, well(facts, waiting), None),
    }
}

/// Returns the group that explains the most: the largest of those that wait for something other
/// than their time and other jobs, otherwise the largest of all but those that are not due.
fn main_group(groups: &[Group]) -> Option<usize> {
    let largest = |wanted: &dyn Fn(&Group) -> bool| {
        let all = groups.iter().enumerate().filter(|(_, group)| wanted(group));
        all.max_by_key(|(at, group)| (group.count, std::cmp::Reverse(*at))).map(|(at, _)| at)
    };
    let relates = |group: &Group| matches!(group.code, "dependency" | "children");
    largest(&|group| group.code != "due" && !relates(group)).or_else(|| largest(&relates))
}

/// Returns the sentence about the group that explains the most.
fn about(facts: &Facts, waiting: &Waiting, at: usize) -> (Urgency, String, Option<usize>) {
    let group = &waiting.groups[at];
    let mut text = explained(facts, group);
    let late_ms = facts.now.ms() - group.oldest.ms();
    if late_ms > LATE_MS && group.code != "lock" {
        text.push_str(&format!("; the oldest was due {} ago", age(late_ms)));
    }
    let works_off = matches!(group.code, "queue" | "fairness" | "gathering");
    if let Some(ms) = drains_in_ms(facts, waiting).filter(|ms| works_off && *ms > 1_000) {
        text.push_str(&format!("; at the present rate they start within {}", age(ms as i64)));
    }
    let is_stuck = |group: &&Group| matches!(group.code, "capacity" | "action" | "outage");
    let stuck = waiting.groups.iter().find(is_stuck).filter(|stuck| stuck.code != group.code);
    if let Some(stuck) = stuck {
        text.push_str(&format!(". {}", group_sentence(stuck)));
    }
    let urgency = match group.code {
        "capacity" | "action" | "outage" => Urgency::Alarm,
        _ if stuck.is_some() || late_ms > LATE_MS || !waiting.long_held.is_empty() => {
            Urgency::Notice
        }
        _ => Urgency::Calm,
    };
    (urgency, text, Some(at))
}

fn explained(facts: &Facts, group: &Group) -> String {
    match group.code {
        "lock" => {
            let holder = facts.holder.as_ref().filter(|holder| holder.lock == group.subject);
            lock_sentence(group, holder, facts.now)
        }
        _ => group_sentence(group),
    }
}

fn well(facts: &Facts, waiting: &Waiting) -> String {
    let of =
        |status| facts.status.jobs.iter().find(|(one, _)| *one == status).map_or(0, |one| one.1);
    let running = of(Status::Running) + of(Status::CancelRequest);
    let runs = if running == 1 { "runs" } else { "run" };
    let next = waiting.groups.iter().find(|group| group.code == "due");
    match (next, running) {
        (Some(next), _) => format!(
            "All is well. {} {} until a later time; the next is due in {}",
            count(next.count, "job"),
            wait(next.count),
            age(next.oldest.ms() - facts.now.ms()),
        ),
        (None, 0) => "All is well. No job waits, and none runs".to_owned(),
        (None, running) => format!("All is well. {} {runs}, and none waits", count(running, "job")),
    }
}

fn dead_workers(facts: &Facts) -> Option<String> {
    let last = facts.dead.first()?;
    let since = age(facts.now.ms() - last.heartbeat_expiration.ms());
    let others = match facts.dead.len() - 1 {
        0 => String::new(),
        others => format!(", and {} before it", count(others as u64, "other")),
    };
    Some(format!("The lease of worker {} ({}) ended {since} ago{others}.", last.name, last.id))
}

fn busy_workers(facts: &Facts) -> Option<String> {
    let (name, percent) = facts.busiest()?;
    let workers = count(facts.workers.len() as u64, "live worker");
    let (verb, own) = if facts.workers.len() == 1 { ("uses", "its") } else { ("use", "their") };
    Some(format!("{workers} {verb} {percent} % of {own} capacity of type {name}."))
}

/// Returns what was checked and is in order.
fn ruled_out(facts: &Facts, waiting: &Waiting) -> Vec<String> {
    let status = &facts.status;
    let has = |codes: &[&str]| waiting.groups.iter().any(|group| codes.contains(&group.code));
    let is_full = status.health.memory.as_ref().is_some_and(MemoryUse::is_nearly_full);
    let store_is_well =
        !is_full && status.refuses_writes.is_none() && facts.store_ms < SLOW_STORE_MS;
    let checks = [
        (store_is_well, "The store answers in time, accepts writes and has room."),
        (broker(&status.health).is_ok(), "A scheduler is running and can publish to RabbitMQ."),
        (facts.active_workers() > 0, "A live worker starts jobs."),
        (facts.dead.is_empty(), "No lease of a worker has ended in the last 10 minutes."),
        (!waiting.is_cut && !has(&["capacity", "action"]), "A live worker fits each waiting job."),
        (status.paused.is_empty() && !has(&["paused"]), "No waiting job is paused."),
        (waiting.long_held.is_empty(), "No lock that jobs wait for has been held for 10 minutes."),
    ];
    // Workers fit all jobs only if there are some.
    let holds = |(holds, text): &(bool, &str)| {
        *holds && (facts.active_workers() > 0 || !text.contains("fits"))
    };
    checks.iter().filter(|check| holds(check)).map(|(_, text)| (*text).to_owned()).collect()
}

/// Returns how long until the jobs that only wait for workers have started at the rate of the last
/// minute, if no more come; `None` if none has started.
fn drains_in_ms(facts: &Facts, waiting: &Waiting) -> Option<u64> {
    let works_off = |group: &&Group| matches!(group.code, "queue" | "fairness" | "gathering");
    let jobs: u64 = waiting.groups.iter().filter(works_off).map(|group| group.count).sum();
    let rates = facts.status.rates;
    match (jobs, rates.started) {
        (0, _) => Some(0),
        (_, 0) => None,
        (jobs, started) => Some(jobs.saturating_mul(rates.period_ms) / started),
    }
}

fn wait(jobs: u64) -> &'static str {
    if jobs == 1 { "waits" } else { "wait" }
}

/// Returns a sentence with its first letter in upper case and its full stop.
fn full(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

#[cfg(test)]
mod tests;
