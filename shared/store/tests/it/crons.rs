//! set, fire, run, delete: crons in the store, played without a scheduler.

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

/// Waits until the cron is due, and sees it.
async fn seen(env: &TestEnv, called: &str) -> (DueCron, Timestamp) {
    let found = RefCell::new(None);
    let look = async || {
        let due = env.store().due_crons(50).await.unwrap();
        let one = due.crons.into_iter().find(|cron| cron.name == name(called));
        *found.borrow_mut() = one.map(|cron| (cron, due.now));
        found.borrow().is_some()
    };
    env.eventually("it is due", look).await;
    found.into_inner().unwrap()
}

/// One tick of it, and the next one right behind.
fn one_tick(cron: &DueCron) -> Due {
    let tick = cron.next_run.unwrap();
    Due { ticks: vec![(tick, 0)], skipped: None, next: cron.spec.next(tick) }
}

async fn fire(env: &TestEnv, cron: &DueCron, due: &Due) -> FireAnswer {
    env.store().fire(&[(cron.clone(), due.clone())]).await.unwrap().remove(0)
}

/// Fires the next tick of a cron; the id of the job that it has, if it got one.
async fn fired(env: &TestEnv, called: &str) -> (FireAnswer, JobId) {
    let (cron, _) = seen(env, called).await;
    let id = job_id(cron.id, cron.next_run.unwrap());
    (fire(env, &cron, &one_tick(&cron)).await, id)
}

