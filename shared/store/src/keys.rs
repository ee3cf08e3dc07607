//! The names of the keys that plain reads use. The scripts make the same names in `prelude/*.lua`; the test
//! `keys_are_the_same_in_rust_and_lua` compares the two.

use domain::cron::CronName;
use domain::job::{ActionName, JobId, Status, WorkerId};
use domain::queue::QueueName;
use domain::subscription::SubscriptionName;

#[derive(Debug, Clone)]
pub(super) struct Keys {
    root: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Keys {
        Keys { root: format!("{{{namespace}}}:") }
    }

    /// `{namespace}:`, which every key begins with; the braces make it the hash tag of a cluster.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn pattern(&self) -> String {
        format!("{}*", self.root)
    }

    fn named(&self, rest: impl std::fmt::Display) -> String {
        format!("{}{rest}", self.root)
    }

    pub(super) fn job(&self, id: JobId) -> String {
        self.named(format_args!("job:{id}"))
    }

    pub(super) fn log(&self, id: JobId) -> String {
        self.named(format_args!("log:{id}"))
    }

    pub(super) fn once(&self, id: JobId) -> String {
        self.named(format_args!("once:{id}"))
    }

    /// All jobs, by `scheduledAt`: each is in the set of its status. A tombstone is in none.
    pub(super) fn all_jobs(&self) -> Vec<String> {
        Status::ALL
            .into_iter()
            .filter(|one| *one != Status::Deleted)
            .map(|one| self.status(one))
            .collect()
    }

    pub(super) fn numbers(&self) -> String {
        self.named("jobs:number")
    }

    pub(super) fn status(&self, status: Status) -> String {
        self.named(format_args!("jobs:status:{status}"))
    }

    pub(super) fn action(&self, action: &ActionName) -> String {
        self.named(format_args!("jobs:action:{action}"))
    }

    pub(super) fn jobs_of(&self, worker: &WorkerId) -> String {
        self.named(format_args!("jobs:worker:{worker}"))
    }

    pub(super) fn ready(&self, queue: &QueueName) -> String {
        self.named(format_args!("ready:{queue}"))
    }

    pub(super) fn backlog(&self, share: &str) -> String {
        self.named(format_args!("backlog:{share}"))
    }

    pub(super) fn lock(&self, name: &str) -> String {
        self.named(format_args!("lock:{name}"))
    }

    pub(super) fn line(&self, name: &str) -> String {
        self.named(format_args!("line:{name}"))
    }

    pub(super) fn family(&self, family: JobId) -> String {
        self.named(format_args!("jobs:family:{family}"))
    }

    pub(super) fn children(&self, family: JobId) -> String {
        self.named(format_args!("children:{family}"))
    }

    /// Hashes and sets that are about all queues, shares or locks: `offered`, `parked`, `permits`, `held`, `lines`, `paused`;
    /// names of all subscriptions, and how far they have heard.
    pub(super) fn all(&self, what: &'static str) -> String {
        self.named(what)
    }

    pub(super) fn worker(&self, worker: &str) -> String {
        self.named(format_args!("worker:{worker}"))
    }

    pub(super) fn held(&self, worker: &WorkerId) -> String {
        self.named(format_args!("held:{worker}"))
    }

    pub(super) fn workers(&self) -> String {
        self.named("workers")
    }

    pub(super) fn leases(&self) -> String {
        self.named("leases")
    }

    pub(super) fn queues(&self) -> String {
        self.named("queues")
    }

    pub(super) fn declared(&self) -> String {
        self.named("declared")
    }

    pub(super) fn actions(&self) -> String {
        self.named("actions")
    }

    pub(super) fn action_configs(&self) -> String {
        self.named("action_configs")
    }

    pub(super) fn due(&self) -> String {
        self.named("due")
    }

    pub(super) fn cron(&self, name: &CronName) -> String {
        self.named(format_args!("cron:{name}"))
    }

    pub(super) fn cron_held(&self, name: &CronName) -> String {
        self.named(format_args!("cron_held:{name}"))
    }

    pub(super) fn cron_names(&self) -> String {
        self.named("cron_names")
    }

    pub(super) fn subscription(&self, name: &SubscriptionName) -> String {
        self.named(format_args!("subscription:{name}"))
    }

    pub(super) fn deliveries(&self, name: &SubscriptionName) -> String {
        self.named(format_args!("deliveries:{name}"))
    }

    pub(super) fn batch(&self, id: &str) -> String {
        self.named(format_args!("batch:{id}"))
    }

    pub(super) fn batches(&self) -> String {
        self.named("batches")
    }

    pub(super) fn batches_done(&self) -> String {
        self.named("batches:done")
    }

    pub(super) fn outbox(&self) -> String {
        self.named("outbox")
    }

    pub(super) fn events(&self) -> String {
        self.named("events")
    }

    pub(super) fn hints(&self) -> String {
        self.named("hints")
    }

    pub(super) fn hints_of(&self, worker: &WorkerId) -> String {
        self.named(format_args!("hints:{worker}"))
    }

    pub(super) fn settings(&self) -> String {
        self.named("settings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_in_rust_and_lua() {
        let keys = Keys::new("ns");
        let lua = concat!(
            include_str!("prelude/keys.lua"),
            include_str!("prelude/crons.lua"),
            include_str!("prelude/subscriptions.lua"),
        );
        let name: CronName = "n".parse().unwrap();
        let subscription: SubscriptionName = "n".parse().unwrap();
        let id = JobId::random();
        let action: ActionName = "a".parse().unwrap();
        let worker: WorkerId = "0123456789ab".parse().unwrap();
        let pairs = [
            ("key_job(id)", keys.job(id)),
            ("key_log(id)", keys.log(id)),
            ("key_once(id)", keys.once(id)),
            ("key_status(status)", keys.status(Status::Done)),
            ("key_action(action)", keys.action(&action)),
            ("key_jobs_of(worker)", keys.jobs_of(&worker)),
            ("key_ready(class, priority)", keys.ready(&"c=1.high".parse().unwrap())),
            ("key_backlog(share)", keys.backlog("s")),
            ("key_lock(name)", keys.lock("n")),
            ("key_line(name)", keys.line("n")),
            ("key_family(family)", keys.family(id)),
            ("key_children(family)", keys.children(id)),
            ("key_worker(worker)", keys.worker(worker.as_str())),
            ("key_held(worker)", keys.held(&worker)),
            ("key_cron(name)", keys.cron(&name)),
            ("key_cron_held(name)", keys.cron_held(&name)),
            ("key_subscription(name)", keys.subscription(&subscription)),
            ("key_deliveries(name)", keys.deliveries(&subscription)),
        ];
        for (function, name) in pairs {
            let line =
                lua.lines().find(|line| line.starts_with(&format!("local function {function}")));
            let made = line.and_then(|line| line.split_once("return ")).unwrap().1;
            let made = made.trim_end_matches(" end").split(" .. ").map(|part| match part {
                "root" => "{ns}:".to_owned(),
                "id" | "family" => id.to_string(),
                "share" => "s".to_owned(),
                "status" => "done".to_owned(),
                "action" => "a".to_owned(),
                "worker" => worker.to_string(),
                "name" => "n".to_owned(),
                "class" => "c=1".to_owned(),
                "priority" => "high".to_owned(),
                literal => literal.trim_matches('\'').to_owned(),
            });
            assert_eq!(made.collect::<String>(), name, "{function}");
        }
    }
}
