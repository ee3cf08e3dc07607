//! Records that cannot be read: the step about one of them fails, and those about others are
//! carried out.

use std::time::Duration;

use domain::job::{JobId, Outcome, Status, Timestamp, WorkerId};
use store::{
    ClaimAnswer, ClaimRequest, Claims, FinishAnswer, HeartbeatReply, Interruption, LeaseExpiry,
    LeaveAnswer,
};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, end, failed, heartbeat, lose, status, submit, worker};

/// Replaces the record of a job with a text.
async fn replace(env: &TestEnv, id: JobId) {
    let key = format!("job:{id}");
    env.redis("del", &key, &[]).await;
    env.redis("set", &key, &["not a record"]).await;
}

async fn set_field(env: &TestEnv, id: JobId, field: &str, value: &str) {
    env.redis("hset", &format!("job:{id}"), &[field, value]).await;
}

/// Submits three jobs.
async fn three(env: &TestEnv) -> [JobId; 3] {
    let batch = [(); 3].map(|()| job("noop", "scan=1"));
    env.store().submit(&batch).await.unwrap();
    batch.map(|job| job.id)
}

/// Claims jobs, each with a request of its own, in one call.
async fn claim_each(env: &TestEnv, worker: &WorkerId, ids: &[JobId]) -> Vec<ClaimAnswer> {
    let requests: Vec<_> = ids.iter().map(|id| ClaimRequest { max: 1, ids: vec![*id] }).collect();
    match env.store().claim(worker, &requests).await.unwrap() {
        Claims::Answered(lists) => lists.concat(),
        Claims::LeaseLost | Claims::LeaseEnded | Claims::Superseded => panic!("no lease"),
    }
}

/// The reports of failed steps.
async fn failures(env: &TestEnv) -> Vec<String> {
    env.store().take_failures().await.unwrap()
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_claimed_with_its_token_and_can_be_ended() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = three(&env).await;
    let newer = r#"{"action": "noop", "onWorkerLost": "ask"}"#;
    set_field(&env, ids[1], "spec", newer).await;
    let answers = claim_each(&env, &worker, &ids).await;
    let [ClaimAnswer::Claimed(_), ClaimAnswer::Unreadable(token, reason), ClaimAnswer::Claimed(_)] =
        &answers[..]
    else {
        panic!("{answers:?}")
    };
    assert!(reason.contains("onWorkerLost: unknown variant `ask`"), "{reason}");
    let ended = env.store().finish(&[end(ids[1], *token, failed())]).await.unwrap();
    assert_eq!(ended, [FinishAnswer::Recorded(Status::Error)]);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_claim_that_fails_leaves_the_other_claims_of_its_call_alone() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = three(&env).await;
    replace(&env, ids[1]).await;
    let answers = claim_each(&env, &worker, &ids).await;
    let [ClaimAnswer::Claimed(_), ClaimAnswer::Failed(reason), ClaimAnswer::Claimed(_)] =
        &answers[..]
    else {
        panic!("{answers:?}")
    };
    assert!(reason.starts_with("WRONGTYPE"), "{reason}");
    env.close().await;
}

#[tokio::test]
async fn an_end_that_fails_ends_its_job_without_a_follow_up_and_leaves_the_others_alone() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = three(&env).await;
    let mut ends = Vec::new();
    for id in ids {
        ends.push(end(id, claimed(&env, &worker, id).await.token, failed()));
    }
    set_field(&env, ids[1], "retriesLeft", "many").await;
    let answers = env.store().finish(&ends).await.unwrap();
    let [FinishAnswer::Recorded(_), FinishAnswer::Failed(_), FinishAnswer::Recorded(_)] =
        &answers[..]
    else {
        panic!("{answers:?}")
    };
    set_field(&env, ids[1], "retriesLeft", "0").await;
    let read = env.store().job(ids[1]).await.unwrap().unwrap();
    assert_eq!((read.status, read.follow_up), (Status::Error, None));
    let exception = read.exception.unwrap();
    assert_eq!(exception.kind, "UnreadableJob");
    assert!(exception.message.contains("compare"), "{exception:?}");
    assert_eq!(env.store().leave(&worker).await.unwrap(), LeaveAnswer::Left, "it holds no job");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_end_of_a_job_whose_record_is_gone_to_another_type_fails_alone() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = three(&env).await;
    let mut ends = Vec::new();
    for id in ids {
        ends.push(end(id, claimed(&env, &worker, id).await.token, Outcome::Done(None)));
    }
    replace(&env, ids[1]).await;
    let answers = env.store().finish(&ends).await.unwrap();
    assert!(matches!(&answers[1], FinishAnswer::Failed(reason) if reason.starts_with("WRONGTYPE")));
    for id in [ids[0], ids[2]] {
        assert_eq!(status(&env, id).await, Status::Done);
    }
    env.close().await;
}

