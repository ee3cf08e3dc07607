//! How many commands Redis carries out per job in a fleet whose workers all know the same actions,
//! and how many bytes it writes to its append-only file: a change that adds one is noticed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use domain::cron::TimeZone;
use domain::job::{JobId, NewJob, Outcome, WorkerId};
use domain::limit::{CalendarQuota, RateLimit, Window};
use domain::lock::LockName;
use expect_test::{Expect, expect};
use testkit::{PrivateRedis, TestEnv, jobs};

use crate::calls::{claim_all, end, redis_cli, worker};

/// How often Redis has carried out each command, within scripts or not.
pub(crate) type Commands = BTreeMap<String, u64>;

/// How often Redis has carried out each command so far.
pub(crate) async fn carried_out(redis: &PrivateRedis) -> Commands {
    let info = redis_cli(redis.url(), ["info", "commandstats"].map(str::to_owned)).await;
    let lines = info.lines().filter_map(|line| line.trim().strip_prefix("cmdstat_"));
    let counts = lines.map(|line| {
        let (name, stats) = line.split_once(":calls=").unwrap();
        (name.to_owned(), stats.split(',').next().unwrap().parse().unwrap())
    });
    // The count itself is such a command.
    counts.filter(|(name, _)| name != "info").collect()
}

/// A fleet of two workers on a Redis of its own, and the commands of each kind of call.
struct Counted {
    env: TestEnv,
    redis: PrivateRedis,
    worker: WorkerId,
    commands: BTreeMap<&'static str, Commands>,
    /// The size of the append-only file at the start.
    size: u64,
}

/// The size of the append-only file of a Redis.
async fn aof_size(redis: &PrivateRedis) -> u64 {
    let info = redis_cli(redis.url(), ["info", "persistence"].map(str::to_owned)).await;
    let size = info.lines().find_map(|line| line.trim().strip_prefix("aof_current_size:"));
    size.expect("the file is on").parse().unwrap()
}

impl Counted {
    async fn new() -> Counted {
        let redis = PrivateRedis::start().await;
        let env = TestEnv::on(redis.url()).await;
        let (worker, _other) = (worker(&env).await, worker(&env).await);
        let mut counted = Counted { env, redis, worker, commands: BTreeMap::new(), size: 0 };
        // The first job loads the scripts and puts its queue in use.
        counted.run(&jobs(1, "noop", "scan=1")).await;
        counted.commands.clear();
        counted.size = aof_size(&counted.redis).await;
        counted
    }

    /// Adds the commands since then to those of a kind of call.
    async fn count(&mut self, call: &'static str, before: &Commands) {
        let sums = self.commands.entry(call).or_default();
        for (name, count) in carried_out(&self.redis).await {
            let new = count - before.get(&name).copied().unwrap_or(0);
            if new > 0 {
                *sums.entry(name).or_default() += new;
            }
        }
    }

    /// Submits, claims and finishes jobs, all in one call of each kind.
    async fn run(&mut self, jobs: &[NewJob]) {
        self.next_millisecond().await;
        let before = carried_out(&self.redis).await;
        self.env.store().submit(jobs).await.unwrap();
        self.count("submit", &before).await;

        self.run_submitted(jobs).await;
    }

    /// Claims and finishes jobs.
    async fn run_submitted(&mut self, jobs: &[NewJob]) {
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let before = carried_out(&self.redis).await;
        let runs = claim_all(&self.env, &self.worker, &ids).await;
        self.count("claim", &before).await;
        assert_eq!(runs.len(), jobs.len());

        let ends = runs.into_iter().map(|run| end(run.id, run.token, Outcome::Done(None)));
        let ends: Vec<_> = ends.collect();
        let before = carried_out(&self.redis).await;
        self.env.store().finish(&ends).await.unwrap();
        self.count("finish", &before).await;
    }

    /// A claim notes when the newest claimed job was offered, once per millisecond.
    async fn next_millisecond(&self) {
        let now = self.env.store().now().await.unwrap();
        let later = async || self.env.store().now().await.unwrap() > now;
        self.env.eventually("the next millisecond", later).await;
    }

    /// Compares the sums of each kind of call, and the bytes with the most that may be written.
    async fn close(self, wanted: Expect, most_bytes: u64) {
        let written = aof_size(&self.redis).await - self.size;
        assert!(written <= most_bytes, "{written} bytes were written");
        let mut text = String::new();
        for call in ["submit", "claim", "finish", "propagate"] {
            let Some(commands) = self.commands.get(call) else { continue };
            let _ = writeln!(text, "{call}: {} commands", commands.values().sum::<u64>());
            for (name, count) in commands {
                let _ = writeln!(text, "  {count} {name}");
            }
        }
        wanted.assert_eq(&text);
        self.env.close().await;
    }
}