#[tokio::test]
async fn a_tick_becomes_one_job_of_exactly_its_moment() {
    let env = TestEnv::new().await;
    assert_eq!(
        set(&env, "a", &json!({"retries": 2, "capacityMap": {"scan": 1}})).await,
        CronSet::Created
    );
    let (cron_seen, now) = seen(&env, "a").await;
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
        "once is enough"
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
async fn a_cron_that_was_changed_paused_or_deleted_on_the_way_does_not_fire() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({})).await;
    let (first, _) = seen(&env, "a").await;
    assert_eq!(set(&env, "a", &json!({"retries": 1})).await, CronSet::Changed);
    let before = dump(&env).await;
    assert_eq!(fire(&env, &first, &one_tick(&first)).await, FireAnswer::Conflict);
    assert_eq!(dump(&env).await, before);
    // The tick is not lost: the cron as it is now fires it.
    let (again, _) = seen(&env, "a").await;
    assert_eq!((again.next_run, again.spec.retries), (first.next_run, Some(1)));

    let paused = env.store().pause_cron(&name("a"), true).await.unwrap().unwrap();
    assert_eq!((paused.paused, paused.next_run), (true, None));
    assert_eq!(fire(&env, &again, &one_tick(&again)).await, FireAnswer::Conflict);
    let resumed = env.store().pause_cron(&name("a"), false).await.unwrap().unwrap();
    assert!(resumed.next_run > again.next_run, "what came while it was paused is not made up for");
    assert_eq!(env.store().pause_cron(&name("b"), true).await.unwrap(), None);

    let (last, _) = seen(&env, "a").await;
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
async fn setting_what_is_there_changes_nothing_and_a_new_line_a_new_tick() {
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
    let (_, id) = fired(&env, "a").await;
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
async fn an_overlapping_tick_is_made_left_out_or_held_as_the_policy_says() {
    let env = TestEnv::new().await;
    for overlap in [Overlap::Allow, Overlap::Skip, Overlap::Queue] {
        let called = overlap.as_str();
        set(&env, called, &json!({"overlap": overlap})).await;
        assert_eq!(fired(&env, called).await.0, FireAnswer::Fired(1, 0, 0), "{called}");
        let expected = match overlap {
            Overlap::Allow => FireAnswer::Fired(1, 0, 0),
            Overlap::Skip => FireAnswer::Fired(0, 0, 1),
            Overlap::Queue | Overlap::Replace => FireAnswer::Fired(0, 1, 0),
        };
        assert_eq!(fired(&env, called).await.0, expected, "{called}");
    }
    let left_out = cron(&env, "skip").await;
    let skip = left_out.last_skip.unwrap();
    assert_eq!((left_out.skipped, skip.reason.as_str(), skip.count), (1, "overlap", 1));
    assert_eq!(cron(&env, "queue").await.held, 1);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_held_firing_begins_when_the_earlier_job_and_its_retries_are_over() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "a", &json!({"overlap": "queue", "retries": 1})).await;
    let (_, first) = fired(&env, "a").await;
    let (held, second) = fired(&env, "a").await;
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
    assert!(blocked().await, "its retry is still to come");
    env.store().job(failed.follow_up).await.unwrap().unwrap();
    env.eventually("the retry is due", async || env.store().due().await.unwrap().moved == 1).await;
    let run = claimed(&env, &worker, failed.follow_up).await;
    finish(&env, &end(failed.follow_up, run.token, Outcome::Done(None))).await;
    env.eventually("its turn has come", async || !blocked().await).await;
    let (cron_seen, _) = seen(&env, "a").await;
    assert_eq!(job_id(cron_seen.id, cron_seen.held.unwrap().0), second);
    let due = Due { next: cron_seen.next_run, ..Due::default() };
    assert_eq!(fire(&env, &cron_seen, &due).await, FireAnswer::Fired(1, 0, 0));
    assert_eq!(status(&env, second).await, Status::Waiting);
    assert_eq!(cron(&env, "a").await.held, 0);
    let before = dump(&env).await;
    assert_eq!(fire(&env, &cron_seen, &due).await, FireAnswer::Fired(0, 0, 0), "it begins once");
    assert_eq!(dump(&env).await, before);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_replaced_job_is_cancelled_and_a_running_one_is_waited_for() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "a", &json!({"overlap": "replace"})).await;
    let (_, waiting) = fired(&env, "a").await;
    let (outcome, running) = fired(&env, "a").await;
    assert_eq!(outcome, FireAnswer::Fired(1, 0, 0));
    assert_eq!(status(&env, waiting).await, Status::Cancel);
    let run = claimed(&env, &worker, running).await;
    assert_eq!(fired(&env, "a").await.0, FireAnswer::Fired(0, 1, 0));
    assert_eq!(status(&env, running).await, Status::CancelRequest);
    let (outcome, newest) = fired(&env, "a").await;
    assert_eq!(
        outcome,
        FireAnswer::Fired(0, 1, 1),
        "the newer one takes the place of the held one"
    );
    assert_eq!(cron(&env, "a").await.last_skip.unwrap().reason, "replaced");
    assert_consistent(env.store()).await;
    finish(&env, &end(running, run.token, Outcome::Cancel)).await;
    env.eventually("the newest begins", async || {
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
async fn a_cron_runs_when_it_is_asked_to_and_keeps_its_next_tick() {
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
async fn jitter_moves_when_a_job_is_due_and_not_its_tick() {
    let env = TestEnv::new().await;
    set(&env, "a", &json!({"jitter": "1h"})).await;
    let (_, id) = fired(&env, "a").await;
    let job = env.store().job(id).await.unwrap().unwrap();
    let firing = job.spec.cron.unwrap();
    let delay = job.scheduled_at.ms() - firing.tick.ms();
    assert!((1..3_600_000).contains(&delay), "{delay}");
    assert_eq!(delay, spec(&json!({"jitter": "1h"})).delay_ms(id));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn many_crons_cost_what_is_due_and_not_what_there_is() {
    let env = TestEnv::new().await;
    for index in 0..300 {
        set(&env, &format!("later-{index:03}"), &json!({"schedule": "@yearly"})).await;
    }
    set(&env, "now", &json!({})).await;
    let (cron_seen, now) = seen(&env, "now").await;
    let due_now = env.store().due_crons(50).await.unwrap();
    assert_eq!(due_now.crons.len(), 1, "only what is due is looked at");
    let decided = due(&cron_seen.spec, cron_seen.next_run.unwrap(), now);
    assert!(matches!(fire(&env, &cron_seen, &decided).await, FireAnswer::Fired(1.., 0, 0)));
    let (page, total) = env.store().crons(100, 10).await.unwrap();
    assert_eq!((page.len(), page[0].name.as_str(), total), (10, "later-100", 301));
    env.close().await;
}
