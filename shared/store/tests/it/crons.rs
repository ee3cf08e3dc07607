//! Crons: set, fire, run, delete, without a scheduler.

use std::cell::RefCell;

use domain::cron::{CronName, CronSpec, Due, Overlap, due, job_id};
use domain::job::{JobId, Outcome, Status, Timestamp};
use serde_json::{Value, json};
use store::{Cron, CronSet, DueCron, FireAnswer, SetCron};
use testkit::{TestEnv, assert_consistent};

use crate::calls::{claimed, dump, end, finish, status, worker};

fn name(text: &str) -> CronName {
    text.parse().unwrap()
}

fn spec(more: &Value) -> CronSpec {
    let mut spec = json!({"action": "noop", "schedule": "* * * * * *"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

async fn set(env: &TestEnv, called: &str, more: &Value) -> CronSet {
    let wanted = SetCron { name: name(called), spec: spec(more), paused: None, declared: false };
    env.store().set_cron(&wanted).await.unwrap()
}

async fn cron(env: &TestEnv, called: &str) -> Cron {
    env.store().cron(&name(called)).await.unwrap().unwrap()
}

/// Waits until the cron is due, and reads it.
async fn due_cron(env: &TestEnv, called: &str) -> (DueCron, Timestamp) {
    let found = RefCell::new(None);
    let look = async || {
        let due = env.store().due_crons(50).await.unwrap();
        let one = due.crons.into_iter().find(|cron| cron.name == name(called));
        *found.borrow_mut() = one.map(|cron| (cron, due.now));
        found.borrow().is_some()
    };
    env.eventually("the cron is due", look).await;
    found.into_inner().unwrap()
}

/// Its next tick is fired, and the one after it is next.
fn one_tick(cron: &DueCron) -> Due {
    let tick = cron.next_run.unwrap();
    Due { ticks: vec![(tick, 0)], skipped: None, next: cron.spec.next(tick) }
}

async fn fire(env: &TestEnv, cron: &DueCron, due: &Due) -> FireAnswer {
    env.store().fire(&[(cron.clone(), due.clone())]).await.unwrap().remove(0)
}

/// Fires the next tick of a cron. Returns the answer and the id that its job has, if it got one.
async fn fire_next(env: &TestEnv, called: &str) -> (FireAnswer, JobId) {
    let (cron, _) = due_cron(env, called).await;
    let id = job_id(cron.id, cron.next_run.unwrap());
    (fire(env, &cron, &one_tick(&cron)).await, id)
}

#[tokio::test]
async fn a_tick_becomes_one_job_with_exactly_its_time() {
    let env = TestEnv::new().await;
    assert_eq!(
        set(&env, "a", &json!({"retries": 2, "capacityMap": {"scan": 1}})).await,
        CronSet::Created
    );
    let (cron_seen, now) = due_cron(&env, "a").await;
    let tick = cron_seen.next_run.unwrap();
    assert!(tick <= now && tick.ms() % 1000 == 0);
    assert_eq!(fire(&env, &cron_seen, &one_tick(&cron_seen)).await, FireAnswer::Fired(1, 0, 0));
    let job = env.store().job(job_id(cron_seen.id, tick)).await.unwrap().unwrap();
    assert_eq!((job.scheduled_at, job.status, job.retries_left), (tick, Status::Waiting, 2));
    assert_eq!(job.class.as_str(), "scan=1");
    let firing = job.spec.cron.unwrap();
    assert_eq!((firing.to_string(), firing.missed), (format!("a@{tick}"), 0));
    let after = cron(&env, "a").await;
    assert_eq!((after.last_run, after.last_job), (Some(tick), Some(job.id)));
    assert_eq!((after.next_run.unwrap().ms(), after.fired), (tick.ms() + 1000, 1));
    assert_consistent(env.store()).await;

    let before = dump(&env).await;
    assert_eq!(
        fire(&env, &cron_seen, &one_tick(&cron_seen)).await,
        FireAnswer::Conflict,
        "it was fired before"
    );
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_tick_that_has_not_come_is_refused_by_the_stores_clock() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({"schedule": "@hourly"})).await;
    let there = cron(&env, "a").await;
    let early = DueCron {
        name: there.name,
        id: there.id,
        revision: there.revision,
        next_run: there.next_run,
        spec: there.spec,
        held: None,
    };
    let before = dump(&env).await;
    assert_eq!(fire(&env, &early, &one_tick(&early)).await, FireAnswer::Early);
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_cron_that_was_changed_paused_or_deleted_since_it_was_read_does_not_fire() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({})).await;
    let (first, _) = due_cron(&env, "a").await;
    assert_eq!(set(&env, "a", &json!({"retries": 1})).await, CronSet::Changed);
    let before = dump(&env).await;
    assert_eq!(fire(&env, &first, &one_tick(&first)).await, FireAnswer::Conflict);
    assert_eq!(dump(&env).await, before);
    // The tick is not lost: the changed cron fires it.
    let (again, _) = due_cron(&env, "a").await;
    assert_eq!((again.next_run, again.spec.retries), (first.next_run, Some(1)));

    let paused = env.store().pause_cron(&name("a"), true).await.unwrap().unwrap();
    assert_eq!((paused.paused, paused.next_run), (true, None));
    assert_eq!(fire(&env, &again, &one_tick(&again)).await, FireAnswer::Conflict);
    let resumed = env.store().pause_cron(&name("a"), false).await.unwrap().unwrap();
    assert!(
        resumed.next_run > again.next_run,
        "ticks that came while it was paused are not made up for"
    );
    assert_eq!(env.store().pause_cron(&name("b"), true).await.unwrap(), None);

    let (last, _) = due_cron(&env, "a").await;
    assert!(env.store().delete_cron(&name("a")).await.unwrap());
    assert!(!env.store().delete_cron(&name("a")).await.unwrap());
    set(&env, "a", &json!({"retries": 1})).await;
    assert_eq!(
        fire(&env, &last, &one_tick(&last)).await,
        FireAnswer::Conflict,
        "another cron of that name"
    );
    assert_eq!(env.store().counts().await.unwrap()[0].1, 0);
    env.close().await;
}

#[tokio::test]
async fn setting_the_same_cron_changes_nothing_and_a_new_schedule_moves_the_next_tick() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({"schedule": "57 54 3 * * *"})).await;
    let before = dump(&env).await;
    let there = cron(&env, "a").await;
    assert!(there.next_run.unwrap().to_string().ends_with("T03:54:57Z"));
    assert_eq!(set(&env, "a", &json!({"schedule": "57 54 3 * * *"})).await, CronSet::Unchanged);
    assert_eq!(dump(&env).await, before);
    assert_eq!(set(&env, "a", &json!({"schedule": "0 0 4 * * *"})).await, CronSet::Changed);
    let other = cron(&env, "a").await;
    assert!(other.next_run.unwrap().to_string().ends_with("T04:00:00Z"));
    assert_eq!((other.id, other.created_at), (there.id, there.created_at));
    env.close().await;
}