#[tokio::test]
async fn a_heartbeat_reports_a_job_that_cannot_be_read_as_lost_and_renews_the_lease() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    let token = claimed(&env, &worker, id).await.token;
    replace(&env, id).await;
    let mut sent = heartbeat(&worker, Duration::from_secs(60));
    sent.running = vec![(id, token)];
    let HeartbeatReply::Renewed(renewal) = env.store().heartbeat(&sent).await.unwrap() else {
        panic!("the lease is good")
    };
    assert_eq!(renewal.interruptions, [(id, Interruption::Lost)]);
    env.close().await;
}

#[tokio::test]
async fn the_jobs_of_a_dead_worker_end_although_one_of_them_cannot_be_read() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = three(&env).await;
    for id in ids {
        claimed(&env, &worker, id).await;
    }
    set_field(&env, ids[1], "crashes", "many").await;
    replace(&env, ids[2]).await;
    lose(&env, &worker).await;
    assert_eq!(status(&env, ids[0]).await, Status::WorkerDead);
    assert_eq!(env.store().status(ids[1]).await.unwrap(), Some(Status::Error));
    assert_eq!(env.store().expire_lease(&worker).await.unwrap(), LeaseExpiry::Alive, "all ended");
    let reports = failures(&env).await;
    for id in &ids[1..] {
        assert!(reports.iter().any(|report| report.starts_with(&id.to_string())), "{reports:?}");
    }
    assert_eq!(failures(&env).await, Vec::<String>::new(), "each is reported once");
    env.close().await;
}

#[tokio::test]
async fn jobs_that_are_due_or_expired_go_on_although_one_cannot_be_read() {
    let env = TestEnv::new().await;
    let soon = Timestamp::from_ms(env.store().now().await.unwrap().ms() + 50);
    let mut batch = [(); 6].map(|()| job("noop", "scan=1"));
    for (index, job) in batch.iter_mut().enumerate() {
        // The first three are due soon; the others expire soon.
        *(if index < 3 { &mut job.scheduled_at } else { &mut job.spec.expires_at }) = Some(soon);
    }
    env.store().submit(&batch).await.unwrap();
    let ids = batch.map(|job| job.id);
    replace(&env, ids[0]).await;
    replace(&env, ids[3]).await;
    let moved = async || {
        env.store().due().await.unwrap();
        env.store().expire_waiting().await.unwrap();
        env.store().counts().await.unwrap().contains(&(Status::Error, 2))
            && crate::calls::offers(&env)
                .await
                .iter()
                .filter(|(id, _)| ids[1..3].contains(id))
                .count()
                == 2
    };
    env.eventually("the jobs that can be read go on", moved).await;
    let reports = failures(&env).await;
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(env.store().due().await.unwrap().next > Some(Duration::from_secs(30)), "tried later");
    env.close().await;
}

#[tokio::test]
async fn ends_are_propagated_although_a_parent_cannot_be_read() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (first, second) = (job("noop", "scan=1"), job("noop", "scan=1"));
    let (mut broken, mut last) = (job("noop", "scan=1"), job("noop", "scan=1"));
    broken.spec.depends_on = vec![first.id];
    last.spec.depends_on = vec![second.id];
    let (first, second, broken, last) = {
        let batch = [first, second, broken, last];
        env.store().submit(&batch).await.unwrap();
        let [first, second, broken, last] = batch.map(|job| job.id);
        (first, second, broken, last)
    };
    replace(&env, broken).await;
    for id in [first, second] {
        let token = claimed(&env, &worker, id).await.token;
        let ended = env.store().finish(&[end(id, token, Outcome::Done(None))]).await.unwrap();
        assert_eq!(ended, [FinishAnswer::Recorded(Status::Done)]);
    }
    assert_eq!(env.store().propagate().await.unwrap(), (0, 0), "nothing is left");
    claimed(&env, &worker, last).await;
    let reports = failures(&env).await;
    assert!(reports[0].starts_with(&broken.to_string()), "{reports:?}");
    env.close().await;
}
