//! The costliest calls of the scheduler's tasks and of workers: crons that missed many ticks,
//! subscriptions, due jobs, heartbeats.

use std::time::Duration;

use domain::capacity::Class;
use domain::cron::{CronName, due};
use domain::event::EventId;
use domain::failure::FailureKind;
use domain::job::{Exception, FencingToken, JobId, Timestamp, WorkerId};
use domain::series::{Counts, SeriesName};
use domain::subscription::EventDelivery;
use serde_json::json;
use store::{
    Announcer, BulkProgress, BulkSpec, BulkState, BulkVerb, DeliveryAttempt, DeliveryPlan, Dumped,
    EventCounts, FailureCount, JobFilter, MAX_BULK_OPERATIONS, MAX_SUBSCRIPTIONS, Outbox,
    Redispatch, SaveAnswer, ServiceKind, SetCron, SetSubscription, WorkerCommand,
};
use testkit::{TestEnv, jobs, shared_queue};
use uuid::Uuid;

use super::jobs::submit_all;
use crate::calls::{dump, heartbeat, ids_of, redis_cli};

const CRONS: usize = 50;
const ACTIONS: usize = 200;

async fn redis(env: &TestEnv, command: &str, key: &str, rest: Vec<String>) {
    let key = format!("{{{}}}:{key}", env.store_config().namespace);
    let words = [command.to_owned(), key].into_iter().chain(rest);
    redis_cli(&env.store_config().redis_url, words).await;
}

fn cron(index: usize) -> CronName {
    format!("c{index}").parse().unwrap()
}

/// Sets all crons, as if none had fired for this long.
async fn set_crons(env: &TestEnv, overlap: &str, missed: Duration) {
    let spec = json!({"action": "noop", "schedule": "* * * * * *", "misfire": "all",
        "overlap": overlap});
    let spec: domain::cron::CronSpec = serde_json::from_value(spec).unwrap();
    let first = env.store().now().await.unwrap().ms() / 1_000 - missed.as_secs() as i64;
    for index in 0..CRONS {
        let name = cron(index);
        let wanted =
            SetCron { name: name.clone(), spec: spec.clone(), paused: None, declared: false };
        env.store().set_cron(&wanted).await.unwrap();
        let next = vec!["nextRun".to_owned(), (first * 1_000).to_string()];
        redis(env, "hset", &format!("cron:{name}"), next).await;
    }
    let names = (0..CRONS).flat_map(|index| ["1".to_owned(), cron(index).to_string()]);
    redis(env, "zadd", "crons", names.collect()).await;
}

/// Fires what is due, once.
async fn fire(env: &TestEnv) {
    let seen = env.store().due_crons(CRONS).await.unwrap();
    let crons = seen.crons.into_iter().map(|cron| {
        let due = cron.next_run.map(|first| due(&cron.spec, first, seen.now));
        (cron, due.unwrap_or_default())
    });
    let crons: Vec<_> = crons.collect();
    assert_eq!(crons.len(), CRONS);
    env.store().fire(&crons).await.unwrap();
}

/// Fifty crons that missed a minute each; then they replace a hundred jobs each.
pub(super) async fn crons(url: &str) {
    let env = TestEnv::on(url).await;
    set_crons(&env, "allow", Duration::from_secs(300)).await;
    fire(&env).await;
    fire(&env).await;
    set_crons(&env, "queue", Duration::from_secs(1_000)).await;
    fire(&env).await;
    env.store().due_crons(CRONS).await.unwrap();
    set_crons(&env, "replace", Duration::from_secs(2_000)).await;
    fire(&env).await;
    env.store().run_cron(&cron(0)).await.unwrap();
    env.store().delete_cron(&cron(0)).await.unwrap();
    env.close().await;
}

/// As many subscriptions as there may be, each with messages.
pub(super) async fn subscriptions(url: &str) {
    let env = TestEnv::on(url).await;
    let store = env.store();
    let spec = json!({"url": "http://127.0.0.1:9/hook", "filter": {}, "retries": 1,
        "backoff": {"base": "1ms"}});
    for index in 0..MAX_SUBSCRIPTIONS {
        let (name, spec) = (format!("s{index}").parse().unwrap(), spec.clone());
        let spec = serde_json::from_value(spec).unwrap();
        let wanted = SetSubscription { name, spec, secret: None, paused: None };
        store.set_subscription(&wanted).await.unwrap();
    }
    submit_all(&env, &jobs(1, "noop", "")).await;
    let pending = store.pending_events(1_000).await.unwrap().unwrap();
    let event = &pending.events[0];
    let message = |one: &store::Subscription| EventDelivery::of((&one.name, one.id), event);
    let plan = DeliveryPlan {
        cursor: pending.cursor,
        next: event.id,
        cut: Some((event.id, pending.subscriptions.iter().map(|one| &one.name).collect())),
        messages: pending.subscriptions.iter().map(|one| (one, message(one))).collect(),
    };
    store.create_deliveries(&plan).await.unwrap();
    store.forget_deliveries().await.unwrap();
    let one = &pending.subscriptions[0];
    store.record_attempt(one, &message(one), DeliveryAttempt::Delivered).await.unwrap();
    store.pause_subscription(&one.name, true, None).await.unwrap();
    store.delete_subscription(&one.name).await.unwrap();
    env.close().await;
}

