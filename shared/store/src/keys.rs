//! The names of the keys that plain reads use. Scripts make the same names in
//! `includes/*_keys.lua`; the test
//! `keys_are_the_same_in_rust_and_lua` compares the two.

use std::fmt::Display;

use domain::cron::CronName;
use domain::failure::Fingerprint;
use domain::job::{ActionName, JobId, Status, WorkerId};
use domain::lock::LockName;
use domain::queue::QueueName;
use domain::subscription::SubscriptionName;
use uuid::Uuid;

/// The keys of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    root: String,
}

/// Keys of the whole namespace.
macro_rules! fixed {
    ($($name:ident $key:literal)*) => {
        impl Keys {
            $(pub(crate) fn $name(&self) -> String {
                self.named($key)
            })*
        }
    };
}

/// Keys of one object.
macro_rules! of_one {
    ($($name:ident $prefix:literal $of:ty,)*) => {
        impl Keys {
            $(pub(crate) fn $name(&self, of: $of) -> String {
                self.named(format_args!(concat!($prefix, ":{}"), of))
            })*
        }
    };
}

fixed! {
    action_configs "action_configs"
    actions "actions"
    audit "audit"
    audit_refused "audit:refused"
    batches "batches"
    batches_done "batches:done"
    bulk "bulk"
    bulk_running "bulk:running"
    check "check"
    contended "contended"
    cron_names "cron_names"
    calendar_used "calendar:used"
    declared "declared"
    due "due"
    events "events"
    failures "failures"
    hints "hints"
    leases "leases"
    limits "limits"
    link_key "link_key"
    numbers "jobs:number"
    offered "offered"
    offered_keyed "offered:keyed"
    outbox "outbox"
    parked "parked"
    paused "paused"
    permits "permits"
    permits_held "permits:held"
    rates "rates"
    replication "replication"
    routing "routing"
    series_cursor "series:cursor"
    series_numbers "series:numbers"
    services "services"
    settings "settings"
    subscription_cursor "subscriptions:cursor"
    subscriptions "subscriptions"
    waiting "waiting"
    workers "workers"
}

of_one! {
    action "jobs:action" &ActionName,
    backlog "backlog" &str,
    batch "batch" &str,
    bulk_operation "bulk" Uuid,
    chain "chain" JobId,
    checkpoint "checkpoint" JobId,
    child_jobs "jobs:parent" JobId,
    children "children" JobId,
    cron "cron" &CronName,
    cron_held "cron_held" &CronName,
    deliveries "deliveries" &SubscriptionName,
    failure_group "failure_group" Fingerprint,
    hints_of "hints" &WorkerId,
    job "job" JobId,
    jobs_of "jobs:worker" &WorkerId,
    lock "lock" &LockName,
    log "log" JobId,
    ready "ready" &QueueName,
    running "running" &WorkerId,
    signal "signal" JobId,
    status "jobs:status" Status,
    subscription "subscription" &SubscriptionName,
    turns "turns" &str,
    unique "unique" &str,
    used_id "used_id" JobId,
    waiters "waiters" &LockName,
    worker "worker" &WorkerId,
}

/// How a waiting job stands in a sorted set: by its number, then its id, so that jobs of one moment
/// keep the order in which they were submitted.
pub(crate) fn member(id: JobId, number: u64) -> String {
    format!("{number:016}:{id}")
}

/// The id in such a member.
pub(crate) fn id_part(member: &str) -> &str {
    member.split_once(':').map_or(member, |(_, id)| id)
}

impl Keys {
    pub(crate) fn new(namespace: &str) -> Keys {
        Keys { root: format!("{{{namespace}}}:") }
    }

    /// `{namespace}:`, which every key begins with; the braces make it the hash tag of a cluster.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The pattern that all keys of the namespace match.
    pub(crate) fn pattern(&self) -> String {
        format!("{}*", self.root)
    }

    /// An interval of time series.
    pub(crate) fn series(&self, resolution: &str, at_ms: i64) -> String {
        self.named(format_args!("series:{resolution}:{at_ms}"))
    }

    /// An interval of failures.
    pub(crate) fn failed(&self, resolution: &str, at_ms: i64) -> String {
        self.named(format_args!("failed:{resolution}:{at_ms}"))
    }

