//! Redis Cluster: a node holds the namespace, and the services follow it to another one.

use store::{Store, StoreConfig};
use testkit::{PrivateRedisCluster, TestEnv, jobs};
use tokio_util::sync::CancellationToken;

use crate::outage::survive;

#[tokio::test(flavor = "multi_thread")]
async fn the_services_follow_a_namespace_to_another_node_of_a_redis_cluster() {
    let mut redis = PrivateRedisCluster::start().await;
    let env = TestEnv::on(redis.url()).await;
    let key = format!("{{{}}}:", env.store_config().namespace);
    let (holder, spare) = (redis.holder_of(&key).await, redis.spare());
    redis.replicate(spare, holder).await;
    survive(&env, async || {
        let more = jobs(31, "noop", "scan=1");
        env.store().submit(&more).await.unwrap();
        redis.take_over(spare).await;
        // The services follow when the old holder answers MOVED.
        let follows = async || env.store().check_writes().await.is_ok();
        env.eventually("the store follows", follows).await;
        redis.take_over(holder).await;
        env.eventually("the store follows back", follows).await;
        redis.kill(holder);
        redis.until_primary(spare).await;
    })
    .await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_a_single_node_that_does_not_hold_the_namespace_is_refused() {
    let redis = PrivateRedisCluster::start().await;
    let namespace = "test";
    let holder = redis.holder_of(&format!("{{{namespace}}}:")).await;
    let other = redis.node_url((holder + 1) % 3);
    let store = Store::new(&StoreConfig::new(other, namespace)).unwrap();
    let refused = store.wait_until_ready(&CancellationToken::new()).await.unwrap_err();
    assert!(refused.to_string().contains("begin it with redis+cluster://"), "{refused}");
}