/// As many series, hours and kinds of failures as a scheduler counts in one step.
pub(super) async fn series(url: &str) {
    let env = TestEnv::on(url).await;
    let now = env.store().now().await.unwrap();
    let minutes = (0..50_i64).map(|index| {
        let action = format!("a{index}").parse().unwrap();
        let at = (now.ms() / 3_600_000 - index) * 3_600_000;
        ((at, SeriesName { action, class: Class::default() }), started())
    });
    let failures = (0..100_usize).map(|index| {
        let message = "x".repeat(index + 1);
        let exception = Exception::new("Test", message);
        let kind = FailureKind::of(&"a".parse().unwrap(), Some(&exception));
        (kind, vec![FailureCount { job: JobId::random(), at: now }])
    });
    let counts = EventCounts {
        cursor: None,
        next: EventId { ms: now.ms() as u64, sequence: 0 },
        minutes: &minutes.collect(),
        failures: &failures.collect(),
    };
    env.store().count_events(&counts).await.unwrap();
    env.close().await;
}

fn started() -> Counts {
    Counts { started: 1, ..Counts::default() }
}

/// Hundreds of jobs are due, and lose their offers.
pub(super) async fn dispatch(url: &str) {
    let env = TestEnv::on(url).await;
    let store = env.store();
    let mut outbox = Outbox::new(store.clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    let mut some = jobs(400, "noop", "");
    for (index, job) in some.iter_mut().enumerate() {
        job.scheduled_at = Some(Timestamp::from_ms(253_402_300_000_000));
        job.spec.fairness_key = Some(job.id.to_string());
        // One owner alone has fewer offers.
        job.spec.scheduled_by = Some(format!("owner {}", index % 2));
    }
    submit_all(&env, &some).await;
    let Some(Dumped::Sorted(waiting)) = dump(&env).await.remove("due") else {
        panic!("no job is due later")
    };
    let members = waiting.into_keys().flat_map(|member| ["1".to_owned(), member]);
    redis(&env, "zadd", "due", members.collect()).await;
    store.due().await.unwrap();
    let entries = outbox.read_new(1_000, Duration::from_millis(1)).await.unwrap();
    outbox.remove(&ids_of(&entries)).await.unwrap();
    let queue = shared_queue(&some[0]);
    let which = Redispatch { queue: queue.clone(), age: Duration::ZERO, behind: None };
    assert_eq!(store.redispatch(&which).await.unwrap().offered, 200);
    store.queues_declared(std::slice::from_ref(&queue)).await.unwrap();
    store.clamp_times(Duration::from_secs(5)).await.unwrap();
    store.retire_queue(&queue, Duration::ZERO).await.unwrap();
    store.forget_queue(&queue).await.unwrap();
    env.close().await;
}

/// A worker with many actions and a thousand jobs.
pub(super) async fn workers(url: &str) {
    let env = TestEnv::on(url).await;
    let store = env.store();
    let worker = WorkerId::random();
    let mut report = heartbeat(&worker, Duration::from_secs(60));
    report.running = (0..1_000).map(|token| (JobId::random(), FencingToken(token))).collect();
    for prefix in ["a", "b"] {
        let actions = (0..ACTIONS).map(|index| format!("{prefix}{index}").parse().unwrap());
        report.actions = actions.collect();
        store.heartbeat(&report).await.unwrap();
    }
    store.command_worker(&worker, &WorkerCommand::Drain).await.unwrap();
    store.leave(&worker).await.unwrap();
    env.close().await;
}

/// A service announces itself after a thousand others have become silent.
pub(super) async fn services(url: &str) {
    let env = TestEnv::on(url).await;
    let silent = (0..1_000).flat_map(|index| [format!("api:{index}"), "1 {}".to_owned()]);
    redis(&env, "hset", "services", silent.collect()).await;
    let mut announcer = Announcer::new(env.store().clone(), ServiceKind::Scheduler, "id", "1");
    announcer.announce(None).await.unwrap();
    assert_eq!(env.store().fleet_health().await.unwrap().services.len(), 1);
    env.close().await;
}

/// As many bulk operations as there may be: half have expired, the others have ended.
pub(super) async fn bulk(url: &str) {
    let env = TestEnv::on(url).await;
    let store = env.store();
    let spec = BulkSpec {
        verb: BulkVerb::Cancel,
        filter: JobFilter::default(),
        requested_by: "ci".to_owned(),
        may_change_deliveries: true,
    };
    for index in 0..MAX_BULK_OPERATIONS {
        let id = Uuid::new_v4();
        store.begin_bulk(id, &spec).await.unwrap();
        store.claim_bulk(id, "a").await.unwrap();
        let progress = BulkProgress::default();
        let saved = store.save_bulk(id, "a", &progress, true).await.unwrap();
        assert_eq!(saved, SaveAnswer::Own(BulkState::Done));
        if index % 2 == 0 {
            redis(&env, "del", &format!("bulk:{id}"), Vec::new()).await;
        }
    }
    let last = Uuid::new_v4();
    store.begin_bulk(last, &spec).await.unwrap();
    store.stop_bulk(last, "ci").await.unwrap();
    env.close().await;
}
