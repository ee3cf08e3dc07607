//! Where a job waits, in the store's words.

use domain::job::{JobId, Priority};
use domain::lock::LockName;
use store::WaitPosition;

use super::routing::Kind;
use super::state::{Model, Record};
use super::waiting::Position;

impl Model {
    /// Where a waiting job waits, and how many waiters each of its locks has ahead of it. `None`
    /// when it does not wait.
    pub(super) fn look(&self, id: JobId) -> Option<(WaitPosition, Vec<Option<u64>>)> {
        let job = self.jobs.get(&id).filter(|job| job.waits())?;
        let locks = job.awaited_locks.iter();
        let ahead = locks.clone().map(|name| {
            self.wait_queue(name).iter().position(|other| *other == id).map(|rank| rank as u64)
        });
        let position = self.wait_position(id, job);
        let is_parked = matches!(position, WaitPosition::Locks(_));
        Some((position, if is_parked { ahead.collect() } else { Vec::new() }))
    }

    fn wait_position(&self, id: JobId, job: &Record) -> WaitPosition {
        if job.blockers > 0 {
            return WaitPosition::Dependencies(job.blockers as u32);
        }
        if job.awaits_children {
            let children = job.child_group.and_then(|group| self.children.get(&group));
            return WaitPosition::Children(children.map_or(0, |all| all.len() as u64));
        }
        if job.signals.awaited.is_some() {
            return WaitPosition::Signal;
        }
        if matches!(job.position, Position::Due(at) if at <= job.scheduled_at) {
            return WaitPosition::Due;
        }
        let limits = [format!("action:{}", job.action), format!("class:{}", job.class)];
        if let Some(paused) = limits.iter().find(|name| self.paused.contains(*name)) {
            return WaitPosition::Paused(paused.parse().unwrap());
        }
        let locks = job.awaited_locks.iter().map(|name| name.parse::<LockName>().unwrap());
        match job.position {
            Position::Offered(at) => {
                let (queue, key) = (job.queue(), (at, job.number));
                let earlier = self.offered_in(&queue).filter(|other| *other < key).count();
                WaitPosition::Offered(earlier as u64 + self.more_urgent(job))
            }
            Position::Parked => WaitPosition::Locks(locks.collect()),
            Position::Backlog => {
                let group = job.group_name();
                let before = |(other, one): &(&JobId, &Record)| {
                    let key = (one.scheduled_at, one.number);
                    **other != id
                        && one.group_name() == group
                        && key < (job.scheduled_at, job.number)
                };
                let waiting = self
                    .jobs
                    .iter()
                    .filter(|(_, one)| one.waits() && one.position == Position::Backlog);
                let rank = waiting.filter(before).count() as u64;
                let ahead = rank + self.offered.get(&group).copied().unwrap_or(0);
                WaitPosition::Backlog { ahead, turns: self.turns_before(&group) }
            }
            Position::Due(_) => WaitPosition::Queue,
            Position::Nowhere => WaitPosition::Nowhere,
        }
    }

    /// When the jobs of a queue were offered, and their numbers.
    fn offered_in(&self, queue: &str) -> impl Iterator<Item = (i64, u64)> {
        let waiting = self.jobs.values().filter(|job| job.waits());
        waiting.filter_map(move |job| match job.position {
            Position::Offered(at) => (job.queue() == queue).then_some((at, job.number)),
            Position::Due(_) | Position::Backlog | Position::Parked | Position::Nowhere => None,
        })
    }

    /// How many jobs are offered through the same kind of queue with a higher priority.
    fn more_urgent(&self, job: &Record) -> u64 {
        let higher = Priority::ALL.into_iter().filter(|priority| *priority < job.priority);
        let queues = higher.map(|priority| {
            let (class, action, owner) = (&job.class, &job.action, &job.owner);
            let kind = Kind { class, action, priority, owner };
            if job.action_queue { kind.action_queue() } else { kind.shared_queue() }
        });
        queues.map(|queue| self.offered_in(&queue).count() as u64).sum()
    }
}
