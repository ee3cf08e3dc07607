//! Where waiting jobs stand: each in one place, every line, window and lock in accord with them, and nobody whose turn it
//! is left unwoken.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

use super::{Jobs, World, members};

type Job = BTreeMap<String, String>;

/// How many jobs of a share are offered before others of it wait; `window` of the scripts.
const WINDOW: u64 = 64;
const MOST_TURNS: usize = 16;
const MOST_WALKED: usize = 64;

/// What disagrees.
pub(super) fn disagreements(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut offered: BTreeMap<String, u64> = BTreeMap::new();
    let mut parked: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines: BTreeMap<&str, BTreeMap<String, f64>> = BTreeMap::new();
    for (id, job) in jobs.iter().filter(|(_, job)| job["status"] == "waiting") {
        let ready = is_ready(world, id, job);
        let has = |field: &str| usize::from(job.contains_key(field));
        let stands = [
            usize::from(members(world, "due").contains(id)),
            usize::from(ready),
            usize::from(members(world, &format!("backlog:{}", share(job))).contains(id)),
            usize::from(job.contains_key("awaitedLocks") && !ready),
            has("blockers"),
            has("awaitsChildren"),
        ];
        if stands.iter().sum::<usize>() != 1 {
            wrong.push(format!(
                "{id} waits in other than one place: due, ready, backlog, line, blocked, awaiting {stands:?}"
            ));
        }
        if ready {
            *offered.entry(share(job)).or_default() += 1;
        } else if job.contains_key("awaitedLocks") {
            *parked.entry(queue(job)).or_default() += 1;
        }
        for name in names(job) {
            lines.entry(name).or_default().insert((*id).to_owned(), score(job));
        }
    }
    compare(&mut wrong, "offered", &counts(world, "offered"), &offered);
    compare(&mut wrong, "parked", &counts(world, "parked"), &parked);
    strays(world, jobs, &mut wrong);
    for share in world.keys().filter_map(|key| key.strip_prefix("backlog:")) {
        if offered.get(share).copied().unwrap_or(0) < WINDOW {
            wrong.push(format!("{share} has a backlog, and room in its window"));
        }
    }
    of_lines(world, jobs, &lines, &mut wrong);
    of_locks(world, jobs, &mut wrong);
    wrong
}

fn compare(
    wrong: &mut Vec<String>,
    what: &str,
    found: &BTreeMap<String, u64>,
    wanted: &BTreeMap<String, u64>,
) {
    if found != wanted {
        wrong.push(format!("{what} counts {found:?}, and it is {wanted:?}"));
    }
}

/// Members of queues and backlogs that are not waiting jobs of theirs.
fn strays(world: &World, jobs: &Jobs<'_>, wrong: &mut Vec<String>) {
    for (key, value) in world {
        let Dumped::Sorted(found) = value else { continue };
        let belongs: Box<dyn Fn(&Job) -> bool> = match key.split_once(':') {
            Some(("ready", rest)) => Box::new(move |job| queue(job) == rest),
            Some(("backlog", rest)) => Box::new(move |job| share(job) == rest),
            Some(("waiters", rest)) => Box::new(move |job| names(job).any(|name| name == rest)),
            _ => continue,
        };
        let fits = |id: &&String| {
            let job = jobs.get(id.as_str());
            job.is_some_and(|job| job["status"] == "waiting" && belongs(job))
        };
        wrong.extend(found.keys().filter(|id| !fits(id)).map(|id| format!("{id} is in {key}")));
    }
}

fn of_lines(
    world: &World,
    jobs: &Jobs<'_>,
    lines: &BTreeMap<&str, BTreeMap<String, f64>>,
    wrong: &mut Vec<String>,
) {
    let named: BTreeSet<&str> = lines.keys().copied().collect();
    if members(world, "contended") != named {
        wrong.push(format!("lines are {:?}, and {named:?} have some", members(world, "contended")));
    }
    let waking = members(world, "grants");
    for (name, line) in lines {
        if world.get(&format!("waiters:{name}")) != Some(&Dumped::Sorted(line.clone())) {
            wrong.push(format!("waiters:{name} is not {line:?}"));
        }
        // Those that no lock keeps any more are let go in steps.
        let Some(turns) = turns_of(world, jobs, name, line) else {
            if !waking.contains(name) {
                wrong.push(format!("nobody has to stand in line for {name}"));
            }
            continue;
        };
        for id in &turns {
            let everywhere = names(jobs[id.as_str()]).all(|other| {
                let line = &lines[other];
                turns_of(world, jobs, other, line).is_none_or(|turns| turns.contains(id))
            });
            let ready = is_ready(world, id, jobs[id.as_str()]);
            if everywhere && !ready && !waking.contains(name) {
                wrong.push(format!("{id} has its turn at {name} and is not offered"));
            }
            if ready && !waking.contains(name) {
                wrong.push(format!("{id} has its turn at {name} for ever"));
            }
        }
    }
}

