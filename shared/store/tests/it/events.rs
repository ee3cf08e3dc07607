//! The stream of events: those of one call share entries, and readers do not notice.

use std::time::Duration;

use store::{Event, EventId};
use testkit::{TestEnv, jobs};

use crate::calls::{claim_all, redis_cli, worker};

/// All events that are kept.
async fn all(env: &TestEnv) -> Vec<Event> {
    env.store().event_list("", 100_000).await.unwrap()
}

/// How many entries the stream has.
async fn entries(env: &TestEnv) -> u64 {
    let key = format!("{{{}}}:events", env.store_config().namespace);
    let length = redis_cli(&env.store_config().redis_url, ["xlen".to_owned(), key]).await;
    length.trim().parse().unwrap()
}

#[tokio::test]
async fn a_reader_can_resume_after_any_event_of_an_entry() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let batch = jobs(100, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    claim_all(&env, &worker, &batch[..50].iter().map(|job| job.id).collect::<Vec<_>>()).await;
    let events = all(&env).await;
    assert_eq!(events.len(), 151, "one of the worker, and those of the jobs");
    assert_eq!(entries(&env).await, 7, "entries of 32 at most");
    assert!(events.is_sorted_by(|one, next| one.id < next.id), "{events:?}");
    let waiting = events[1..101].iter().map(|event| event.fields["job"].clone());
    let ids = batch.iter().map(|job| job.id.to_string());
    assert_eq!(waiting.collect::<Vec<_>>(), ids.collect::<Vec<_>>());
    assert_eq!(env.store().last_event().await.unwrap(), events[150].id);

    for at in [0, 1, 31, 32, 33, 99, 100, 101, 150] {
        let page = env.store().events_after(events[at].id, 1_000).await.unwrap();
        assert_eq!(page.events, events[at + 1..], "after event {at}");
        assert!(!page.lost);
        let some = env.store().events_after(events[at].id, 10).await.unwrap().events;
        assert_eq!(some[..], events[at + 1..][..some.len()]);
        assert_eq!(some.len(), 10.min(150 - at));
    }

    let mut reader = env.store().events().unwrap();
    let (mut last, mut read) = (EventId::default(), Vec::new());
    while read.len() < events.len() {
        let some = reader.after(last, 7, Duration::from_secs(1)).await.unwrap();
        assert!((1..=7).contains(&some.len()));
        last = some.last().unwrap().id;
        read.extend(some);
    }
    assert_eq!(read, events);
    let again = reader.after(events[40].id, 3, Duration::from_secs(1)).await.unwrap();
    assert_eq!(again, events[41..44], "a reader that goes back does not use what it has left");
    env.close().await;
}

#[tokio::test]
async fn events_are_lost_only_after_one_whose_successor_is_trimmed() {
    let env = TestEnv::new().await;
    env.store().submit(&jobs(100, "noop", "scan=1")).await.unwrap();
    let events = all(&env).await;
    env.redis("xtrim", "events", &["maxlen", "2"]).await;
    let kept = all(&env).await;
    assert_eq!(kept, events[64..]);
    for (at, lost) in [(0, true), (62, true), (64, false), (70, false), (99, false)] {
        let page = env.store().events_after(events[at].id, 1_000).await.unwrap();
        assert_eq!(page.lost, lost, "after event {at}");
    }
    env.close().await;
}

#[tokio::test]
async fn the_stream_keeps_about_ten_thousand_entries() {
    let env = TestEnv::new().await;
    let key = format!("{{{}}}:events", env.store_config().namespace);
    let fill = "for i = 1, 10500 do redis.call('XADD', KEYS[1], '*', 'text', i) end";
    let command = ["eval", fill, "1", &key].map(str::to_owned);
    redis_cli(&env.store_config().redis_url, command).await;
    env.store().submit(&jobs(2, "noop", "scan=1")).await.unwrap();
    let kept = entries(&env).await;
    // Redis trims whole nodes.
    assert!((10_000..10_200).contains(&kept), "{kept} entries");
    env.close().await;
}
