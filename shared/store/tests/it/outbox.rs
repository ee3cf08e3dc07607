//! The outbox, which relays share and take over from dead ones; and redispatch, which fills it
//! again.

use std::time::Duration;

use domain::job::{JobId, Priority, Timestamp};
use store::{Outbox, Redispatch, Redispatched};
use testkit::{TestEnv, assert_consistent, job, jobs, shared_queue};

use crate::calls::{claimed, dump, ids_of, redis_cli, submit, worker};

/// How long a read waits for entries that are there already.
const WAIT: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_entry_goes_to_one_relay_and_to_another_when_the_first_leaves_it() {
    let env = TestEnv::new().await;
    for job in &jobs(10, "noop", "scan=1") {
        submit(&env, job).await;
    }
    let mut first = Outbox::new(env.store().clone(), "first".into()).unwrap();
    let mut second = Outbox::new(env.store().clone(), "second".into()).unwrap();
    first.create_group().await.unwrap();
    second.create_group().await.unwrap();
    let some = first.read_new(6, WAIT).await.unwrap();
    let others = second.read_new(100, WAIT).await.unwrap();
    assert_eq!((some.len(), others.len()), (6, 4));
    assert!(some.iter().all(|entry| !others.contains(entry)));
    assert_eq!(
        first.read_own(100).await.unwrap(),
        some,
        "a relay may not have received the answer"
    );
    second.remove(&ids_of(&others)).await.unwrap();
    assert_eq!(second.read_own(100).await.unwrap(), []);
    assert_eq!(second.take_over(100, MINUTE).await.unwrap(), []);
    let taken_over = second.take_over(100, Duration::ZERO).await.unwrap();
    assert_eq!(taken_over, some);
    second.remove(&ids_of(&taken_over)).await.unwrap();
    assert_eq!(first.read_new(100, WAIT).await.unwrap(), []);
    assert_eq!(second.forget_dead_relays(Duration::ZERO).await.unwrap(), 1);
    env.close().await;
}

#[tokio::test]
async fn the_jobs_of_one_call_and_queue_share_an_entry() {
    let env = TestEnv::new().await;
    let mut outbox = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    let mut batch = jobs(20, "noop", "scan=1");
    batch[7].spec.priority = Priority::High;
    batch[9].scheduled_at = Some(Timestamp::from_ms(1_000));
    env.store().submit(&batch).await.unwrap();
    let entries = outbox.read_new(100, WAIT).await.unwrap();
    let (high, normal) = (shared_queue(&batch[7]), shared_queue(&batch[0]));
    let queues: Vec<_> = entries.iter().map(|entry| entry.queue().unwrap()).collect();
    assert_eq!(queues, [&normal, &high]);
    let offered: Vec<JobId> = entries[0].jobs.iter().map(|job| job.id).collect();
    let wanted = batch.iter().filter(|job| job.id != batch[7].id).map(|job| job.id);
    assert_eq!(offered, wanted.collect::<Vec<_>>());
    for entry in &entries {
        for offer in &entry.jobs {
            let job = env.job(offer.id).await;
            assert_eq!((offer.number, offer.scheduled_at), (job.number, job.scheduled_at));
        }
    }
    env.close().await;
}

#[tokio::test]
async fn only_waiting_jobs_whose_offer_is_old_are_offered_again() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut outbox = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    let (lost, running) = (job("noop", "scan=1"), job("noop", "scan=1"));
    submit(&env, &lost).await;
    submit(&env, &running).await;
    let which = |age| Redispatch { queue: shared_queue(&lost), age, behind: None };
    let before = dump(&env).await;
    assert_eq!(
        env.store().redispatch(&which(Duration::ZERO)).await.unwrap().offered,
        0,
        "they are still in the outbox"
    );
    assert_eq!(dump(&env).await, before);
    let published = outbox.read_new(100, WAIT).await.unwrap();
    outbox.remove(&ids_of(&published)).await.unwrap();
    claimed(&env, &worker, running.id).await;
    assert_eq!(
        env.store().redispatch(&which(MINUTE)).await.unwrap().offered,
        0,
        "the offer is not old enough"
    );
    assert_eq!(env.store().redispatch(&which(Duration::ZERO)).await.unwrap().offered, 1);
    let again = outbox.read_new(100, WAIT).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].jobs[0].id, lost.id);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_lost_offer_is_found_when_later_offers_of_its_queue_are_claimed() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut outbox = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    let batch = jobs(3, "noop", "scan=1");
    let which = |behind_ms| Redispatch {
        queue: shared_queue(&batch[0]),
        age: Duration::ZERO,
        behind: Some(Duration::from_millis(behind_ms)),
    };
    for job in &batch {
        submit(&env, job).await;
        let offered = env.store().now().await.unwrap();
        let later = async || env.store().now().await.unwrap() > offered;
        env.eventually("the next job is offered later", later).await;
    }
    let published = outbox.read_new(100, WAIT).await.unwrap();
    outbox.remove(&ids_of(&published)).await.unwrap();
    let before = dump(&env).await;
    assert_eq!(
        env.store().redispatch(&which(0)).await.unwrap().offered,
        0,
        "no job of the queue was claimed"
    );
    assert_eq!(dump(&env).await, before);

    claimed(&env, &worker, batch[1].id).await;
    let before = dump(&env).await;
    assert_eq!(
        env.store().redispatch(&which(3_600_000)).await.unwrap().offered,
        0,
        "it is not that far behind"
    );
    let other = Redispatch { queue: "scan=1.high".parse().unwrap(), ..which(0) };
    assert_eq!(
        env.store().redispatch(&other).await.unwrap().offered,
        0,
        "no job of this queue was claimed"
    );
    assert_eq!(dump(&env).await, before);
    assert_eq!(env.store().redispatch(&which(0)).await.unwrap().offered, 1);
    let again = outbox.read_new(100, WAIT).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].jobs[0].id, batch[0].id, "the offer of the third may still arrive");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn members_whose_jobs_do_not_wait_in_the_queue_are_removed_and_hide_no_lost_offer() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut outbox = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    let (lost, running) = (job("noop", "scan=1"), job("noop", "scan=1"));
    submit(&env, &lost).await;
    submit(&env, &running).await;
    let published = outbox.read_new(100, WAIT).await.unwrap();
    outbox.remove(&ids_of(&published)).await.unwrap();
    claimed(&env, &worker, running.id).await;
    let number = env.job(running.id).await.number;
    let mut members = vec![format!("{number:016}:{}", running.id)];
    members.extend((0..500).map(|number| format!("{number:016}:{}", JobId::random())));
    let key = format!("{{{}}}:ready:scan=1.normal", env.store_config().namespace);
    let command = ["zadd".to_owned(), key].into_iter();
    let command = command.chain(members.into_iter().flat_map(|member| ["1".to_owned(), member]));
    redis_cli(&env.store_config().redis_url, command).await;

    let which = Redispatch { queue: shared_queue(&lost), age: Duration::ZERO, behind: None };
    let mut sum = Redispatched::default();
    for _ in 0..4 {
        let some = env.store().redispatch(&which).await.unwrap();
        sum.offered += some.offered;
        sum.removed += some.removed;
    }
    assert_eq!(sum, Redispatched { offered: 1, removed: 501 });
    let again = outbox.read_new(100, WAIT).await.unwrap();
    assert_eq!(again[0].jobs[0].id, lost.id);
    env.close().await;
}