/// Whose turn it is; `None` when there is no limit.
fn turns_of(
    world: &World,
    jobs: &Jobs<'_>,
    name: &str,
    line: &BTreeMap<String, f64>,
) -> Option<Vec<String>> {
    let all = permits(world, name)?;
    let mut left = all.saturating_sub(held(world, name));
    let over = held(world, name) > all;
    let mut order: Vec<(&String, &f64)> = line.iter().collect();
    order.sort_by(|(id_a, a), (id_b, b)| a.total_cmp(b).then_with(|| id_a.cmp(id_b)));
    let mut found = Vec::new();
    for (id, _) in order.into_iter().take(MOST_WALKED) {
        let need = need(jobs[id.as_str()], name);
        if need <= all {
            if over || need > left || found.len() == MOST_TURNS {
                break;
            }
            left -= need;
            found.push(id.clone());
        }
    }
    Some(found)
}

fn of_locks(world: &World, jobs: &Jobs<'_>, wrong: &mut Vec<String>) {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (key, value) in world {
        let (Some(name), Dumped::Hash(holders)) = (key.strip_prefix("lock:"), value) else {
            continue;
        };
        for (id, units) in holders {
            let job = jobs.get(id.as_str());
            let runs = job.is_some_and(|job| super::runs(job));
            let says = job.is_some_and(|job| {
                let holds = job.get("holds").map(String::as_str).unwrap_or_default();
                holds.split(' ').any(|held| held == format!("{name}={units}"))
            });
            if !runs || !says {
                wrong.push(format!("{id} holds {name}={units}: it runs {runs}, says so {says}"));
            }
            *sums.entry(name.to_owned()).or_default() += units.parse::<u64>().unwrap_or(0);
        }
        let set = counts(world, "permits").contains_key(name);
        if !set && permits(world, name).is_some_and(|all| all > 0 && sums[name] > all) {
            wrong.push(format!("{name} is held {} times", sums[name]));
        }
    }
    compare(wrong, "permits:held", &counts(world, "permits:held"), &sums);
}

fn counts(world: &World, key: &str) -> BTreeMap<String, u64> {
    let Some(Dumped::Hash(counts)) = world.get(key) else { return BTreeMap::new() };
    counts.iter().map(|(name, count)| (name.clone(), count.parse().unwrap_or(u64::MAX))).collect()
}

fn held(world: &World, name: &str) -> u64 {
    counts(world, "permits:held").get(name).copied().unwrap_or(0)
}

fn permits(world: &World, name: &str) -> Option<u64> {
    let limit = name.starts_with("action:") || name.starts_with("class:");
    if limit && members(world, "paused").contains(name) {
        return Some(0);
    }
    let set = counts(world, "permits");
    let action = name.strip_prefix("action:").and_then(|rest| rest.split_once(':'));
    let keys = action.and_then(|(action, _)| set.get(&format!("action:{action}:*")));
    set.get(name).or(keys).copied().or((!limit).then_some(1))
}

fn need(job: &Job, name: &str) -> u64 {
    let locks = job.get("locks").map(String::as_str).unwrap_or_default();
    let own = locks.split(' ').filter_map(|lock| lock.rsplit_once('='));
    own.filter(|(own, _)| *own == name).find_map(|(_, need)| need.parse().ok()).unwrap_or(1)
}

fn names(job: &Job) -> impl Iterator<Item = &str> {
    job.get("awaitedLocks")
        .map(String::as_str)
        .unwrap_or_default()
        .split(' ')
        .filter(|n| !n.is_empty())
}

fn queue(job: &Job) -> String {
    format!("{}.{}", job["class"], band_of(job))
}

/// A record says it only where it is another than `normal`.
fn band_of(job: &Job) -> &str {
    job.get("priority").map_or("normal", String::as_str)
}

fn share(job: &Job) -> String {
    format!("{}:{}", queue(job), job.get("fairnessGroup").map(String::as_str).unwrap_or_default())
}

fn score(job: &Job) -> f64 {
    let band = ["high", "normal", "low"].iter().position(|band| *band == band_of(job));
    band.unwrap_or(0) as f64 * 3e14 + job["scheduledAt"].parse::<f64>().unwrap_or(0.0)
}

fn is_ready(world: &World, id: &str, job: &Job) -> bool {
    members(world, &format!("ready:{}", queue(job))).contains(id)
}
