//! Announcements of services: they are dated by Redis, expire, and go on while Redis is full.

use std::time::Duration;

use store::{Announcer, BrokerLink, ServiceKind};
use testkit::{PrivateRedis, TestEnv};

fn announcer(env: &TestEnv, kind: ServiceKind, id: &str) -> Announcer {
    Announcer::new(env.store().clone(), kind, id, "1.2.3")
}

/// What the store knows of the services that run.
async fn listed(env: &TestEnv) -> Vec<String> {
    let services = env.store().fleet_health().await.unwrap().services;
    let line = |one: &store::Service| {
        assert!(one.started_at <= one.last_seen, "{one:?}");
        format!("{} {} {} {:?}", one.kind.as_str(), one.id, one.version, one.broker)
    };
    services.iter().map(line).collect()
}

#[tokio::test]
async fn a_service_is_listed_from_its_announcement_until_it_retracts_it() {
    let env = TestEnv::new().await;
    let mut scheduler = announcer(&env, ServiceKind::Scheduler, "s");
    let mut api = announcer(&env, ServiceKind::Api, "a");
    assert_eq!(listed(&env).await, Vec::<String>::new());
    scheduler.announce(Some(BrokerLink::Down("it refuses".repeat(100)))).await.unwrap();
    api.announce(None).await.unwrap();
    let cut = format!("scheduler s 1.2.3 Some(Down({:?}))", "it refuses".repeat(30));
    assert_eq!(listed(&env).await, ["api a 1.2.3 None".to_owned(), cut]);
    scheduler.announce(Some(BrokerLink::Up)).await.unwrap();
    assert_eq!(listed(&env).await, ["api a 1.2.3 None", "scheduler s 1.2.3 Some(Up)"]);
    api.retract().await.unwrap();
    scheduler.retract().await.unwrap();
    assert_eq!(listed(&env).await, Vec::<String>::new());
    env.close().await;
}

#[tokio::test]
async fn services_that_are_silent_are_removed_by_the_next_that_announces_itself() {
    let env = TestEnv::new().await;
    let now = env.store().now().await.unwrap().ms();
    let about = r#"{"version":"1","startedAt":"2026-01-01T00:00:00Z"}"#;
    for (id, age_ms) in [("silent", 16_000), ("ahead", -60_000), ("recent", 0)] {
        let value = format!("{} {about}", now - age_ms);
        env.redis("hset", "services", &[&format!("api:{id}"), &value]).await;
    }
    env.redis("hset", "services", &["api:broken", "?"]).await;
    announcer(&env, ServiceKind::Scheduler, "s").announce(None).await.unwrap();
    let mut fields: Vec<_> =
        env.redis("hkeys", "services", &[]).await.split_whitespace().map(str::to_owned).collect();
    fields.sort();
    assert_eq!(fields, ["api:recent", "scheduler:s"]);
    let left_ms: u64 = env.redis("pttl", "services", &[]).await.trim().parse().unwrap();
    assert!(Duration::from_millis(left_ms) <= Duration::from_secs(15), "{left_ms}");
    env.close().await;
}

#[tokio::test]
async fn services_announce_themselves_while_redis_is_full() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let mut scheduler = announcer(&env, ServiceKind::Scheduler, "s");
    scheduler.announce(None).await.unwrap();
    redis.configure("maxmemory", "1mb");
    announcer(&env, ServiceKind::Scheduler, "t").announce(Some(BrokerLink::Up)).await.unwrap();
    assert_eq!(
        listed(&env).await,
        ["scheduler s 1.2.3 None", "scheduler t 1.2.3 Some(Up)"],
        "a full Redis hides no service"
    );
    env.close().await;
}
