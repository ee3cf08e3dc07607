//! Where jobs wait: each in exactly one place, every wait queue, window and lock in agreement with
//! the records, and every waiter that is granted a lock is offered.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

use super::offers::{Offers, group};
use super::state::{
    Fields, Jobs, World, compare, counts, id_of, member_of, members, priority_of, queue_of, runs,
    score_of,
};

const MOST_GRANTED: usize = 16;
const MOST_WALKED: usize = 64;

/// Returns what disagrees.
pub(super) fn disagreements(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut offers = Offers::default();
    let mut parked: BTreeMap<String, u64> = BTreeMap::new();
    let mut waiters: BTreeMap<&str, BTreeMap<String, f64>> = BTreeMap::new();
    for (id, job) in jobs.iter().filter(|(_, job)| job["status"] == "waiting") {
        let (ready, member) = (is_ready(world, id, job), member_of(id, job));
        let has = |field: &str| usize::from(job.contains_key(field));
        let scheduled_at = job["scheduledAt"].parse().unwrap_or(f64::NAN);
        let due = score_of(world, "due", &member);
        let backlog = score_of(world, &format!("backlog:{}", group(job)), &member);
        let places = [
            usize::from(due.is_some()),
            usize::from(ready),
            usize::from(backlog.is_some()),
            usize::from(job.contains_key("awaitedLocks") && !ready),
            has("blockers"),
            has("awaitsChildren"),
            has("awaitedSignal"),
        ];
        if places.iter().sum::<usize>() != 1 {
            wrong.push(format!(
                "{id} does not wait in exactly one place: {places:?} of \
                 due, ready, backlog, wait queue, dependencies, children, signal"
            ));
        }
        // A job for whose queue there is no room is due again later.
        if due.is_some_and(|at| at < scheduled_at) || backlog.is_some_and(|at| at != scheduled_at) {
            wrong.push(format!("{id} stands at {due:?} {backlog:?}, and not at {scheduled_at}"));
        }
        if ready {
            offers.add(job);
        } else if job.contains_key("awaitedLocks") {
            *parked.entry(queue_of(job)).or_default() += 1;
        }
        for name in awaited_locks(job) {
            waiters.entry(name).or_default().insert(member.clone(), score(job));
        }
    }
    wrong.extend(offers.disagreements(world));
    compare(&mut wrong, "parked", &counts(world, "parked"), &parked);
    compare(&mut wrong, "waiting", &counts(world, "waiting"), &waiting_by_owner(jobs));
    strays(world, jobs, &mut wrong);
    check_wait_queues(world, jobs, &waiters, &mut wrong);
    check_locks(world, jobs, &mut wrong);
    wrong
}

/// How many jobs of each owner wait, and the bytes of their specs.
fn waiting_by_owner(jobs: &Jobs<'_>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for job in jobs.values().filter(|job| job["status"] == "waiting") {
        let owner = job.get("owner").map(String::as_str).unwrap_or_default();
        *sums.entry(format!("jobs:{owner}")).or_default() += 1;
        let spec = job.get("spec").map_or(0, String::len);
        *sums.entry(format!("bytes:{owner}")).or_default() += spec as u64;
    }
    sums
}

/// Finds members of queues, backlogs and wait queues that do not belong there, or whose number is
/// not the job's.
fn strays(world: &World, jobs: &Jobs<'_>, wrong: &mut Vec<String>) {
    for (key, value) in world {
        let Dumped::Sorted(found) = value else { continue };
        let belongs: Box<dyn Fn(&Fields) -> bool> = match key.split_once(':') {
            None if key == "due" => Box::new(|_| true),
            Some(("ready", rest)) => Box::new(move |job| queue_of(job) == rest),
            Some(("backlog", rest)) => Box::new(move |job| group(job) == rest),
            Some(("waiters", rest)) => {
                Box::new(move |job| awaited_locks(job).any(|name| name == rest))
            }
            _ => continue,
        };
        let fits = |member: &&String| {
            let id = id_of(member);
            let job = jobs.get(id).filter(|job| job["status"] == "waiting" && belongs(job));
            job.is_some_and(|job| **member == member_of(id, job))
        };
        let strays = found.keys().filter(|member| !fits(member));
        wrong.extend(strays.map(|member| format!("{member} does not belong in {key}")));
    }
}

fn check_wait_queues(
    world: &World,
    jobs: &Jobs<'_>,
    waiters: &BTreeMap<&str, BTreeMap<String, f64>>,
    wrong: &mut Vec<String>,
) {
    let named: BTreeSet<&str> = waiters.keys().copied().collect();
    if members(world, "contended") != named {
        wrong.push(format!(
            "contended is {:?}, and {named:?} have waiters",
            members(world, "contended")
        ));
    }
    let checked = members(world, "grants");
    for (name, queue) in waiters {
        if world.get(&format!("waiters:{name}")) != Some(&Dumped::Sorted(queue.clone())) {
            wrong.push(format!("waiters:{name} is not {queue:?}"));
        }
        // Those of a rate limit are granted it as time passes, so the ticker must look at it.
        if name.starts_with("rate:") {
            let all = permits(world, name);
            let fits =
                |member: &String| all.is_none_or(|all| need(jobs[id_of(member)], name) <= all);
            if !checked.contains(name) && queue.keys().any(fits) {
                wrong.push(format!("{name} has waiters, and the ticker does not look at it"));
            }
            continue;
        }
        // The waiters of a lock without a limit are released in steps.
        let Some(granted) = granted_to(world, jobs, name, queue) else {
            if !checked.contains(name) {
                wrong.push(format!("{name} has no limit, and has waiters that are not released"));
            }
            continue;
        };
        for member in &granted {
            let id = id_of(member);
            let everywhere = awaited_locks(jobs[id]).all(|other| {
                let granted = granted_to(world, jobs, other, &waiters[other]);
                granted.is_none_or(|granted| granted.contains(member))
            });
            let ready = is_ready(world, id, jobs[id]);
            if everywhere && !ready && !checked.contains(name) {
                wrong.push(format!("{id} is granted {name} and is not offered"));
            }
            if ready && !checked.contains(name) {
                wrong.push(format!("the grant of {name} to {id} never expires"));
            }
        }
    }
}