    /// All jobs, by `scheduledAt`: each is in the set of its status. A tombstone is in none.
    pub(crate) fn all_jobs(&self) -> Vec<String> {
        let statuses = Status::ALL.into_iter().filter(|status| *status != Status::Deleted);
        statuses.map(|status| self.status(status)).collect()
    }

    fn named(&self, rest: impl Display) -> String {
        format!("{}{rest}", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_in_rust_and_lua() {
        let keys = Keys::new("ns");
        let lua = concat!(
            include_str!("includes/bulk_keys.lua"),
            include_str!("includes/checkpoint_keys.lua"),
            include_str!("includes/cron_keys.lua"),
            include_str!("includes/job_keys.lua"),
            include_str!("includes/lock_keys.lua"),
            include_str!("includes/queue_keys.lua"),
            include_str!("includes/relation_keys.lua"),
            include_str!("includes/series_keys.lua"),
            include_str!("includes/signal_keys.lua"),
            include_str!("includes/subscription_keys.lua"),
            include_str!("includes/worker_keys.lua"),
        );
        let name: CronName = "n".parse().unwrap();
        let lock: LockName = "n".parse().unwrap();
        let subscription: SubscriptionName = "n".parse().unwrap();
        let id = JobId::random();
        let action: ActionName = "a".parse().unwrap();
        let worker: WorkerId = "0123456789ab".parse().unwrap();
        let fingerprint: Fingerprint = "00ff00ff00ff00ab".parse().unwrap();
        let pairs = [
            ("key_job(id)", keys.job(id)),
            ("key_log(id)", keys.log(id)),
            ("key_checkpoint(id)", keys.checkpoint(id)),
            ("key_used_id(id)", keys.used_id(id)),
            ("key_bulk(operation)", keys.bulk_operation(Uuid::from_u128(7))),
            ("key_unique(key)", keys.unique("k")),
            ("key_request(id)", format!("{}request:{id}", keys.root())),
            ("key_status(status)", keys.status(Status::Done)),
            ("key_action(action)", keys.action(&action)),
            ("key_jobs_of(worker)", keys.jobs_of(&worker)),
            ("key_ready(queue)", keys.ready(&"c=1.high".parse().unwrap())),
            ("key_backlog(group)", keys.backlog("g")),
            ("key_turns(owner)", keys.turns("o")),
            ("key_lock(name)", keys.lock(&lock)),
            ("key_waiters(name)", keys.waiters(&lock)),
            ("key_chain(first)", keys.chain(id)),
            ("key_child_jobs(child_group)", keys.child_jobs(id)),
            ("key_children(child_group)", keys.children(id)),
            ("key_worker(worker)", keys.worker(&worker)),
            ("key_running(worker)", keys.running(&worker)),
            ("key_cron(name)", keys.cron(&name)),
            ("key_cron_held(name)", keys.cron_held(&name)),
            ("key_subscription(name)", keys.subscription(&subscription)),
            ("key_deliveries(name)", keys.deliveries(&subscription)),
            ("key_failure_group(name)", keys.failure_group(fingerprint)),
            ("key_series(resolution, at)", keys.series("minute", 60_000)),
            ("key_failed(resolution, at)", keys.failed("minute", 60_000)),
        ];
        for (function, name) in pairs {
            let line =
                lua.lines().find(|line| line.starts_with(&format!("local function {function}")));
            let made = line.and_then(|line| line.split_once("return ")).expect(function).1;
            let made = made.trim_end_matches(" end").split(" .. ").map(|part| match part {
                "root" => "{ns}:".to_owned(),
                "id" | "first" | "child_group" => id.to_string(),
                "group" => "g".to_owned(),
                "owner" => "o".to_owned(),
                "status" => "done".to_owned(),
                "action" => "a".to_owned(),
                "operation" => Uuid::from_u128(7).to_string(),
                "key" => "k".to_owned(),
                "worker" => worker.to_string(),
                "name" if function.starts_with("key_failure") => fingerprint.to_string(),
                "name" => "n".to_owned(),
                "resolution" => "minute".to_owned(),
                "at" => "60000".to_owned(),
                "queue" => "c=1.high".to_owned(),
                literal => literal.trim_matches('\'').to_owned(),
            });
            assert_eq!(made.collect::<String>(), name, "{function}");
        }
    }
}
