//! The store that a model describes: every key that it must have, with its value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use domain::job::{JobId, Priority, Timestamp};
use domain::limit::{RateLimit, SpacedStarts};
use store::{Dumped, NewLogLine};

use super::relations::Note;
use super::state::{Fields, Model, Record, WorkerRecord, World};
use super::waiting::Position;

impl Record {
    /// The fields of its hash.
    fn fields(&self, id: JobId) -> Fields {
        let number = |number: i64| Some(number.to_string());
        let word = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let time = |at: Option<Timestamp>| at.map(|at| at.ms().to_string());
        let count = |count: u32| (count > 0).then(|| count.to_string());
        let here = self.is_there();
        let locks: Vec<String> =
            self.locks.iter().map(|(name, need)| format!("{name}={need}")).collect();
        let lines = self.log.as_ref();
        let bytes = |log: &Vec<(i64, NewLogLine)>| {
            log.iter().map(|(_, l)| l.text.len() + 16).sum::<usize>()
        };
        let kept = [
            ("number", Some(self.number.to_string())),
            ("status", word(self.status.as_str())),
            ("action", word(&self.action)),
            ("class", word(&self.class)),
            ("scheduledAt", number(self.scheduled_at)),
            ("createdAt", number(self.created_at)),
            ("lastUpdated", number(self.last_updated)),
            ("finishedAt", self.finished_at.and_then(number)),
        ];
        let rest = [
            ("spec", word(&self.spec)),
            (
                "priority",
                Some(self.priority.to_string()).filter(|_| self.priority != Priority::Normal),
            ),
            ("startedAt", self.started_at.and_then(number)),
            ("workerID", self.worker.as_ref().map(ToString::to_string)),
            ("token", self.token.map(|token| token.to_string())),
            ("retryFromID", self.retry_from.filter(|from| *from != id).map(|id| id.to_string())),
            ("followUpID", self.follow_up.map(|id| id.to_string())),
            ("firstID", self.first.map(|id| id.to_string())),
            ("retriesLeft", count(self.retries_left)),
            ("attempt", Some(self.attempt).filter(|attempt| *attempt > 1).and_then(count)),
            ("crashes", count(self.crashes)),
            ("heldBack", count(self.held_back)),
            ("uniqueKey", self.unique_key.clone()),
            ("replaced", self.replaced.map(|count| count.to_string())),
            ("replacedBy", self.replaced_by.map(|id| id.to_string())),
            ("expiresAt", self.expires_at.and_then(number)),
            ("onWorkerLost", self.fails_with_its_worker.then(|| "fail".to_owned())),
            ("backoffBase", self.backoff_base_ms.and_then(number)),
            ("backoffMax", self.backoff_max_ms.and_then(number)),
            ("result", self.result.clone()),
            ("exception", self.exception.clone()),
            ("progress", self.progress.clone()),
            ("checkpointed", self.checkpoint.as_ref().map(|_| "1".to_owned())),
            ("cancelBy", word(&self.cancel_by)),
            ("cancelReason", word(&self.cancel_reason)),
            ("owner", word(&self.owner)),
            ("fairnessKey", self.fairness_key.clone()),
            ("locks", word(&locks.join(" "))),
            ("awaitedLocks", word(&self.awaited_locks.join(" "))),
            ("holds", self.holds.clone()),
            ("next", self.next.map(|id| id.to_string())),
            ("actionQueue", self.action_queue.then(|| "1".to_owned())),
            ("blockers", (self.blockers > 0).then(|| self.blockers.to_string())),
            ("when", self.when_finished.then(|| "finished".to_owned())),
            ("parentGroup", self.parent_group.map(|id| id.to_string())),
            ("childGroup", self.child_group.map(|id| id.to_string())),
            ("awaitsChildren", self.awaits_children.then(|| "1".to_owned())),
            ("awaitedSignal", self.signals.awaited.clone()),
            ("signalUntil", self.signals.until.and_then(number)),
            ("signalRole", self.signals.role.map(|role| role.to_string())),
            ("signalBy", self.signals.sent_by.clone()),
            ("continuesAs", self.signals.continues_as.map(|id| id.to_string())),
            ("signal", self.signals.read.as_ref().map(|(name, _)| name.clone())),
            ("signalledAt", self.signals.early_at.and_then(number)),
            (
                "failedChildren",
                (self.failed_children > 0).then(|| self.failed_children.to_string()),
            ),
            ("unblockedAt", time(self.passed.unblocked_at)),
            ("parkedAt", time(self.passed.parked_at)),
            ("parkedFor", self.parked_for.clone()),
            ("grantedAt", time(self.passed.granted_at)),
            ("ranUntil", time(self.passed.ran_until)),
            ("cancelAt", time(self.passed.cancel_at)),
            ("deleting", self.deleting.then(|| "1".to_owned())),
            ("logLines", lines.map(|log| log.len().to_string())),
            ("logBytes", lines.map(|log| bytes(log).to_string())),
            ("loggedAt", lines.and_then(|_| self.logged_at()).and_then(number)),
        ];
        let all = kept.into_iter().chain(rest.into_iter().filter(|_| here));
        all.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl WorkerRecord {
    fn fields(&self) -> Fields {
        let mut fields = self.reported.clone();
        let mut add = |name: &str, value: String| fields.insert(name.to_owned(), value);
        add("status", self.status.to_owned());
        add("startedAt", self.started_at.to_string());
        add("heartbeatExpiration", self.until.to_string());
        if let Some(drain) = &self.drain {
            add("drain", drain.clone());
        }
        if let Some(map) = &self.wanted_map {
            add("wantedMap", map.clone());
        }
        fields
    }
}

impl Model {
    /// Every key that the store must have, with its value.
    pub(super) fn expected(&self) -> World {
        let mut keys = Keys(World::new());
        for (id, job) in &self.jobs {
            keys.0.insert(format!("job:{id}"), Dumped::Hash(job.fields(*id)));
            if job.is_there() {
                keys.indexes_of(&id.to_string(), job);
                if let Some(first) = job.chain(*id) {
                    keys.sorted(format!("chain:{first}"), &id.to_string(), job.number as i64);
                }
            }
        }
        for (id, worker) in &self.workers {
            keys.0.insert(format!("worker:{id}"), Dumped::Hash(worker.fields()));
            keys.sorted("workers".into(), id.as_str(), worker.until);
            if worker.leased {
                keys.sorted("leases".into(), id.as_str(), worker.until);
            }
        }
        for queue in &self.declared {
            keys.member("declared".into(), queue);
        }
        keys.counts("routing", self.routing());
        for (id, answered) in &self.used_ids {
            keys.text(format!("used_id:{id}"), &answered.to_string());
        }
        for (key, open) in &self.batches {
            let state = format!("{} {} {}", open.id, open.list.len(), open.bytes());
            keys.text(format!("batching:{key}"), &state);
        }
        for (id, hash) in &self.requests {
            keys.text(format!("request:{id}"), &hash.to_string());
        }
        for (name, count) in [("number", self.numbers.last), ("token", self.tokens.last)] {
            if count > 0 {
                keys.text(name.to_owned(), &count.to_string());
            }
        }
        if !self.claimed_up_to.is_empty() {
            let reached =
                self.claimed_up_to.iter().map(|(queue, at)| (queue.clone(), at.to_string()));
            keys.0.insert("claimed_up_to".into(), Dumped::Hash(reached.collect()));
        }
        self.of_competition(&mut keys);
        for (name, stream) in [("outbox", &self.outbox), ("events", &self.events)] {
            if !stream.is_empty() {
                keys.0.insert(name.to_owned(), Dumped::Stream(stream.clone()));
            }
        }
        sort_outbox(&mut keys.0);
        keys.0
    }

    fn of_competition(&self, keys: &mut Keys) {
        let holders = |held: &BTreeMap<JobId, u64>| held.values().sum::<u64>();
        keys.counts("offered", self.offered.clone());
        keys.counts("offered:keyed", self.offered_keyed());
        keys.counts("waiting", self.waiting_by_owner());
        if !self.queue_owners.is_empty() {
            let owners = self.queue_owners.clone();
            keys.0.insert("queue_owners".into(), Dumped::Hash(owners));
        }
        for (owner, turns) in &self.turns {
            for (key, turn) in turns {
                keys.sorted(format!("turns:{owner}"), key, *turn);
            }
        }
        keys.counts("parked", self.parked());
        keys.counts("permits", self.permits.clone());
        keys.counts(
            "permits:held",
            self.holders.iter().map(|(n, held)| (n.clone(), holders(held))),
        );
        for (name, held) in &self.holders {
            let held = held.iter().map(|(id, need)| (id.to_string(), *need));
            keys.counts(&format!("lock:{name}"), held);
        }
        if !self.limits.is_empty() {
            let text = |limit: &RateLimit| match limit {
                RateLimit::Spaced(spaced) => {
                    let SpacedStarts { rate, per, burst } = spaced;
                    format!("{} {burst} {rate} {}", spaced.interval_ms(), per.as_millis())
                }
                RateLimit::Calendar(calendar) => {
                    let now = Timestamp::from_ms(self.clock);
                    let ends: Vec<String> =
                        calendar.ends(now).take(48).map(|at| at.ms().to_string()).collect();
                    let windows = calendar.window_text();
                    format!("calendar {} {windows} {}", calendar.quota, ends.join(" "))
                }
            };
            let limits = self.limits.iter().map(|(name, limit)| (name.clone(), text(limit)));
            keys.0.insert("limits".into(), Dumped::Hash(limits.collect()));
        }
        for (key, at) in &self.rates {
            keys.sorted("rates".into(), key, *at);
        }
        let used: BTreeMap<String, String> = self
            .calendar_used
            .iter()
            .map(|(key, (used, ends, windows))| (key.clone(), format!("{used} {ends} 0 {windows}")))
            .collect();
        if !used.is_empty() {
            keys.0.insert("calendar:used".into(), Dumped::Hash(used));
        }
        for (key, (_, ends, _)) in &self.calendar_used {
            keys.sorted("calendar:ends".into(), key, *ends);
        }
        for name in &self.paused {
            keys.member("paused".into(), name);
        }
        for (name, at) in &self.grants {
            keys.sorted("grants".into(), name, *at);
        }
        for (on, set) in &self.dependents {
            for (id, (score, number)) in set {
                keys.sorted(format!("dependents:{on}"), &member(id, *number), *score);
            }
        }
        let sets = [("children", &self.children), ("stopping", &self.stopping)];
        for (kind, sets) in sets {
            for (of, set) in sets {
                for (id, score) in set {
                    keys.sorted(format!("{kind}:{of}"), &id.to_string(), *score);
                }
            }
        }
        if !self.parents.is_empty() {
            let parents = self.parents.iter().map(|(f, id)| (f.to_string(), id.to_string()));
            keys.0.insert("parents".into(), Dumped::Hash(parents.collect()));
        }
        if !self.propagations.is_empty() {
            let notes = self.propagations.iter().map(Note::text).collect();
            keys.0.insert("propagations".into(), Dumped::List(notes));
        }
    }
}

/// Brings the outbox into an order that does not depend on how a script orders its queues: the jobs
/// of one queue keep theirs.
pub(super) fn sort_outbox(world: &mut World) {
    if let Some(Dumped::Stream(jobs)) = world.get_mut("outbox") {
        jobs.sort_by(|one, other| one["queue"].cmp(&other["queue"]));
    }
}

/// How a waiting job stands in a sorted set.
fn member(id: impl Display, number: u64) -> String {
    format!("{number:016}:{id}")
}

/// The keys while they are put together.
struct Keys(World);

impl Keys {
    fn text(&mut self, key: String, value: &str) {
        self.0.insert(key, Dumped::Text(value.to_owned()));
    }

    fn member(&mut self, key: String, member: &str) {
        let set = self.0.entry(key).or_insert_with(|| Dumped::Set(BTreeSet::new()));
        if let Dumped::Set(set) = set {
            set.insert(member.to_owned());
        }
    }

    fn sorted(&mut self, key: String, member: &str, score: i64) {
        let set = self.0.entry(key).or_insert_with(|| Dumped::Sorted(BTreeMap::new()));
        if let Dumped::Sorted(set) = set {
            set.insert(member.to_owned(), score as f64);
        }
    }

    fn counts(&mut self, key: &str, counts: impl IntoIterator<Item = (String, u64)>) {
        let hash: Fields =
            counts.into_iter().map(|(name, count)| (name, count.to_string())).collect();
        if !hash.is_empty() {
            self.0.insert(key.to_owned(), Dumped::Hash(hash));
        }
    }

    fn indexes_of(&mut self, id: &str, job: &Record) {
        let (at, member) = (job.scheduled_at, member(id, job.number));
        self.sorted("jobs:number".into(), id, job.number as i64);
        self.sorted(format!("jobs:status:{}", job.status), id, at);
        self.sorted(format!("jobs:action:{}", job.action), id, at);
        if let Some(worker) = &job.worker {
            self.sorted(format!("jobs:worker:{worker}"), id, at);
            if job.status.is_running() {
                self.member(format!("running:{worker}"), id);
            }
        }
        if let Some(key) = job.unique_key.as_ref().filter(|_| !job.status.is_final()) {
            self.text(format!("unique:{key}"), id);
        }
        if let Some(group) = &job.parent_group {
            self.sorted(format!("jobs:parent:{group}"), id, at);
        }
        if job.waits() {
            match job.position {
                Position::Offered(at) => {
                    self.sorted(format!("ready:{}", job.queue()), &member, at);
                }
                Position::Due(at) => self.sorted("due".into(), &member, at),
                Position::Backlog => {
                    self.sorted(format!("backlog:{}", job.group_name()), &member, at);
                }
                Position::Parked | Position::Nowhere => {}
            }
            for name in &job.awaited_locks {
                self.sorted(format!("waiters:{name}"), &member, job.wait_score());
                self.member("contended".into(), name);
            }
            if let Some(expires) = job.expires() {
                self.sorted("expiring".into(), id, expires);
            }
        }
        if let Some(checkpoint) = &job.checkpoint {
            self.text(format!("checkpoint:{id}"), checkpoint);
        }
        if let Some((_, signal)) = &job.signals.read {
            self.text(format!("signal:{id}"), signal);
        }
        if !job.signals.early.is_empty() {
            self.0.insert(format!("signals:{id}"), Dumped::Hash(job.signals.early.clone()));
        }
        let lines = job.log.iter().flatten().map(|(at, line)| {
            let fields = [
                ("at", at.to_string()),
                ("source", line.source.to_string()),
                ("text", line.text.clone()),
            ];
            fields.map(|(name, value)| (name.to_owned(), value)).into()
        });
        let lines: Vec<Fields> = lines.collect();
        if !lines.is_empty() {
            self.0.insert(format!("log:{id}"), Dumped::Stream(lines));
        }
    }
}