#[tokio::test]
async fn deleting_a_cron_leaves_its_jobs() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({})).await;
    let (_, id) = fire_next(&env, "a").await;
    env.store().delete_cron(&name("a")).await.unwrap();
    assert_eq!(status(&env, id).await, Status::Waiting);
    assert!(
        !dump(&env)
            .await
            .keys()
            .any(|key| key.starts_with("cron:") || key.starts_with("cron_jobs"))
    );
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn an_overlapping_tick_is_fired_skipped_or_held_as_the_policy_says() {
    let env = TestEnv::new().await;
    for overlap in [Overlap::Allow, Overlap::Skip, Overlap::Queue] {
        let called = overlap.as_str();
        set(&env, called, &json!({"overlap": overlap})).await;
        assert_eq!(fire_next(&env, called).await.0, FireAnswer::Fired(1, 0, 0), "{called}");
        let expected = match overlap {
            Overlap::Allow => FireAnswer::Fired(1, 0, 0),
            Overlap::Skip => FireAnswer::Fired(0, 0, 1),
            Overlap::Queue | Overlap::Replace => FireAnswer::Fired(0, 1, 0),
        };
        assert_eq!(fire_next(&env, called).await.0, expected, "{called}");
    }
    let skipping = cron(&env, "skip").await;
    let skip = skipping.last_skip.unwrap();
    assert_eq!((skipping.skipped, skip.reason.as_str(), skip.count), (1, "overlap", 1));
    assert_eq!(cron(&env, "queue").await.held, 1);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_held_firing_begins_when_the_earlier_job_and_its_retries_are_over() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "a", &json!({"overlap": "queue", "retries": 1})).await;
    let (_, first) = fire_next(&env, "a").await;
    let (held, second) = fire_next(&env, "a").await;
    assert_eq!(held, FireAnswer::Fired(0, 1, 0));
    env.store().pause_cron(&name("a"), true).await.unwrap();
    env.store().pause_cron(&name("a"), false).await.unwrap();
    let blocked = async || {
        let due = env.store().due_crons(50).await.unwrap();
        due.crons.iter().all(|cron| cron.held.is_none())
    };
    assert!(blocked().await);
    let run = claimed(&env, &worker, first).await;
    let failed = end(first, run.token, crate::calls::failed());
    finish(&env, &failed).await;
    assert!(blocked().await, "its retry is not over");
    env.store().job(failed.follow_up).await.unwrap().unwrap();
    env.eventually("the retry is due", async || env.store().due().await.unwrap().moved == 1).await;
    let run = claimed(&env, &worker, failed.follow_up).await;
    finish(&env, &end(failed.follow_up, run.token, Outcome::Done(None))).await;
    env.eventually("the held firing may begin", async || !blocked().await).await;
    let (cron_seen, _) = due_cron(&env, "a").await;
    assert_eq!(job_id(cron_seen.id, cron_seen.held.unwrap().0), second);
    let due = Due { next: cron_seen.next_run, ..Due::default() };
    assert_eq!(fire(&env, &cron_seen, &due).await, FireAnswer::Fired(1, 0, 0));
    assert_eq!(status(&env, second).await, Status::Waiting);
    assert_eq!(cron(&env, "a").await.held, 0);
    let before = dump(&env).await;
    assert_eq!(
        fire(&env, &cron_seen, &due).await,
        FireAnswer::Fired(0, 0, 0),
        "it begins only once"
    );
    assert_eq!(dump(&env).await, before);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_replaced_job_is_cancelled_and_the_new_one_waits_until_it_has_stopped() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "a", &json!({"overlap": "replace"})).await;
    let (_, waiting) = fire_next(&env, "a").await;
    let (outcome, running) = fire_next(&env, "a").await;
    assert_eq!(outcome, FireAnswer::Fired(1, 0, 0));
    assert_eq!(status(&env, waiting).await, Status::Cancel);
    let run = claimed(&env, &worker, running).await;
    assert_eq!(fire_next(&env, "a").await.0, FireAnswer::Fired(0, 1, 0));
    assert_eq!(status(&env, running).await, Status::CancelRequest);
    let (outcome, newest) = fire_next(&env, "a").await;
    assert_eq!(outcome, FireAnswer::Fired(0, 1, 1), "the newer firing replaces the held one");
    assert_eq!(cron(&env, "a").await.last_skip.unwrap().reason, "replaced");
    assert_consistent(env.store()).await;
    finish(&env, &end(running, run.token, Outcome::Cancel)).await;
    env.eventually("the newest firing begins", async || {
        for cron in env.store().due_crons(50).await.unwrap().crons {
            let due = Due { next: cron.next_run, ..Due::default() };
            fire(&env, &cron, &due).await;
        }
        env.store().job(newest).await.unwrap().is_some()
    })
    .await;
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_cron_that_is_run_on_demand_keeps_its_next_tick() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({"schedule": "@yearly", "parameters": {"x": 1}})).await;
    let before = cron(&env, "a").await;
    let job = env.store().run_cron(&name("a")).await.unwrap().unwrap();
    assert_eq!(
        (job.status, job.spec.parameters.unwrap()["x"].clone()),
        (Status::Waiting, json!(1))
    );
    assert_eq!(job.spec.cron.unwrap().cause.as_str(), "run");
    let after = cron(&env, "a").await;
    assert_eq!((after.next_run, after.last_job, after.fired), (before.next_run, Some(job.id), 1));
    assert_eq!(env.store().run_cron(&name("b")).await.unwrap(), None);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn jitter_delays_the_job_and_not_its_tick() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({"jitter": "1h"})).await;
    let (_, id) = fire_next(&env, "a").await;
    let job = env.store().job(id).await.unwrap().unwrap();
    let firing = job.spec.cron.unwrap();
    let delay = job.scheduled_at.ms() - firing.tick.ms();
    assert!((1..3_600_000).contains(&delay), "{delay}");
    assert_eq!(delay, spec(&json!({"jitter": "1h"})).delay_ms(id));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn only_the_crons_that_are_due_are_read() {
    let env = TestEnv::new().await;
    for index in 0..300 {
        set(&env, &format!("later-{index:03}"), &json!({"schedule": "@yearly"})).await;
    }
    set(&env, "now", &json!({})).await;
    let (cron_seen, now) = due_cron(&env, "now").await;
    let due_now = env.store().due_crons(50).await.unwrap();
    assert_eq!(due_now.crons.len(), 1, "only the due cron is read");
    let decided = due(&cron_seen.spec, cron_seen.next_run.unwrap(), now);
    assert!(matches!(fire(&env, &cron_seen, &decided).await, FireAnswer::Fired(1.., 0, 0)));
    let (page, total) = env.store().crons(100, 10).await.unwrap();
    assert_eq!((page.len(), page[0].name.as_str(), total), (10, "later-100", 301));
    env.close().await;
}
