//! A tenant that submits as much as it can, with a fairness key for each job and a class of its own
//! for many. Jobs of another tenant start soon, and what the first may take ends.

use domain::job::NewJob;
use e2e::{StartServices, Timeline};
use store::{Quota, SettingsChanges, StoreError};
use testkit::{TestEnv, assert_consistent, job, jobs};

/// How many jobs of one tenant are ahead of others at most: 64 without a fairness key and 192 with
/// one are offered, and another offer of 64 may reach the worker, which starts older jobs first,
/// together with those of others.
const MOST_AHEAD: usize = 256 + 64;
/// How many jobs may wait of each tenant.
const QUOTA: usize = 1_500;

fn of(tenant: &str, mut job: NewJob) -> NewJob {
    job.spec.scheduled_by = Some(tenant.to_owned());
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_another_tenant_start_before_the_flood_of_a_hostile_one() {
    let env = TestEnv::new().await;
    let quota =
        SettingsChanges { max_waiting_jobs: Some(QUOTA as u64), ..SettingsChanges::default() };
    env.store().change_settings(&quota).await.unwrap();
    let keyed = |(index, job): (usize, NewJob)| {
        let mut job = of("mallory", job);
        job.spec.fairness_key = (index % 10 > 0).then(|| format!("key {index}"));
        job
    };
    let flood: Vec<NewJob> =
        jobs(QUOTA, "noop", "scan=1").into_iter().enumerate().map(keyed).collect();
    for some in flood.chunks(100) {
        env.store().submit(some).await.unwrap();
    }
    let refused = env.store().submit(&[of("mallory", job("noop", "scan=1"))]).await.unwrap_err();
    let by_quota = matches!(&refused, StoreError::QuotaExceeded(why) if why.quota == Quota::Jobs);
    assert!(by_quota, "{refused}");
    let honest: Vec<NewJob> =
        jobs(10, "noop", "scan=1").into_iter().map(|job| of("anna", job)).collect();
    env.store().submit(&honest).await.unwrap();

    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    env.until_done((QUOTA + honest.len()) as u64).await;
    let all: Vec<NewJob> = flood.iter().chain(&honest).cloned().collect();
    let timeline = Timeline::of(env.store(), &all).await;
    let is_honest = |id| honest.iter().any(|job| job.id == id);
    let ahead: Vec<usize> = timeline
        .jobs
        .iter()
        .enumerate()
        .filter(|(_, job)| is_honest(job.id))
        .enumerate()
        .map(|(earlier, (started, _))| started - earlier)
        .collect();
    assert_eq!(ahead.len(), honest.len());
    assert!(ahead.iter().all(|ahead| *ahead <= MOST_AHEAD), "jobs ahead of each: {ahead:?}");
    assert!(env.store().waiting_by_owner().await.unwrap().is_empty());
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