#[tokio::test]
async fn ten_jobs_one_by_one_take_so_many_commands_of_redis() {
    let mut counted = Counted::new().await;
    for _ in 0..10 {
        counted.run(&jobs(1, "noop", "scan=1")).await;
    }
    counted
        .close(
            expect![[r#"
                submit: 160 commands
                  10 evalsha
                  10 exists
                  10 hincrby
                  30 hmget
                  20 hset
                  10 incrby
                  10 time
                  20 xadd
                  40 zadd
                claim: 230 commands
                  10 evalsha
                  20 hdel
                  10 hget
                  10 hincrby
                  40 hmget
                  30 hset
                  10 incrby
                  10 sadd
                  10 smismember
                  10 time
                  10 xadd
                  20 zadd
                  10 zmscore
                  10 zpopmin
                  20 zrem
                finish: 80 commands
                  10 evalsha
                  10 hmget
                  10 hset
                  10 srem
                  10 time
                  10 xadd
                  10 zadd
                  10 zrem
            "#]],
            40_500,
        )
        .await;
}

#[tokio::test]
async fn a_batch_of_a_hundred_jobs_takes_so_many_commands_of_redis() {
    let mut counted = Counted::new().await;
    counted.run(&jobs(100, "noop", "scan=1")).await;
    counted
        .close(
            expect![[r#"
                submit: 121 commands
                  1 evalsha
                  1 exists
                  2 hincrby
                  3 hmget
                  101 hset
                  1 incrby
                  1 time
                  5 xadd
                  1 xrevrange
                  5 zadd
                claim: 321 commands
                  2 evalsha
                  2 hdel
                  3 hget
                  3 hincrby
                  142 hmget
                  105 hset
                  2 incrby
                  2 sadd
                  2 smismember
                  2 time
                  5 xadd
                  2 xrevrange
                  5 zadd
                  2 zmscore
                  2 zpopmin
                  4 zrem
                  36 zscore
                finish: 210 commands
                  1 evalsha
                  100 hmget
                  100 hset
                  1 srem
                  1 time
                  4 xadd
                  1 xrevrange
                  1 zadd
                  1 zrem
            "#]],
            172_000,
        )
        .await;
}

/// The second fifty depend on the first. Each needs a lock of its own.
#[tokio::test]
async fn a_hundred_jobs_with_a_lock_and_a_dependency_take_so_many_commands_of_redis() {
    let mut counted = Counted::new().await;
    let mut all = jobs(100, "noop", "scan=1");
    for index in 0..100 {
        all[index].spec.locks = format!("lock-{index}").parse().unwrap();
        if index >= 50 {
            all[index].spec.depends_on = vec![all[index - 50].id];
        }
    }
    counted.next_millisecond().await;
    let before = carried_out(&counted.redis).await;
    counted.env.store().submit(&all).await.unwrap();
    counted.count("submit", &before).await;
    counted.run_submitted(&all[..50]).await;
    let before = carried_out(&counted.redis).await;
    counted.env.store().propagate().await.unwrap();
    counted.count("propagate", &before).await;
    counted.run_submitted(&all[50..]).await;
    counted
        .close(
            expect![[r#"
                submit: 420 commands
                  1 evalsha
                  51 exists
                  50 get
                  2 hincrby
                  103 hmget
                  101 hset
                  50 hsetnx
                  1 incrby
                  1 time
                  5 xadd
                  1 xrevrange
                  54 zadd
                claim: 846 commands
                  2 evalsha
                  100 exists
                  3 hdel
                  202 hget
                  102 hincrby
                  106 hmget
                  305 hset
                  2 incrby
                  2 sadd
                  2 smismember
                  2 time
                  4 xadd
                  2 xrevrange
                  4 zadd
                  2 zmscore
                  2 zpopmin
                  4 zrem
                finish: 849 commands
                  2 evalsha
                  166 exists
                  216 hdel
                  118 hincrby
                  117 hmget
                  116 hset
                  16 lindex
                  16 lpop
                  50 rpush
                  2 srem
                  2 time
                  5 xadd
                  2 xrevrange
                  3 zadd
                  16 zpopmin
                  2 zrem
                propagate: 283 commands
                  2 evalsha
                  34 exists
                  34 hdel
                  36 hincrby
                  35 hmget
                  34 hset
                  35 lindex
                  1 llen
                  34 lpop
                  1 script|load
                  1 time
                  1 xadd
                  1 zadd
                  34 zpopmin
            "#]],
            276_000,
        )
        .await;
}

/// With one rate limit, a job takes at most two commands more.
#[tokio::test]
async fn a_rate_limit_takes_at_most_two_commands_more_per_job() {
    let total =
        |counted: &Counted| -> u64 { counted.commands.values().flat_map(BTreeMap::values).sum() };
    let mut counted = Counted::new().await;
    counted.run(&jobs(100, "noop", "scan=1")).await;
    let plain = total(&counted);
    let calendar = CalendarQuota::new(1_000, Window::Day, TimeZone::default()).unwrap();
    let limits = [
        ("mail", RateLimit::new(1_000, Duration::from_secs(1), 1_000).unwrap()),
        ("geocoder", RateLimit::Calendar(calendar)),
    ];
    for (key, limit) in limits {
        counted.env.store().set_limit(&key.parse().unwrap(), limit).await.unwrap();
        let mut rated = jobs(100, "noop", "scan=1");
        for job in &mut rated {
            job.spec.locks.add(LockName::of_rate(key).unwrap(), 1);
        }
        let before = total(&counted);
        counted.run(&rated).await;
        let more = total(&counted) - before - plain;
        assert!((1..=200).contains(&more), "{key}: {more} commands more for 100 jobs");
    }
    counted.env.close().await;
}
