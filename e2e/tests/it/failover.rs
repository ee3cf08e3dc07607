//! A replica of Redis takes the place of the primary: the services follow it without a restart.

use testkit::{PrivateRedis, Proxy, TestEnv, jobs};

use crate::outage::survive;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_services_leave_the_old_primary_and_no_job_is_lost() {
    let (primary, replica) = (PrivateRedis::start().await, PrivateRedis::start().await);
    replica.replicate(&primary).await;
    let (proxy, url) = Proxy::in_front_of(primary.url()).await;
    let env = TestEnv::on(&url).await;
    survive(&env, async || {
        primary.fail_over().await;
        // The connections are still open, and the old primary answers every read.
        let refused = env.store().submit(&jobs(1, "noop", "")).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        proxy.lead_to(replica.url());
        let more = jobs(31, "noop", "scan=1");
        let submitted = async || env.store().submit(&more).await.is_ok();
        env.eventually("jobs are accepted again", submitted).await;
    })
    .await;
    env.close().await;
}