/// Returns the waiters, as members, that a lock is granted to; `None` when it has no limit.
fn granted_to(
    world: &World,
    jobs: &Jobs<'_>,
    name: &str,
    queue: &BTreeMap<String, f64>,
) -> Option<Vec<String>> {
    let all = permits(world, name)?;
    if name.starts_with("rate:") {
        return Some(Vec::new());
    }
    let mut left = all.saturating_sub(held(world, name));
    let over = held(world, name) > all;
    let mut order: Vec<(&String, &f64)> = queue.iter().collect();
    order.sort_by(|(one, a), (other, b)| a.total_cmp(b).then_with(|| one.cmp(other)));
    let mut found = Vec::new();
    for (member, _) in order.into_iter().take(MOST_WALKED) {
        let need = need(jobs[id_of(member)], name);
        if need <= all {
            if over || need > left || found.len() == MOST_GRANTED {
                break;
            }
            left -= need;
            found.push(member.clone());
        }
    }
    Some(found)
}

fn check_locks(world: &World, jobs: &Jobs<'_>, wrong: &mut Vec<String>) {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (key, value) in world {
        let (Some(name), Dumped::Hash(holders)) = (key.strip_prefix("lock:"), value) else {
            continue;
        };
        for (id, units) in holders {
            let job = jobs.get(id.as_str());
            let runs = job.is_some_and(|job| runs(job));
            let says = job.is_some_and(|job| {
                let holds = job.get("holds").map(String::as_str).unwrap_or_default();
                holds.split(' ').any(|held| held == format!("{name}={units}"))
            });
            if !runs || !says {
                wrong.push(format!(
                    "{id} holds {name}={units}; it runs: {runs}; its record agrees: {says}"
                ));
            }
            *sums.entry(name.to_owned()).or_default() += units.parse::<u64>().unwrap_or(0);
        }
        let set = counts(world, "permits").contains_key(name);
        if !set && permits(world, name).is_some_and(|all| all > 0 && sums[name] > all) {
            wrong.push(format!("{name} is held {} times, more than its permits", sums[name]));
        }
    }
    compare(wrong, "permits:held", &counts(world, "permits:held"), &sums);
}

fn held(world: &World, name: &str) -> u64 {
    counts(world, "permits:held").get(name).copied().unwrap_or(0)
}

/// The burst of a key of a rate limit, from its own limit or from the longest pattern.
fn burst(world: &World, key: &str) -> Option<u64> {
    let Some(Dumped::Hash(limits)) = world.get("limits") else { return None };
    let matches = |name: &String| {
        name.strip_suffix('*').map_or(name == key, |prefix| key.starts_with(prefix))
    };
    let matching = limits.iter().filter(|(name, _)| matches(name));
    let (_, text) = matching.max_by_key(|(name, _)| (*name == key, name.len()))?;
    text.split(' ').nth(1)?.parse().ok()
}

fn permits(world: &World, name: &str) -> Option<u64> {
    if let Some(key) = name.strip_prefix("rate:") {
        return burst(world, key);
    }
    let limit = name.starts_with("action:") || name.starts_with("class:");
    if limit && members(world, "paused").contains(name) {
        return Some(0);
    }
    let set = counts(world, "permits");
    let action = name.strip_prefix("action:").and_then(|rest| rest.split_once(':'));
    let keys = action.and_then(|(action, _)| set.get(&format!("action:{action}:*")));
    set.get(name).or(keys).copied().or((!limit).then_some(1))
}

fn need(job: &Fields, name: &str) -> u64 {
    let locks = job.get("locks").map(String::as_str).unwrap_or_default();
    let own = locks.split(' ').filter_map(|lock| lock.rsplit_once('='));
    own.filter(|(own, _)| *own == name).find_map(|(_, need)| need.parse().ok()).unwrap_or(1)
}

fn awaited_locks(job: &Fields) -> impl Iterator<Item = &str> {
    job.get("awaitedLocks")
        .map(String::as_str)
        .unwrap_or_default()
        .split(' ')
        .filter(|n| !n.is_empty())
}

fn score(job: &Fields) -> f64 {
    let band = ["high", "normal", "low"].iter().position(|band| *band == priority_of(job));
    band.unwrap_or(0) as f64 * 3e14 + job["scheduledAt"].parse::<f64>().unwrap_or(0.0)
}

fn is_ready(world: &World, id: &str, job: &Fields) -> bool {
    score_of(world, &format!("ready:{}", queue_of(job)), &member_of(id, job)).is_some()
}
