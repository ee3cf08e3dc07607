//! Redis under Sentinel, and RabbitMQ with several nodes: the services follow the primary, and use
//! a node that answers, without a restart.

use e2e::StartServices;
use store::{Store, StoreConfig, StoreError};
use testkit::{PrivateRedis, PrivateSentinels, TestEnv, jobs};

use crate::outage::survive;

/// A store that accepts a submission when a replica has it.
fn replicated(env: &TestEnv) -> Store {
    let config = StoreConfig { replicas: 1, ..env.store_config().clone() };
    Store::new(&config).unwrap()
}

/// Submits jobs until that succeeds.
async fn submit_in_the_end(env: &TestEnv, count: usize) {
    let more = jobs(count, "noop", "scan=1");
    env.eventually("jobs are accepted again", async || env.store().submit(&more).await.is_ok())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_follow_the_sentinels_to_the_new_primary_after_the_old_one_is_killed() {
    let mut redis = PrivateSentinels::start().await;
    let env = TestEnv::on(&redis.url()).await;
    survive(&env, async || {
        // The jobs of `survive` are on the replica too when this one is accepted.
        replicated(&env).submit(&jobs(1, "noop", "scan=1")).await.unwrap();
        redis.first.kill();
        redis.kill_sentinel(0);
        redis.until_promoted().await;
        submit_in_the_end(&env, 30).await;
    })
    .await;
    assert_eq!(redis.second.command(&["role"]).lines().next(), Some("master"));
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_frozen_and_continues_as_a_replica_is_left() {
    let redis = PrivateSentinels::start().await;
    let env = TestEnv::on(&redis.url()).await;
    survive(&env, async || {
        replicated(&env).submit(&jobs(1, "noop", "scan=1")).await.unwrap();
        redis.first.freeze();
        redis.until_promoted().await;
        submit_in_the_end(&env, 30).await;
        redis.first.thaw();
        let demoted = async || redis.first.command(&["role"]).starts_with("slave");
        env.eventually("the sentinels make it a replica", demoted).await;
    })
    .await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_no_replica_has_is_not_accepted() {
    let (primary, replica) = (PrivateRedis::start().await, PrivateRedis::start().await);
    replica.replicate(&primary).await;
    let env = TestEnv::on(primary.url()).await;
    let store = replicated(&env);
    let [first, second] = [jobs(1, "noop", ""), jobs(1, "noop", "")];
    store.submit(&first).await.unwrap();
    replica.freeze();
    let refused = store.submit(&second).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotReplicated { wanted: 1, found: 0 }), "{refused}");
    assert!(refused.is_unavailable(), "the client may repeat it");
    replica.thaw();
    // It was written all the same: the repeat finds it, and now a replica has it.
    let repeated = async || store.submit(&second).await.is_ok();
    env.eventually("the replica has caught up", repeated).await;
    assert_eq!(
        replica.command(&[
            "exists",
            &format!("{{{}}}:job:{}", env.store_config().namespace, second[0].id)
        ]),
        "1"
    );
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_use_another_node_of_rabbitmq_when_theirs_is_cut_off() {
    let env = TestEnv::new().await;
    let ((first, _), (second, _)) = (env.amqp_proxy().await, env.amqp_proxy().await);
    let (credentials, rest) = env.broker_config().amqp_url.split_once('@').unwrap();
    let vhost = rest.find('/').map_or("", |at| &rest[at..]);
    let nodes: Vec<String> = [&first, &second].map(|node| node.address().to_string()).into();
    // Nothing listens on the port of the third.
    let url = format!("--amqp-url={credentials}@{},127.0.0.1:1{vhost}", nodes.join(","));
    let (scheduler, worker) = (env.scheduler_with(&[&url]), env.worker_with(&[&url]));
    let mut expected = 0;
    for [down, up] in [[&first, &second], [&second, &first], [&first, &second]] {
        down.cut();
        env.store().submit(&jobs(20, "noop", "scan=1")).await.unwrap();
        expected += 20;
        env.until_done(expected).await;
        down.restore();
        assert!(up.address() != down.address());
    }
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
