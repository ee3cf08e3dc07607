//! Calls that many of these tests make.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::job::{ClaimedJob, Exception, FencingToken, JobId, NewJob, Outcome, Status, WorkerId};
use store::{
    ClaimAnswer, ClaimRequest, Claims, Dumped, Finish, FinishAnswer, Heartbeat, HeartbeatReply,
    LeaseExpiry, Store,
};
use testkit::TestEnv;

/// A heartbeat of a worker with a lease of this length.
pub(crate) fn heartbeat(worker: &WorkerId, lease: Duration) -> Heartbeat {
    Heartbeat {
        worker: worker.clone(),
        lease,
        name: "test".into(),
        version: "1".into(),
        capacity_map: "scan=1".parse().unwrap(),
        free: "scan=1".parse().unwrap(),
        actions: ["noop", "sleep", "false"].map(|name| name.parse().unwrap()).into(),
        running: Vec::new(),
    }
}

/// A worker with a lease of a minute.
pub(crate) async fn worker(env: &TestEnv) -> WorkerId {
    let id = WorkerId::random();
    let reply = env.store().heartbeat(&heartbeat(&id, Duration::from_secs(60))).await.unwrap();
    assert!(matches!(reply, HeartbeatReply::Renewed(_)));
    id
}

pub(crate) async fn submit(env: &TestEnv, job: &NewJob) -> JobId {
    env.store().submit(std::slice::from_ref(job)).await.unwrap();
    job.id
}

pub(crate) async fn claim(env: &TestEnv, worker: &WorkerId, id: JobId) -> ClaimAnswer {
    let request = ClaimRequest { max: 1, ids: vec![id] };
    match env.store().claim(worker, &[request]).await.unwrap() {
        Claims::Answered(mut lists) => lists.remove(0).remove(0),
        Claims::LeaseLost | Claims::LeaseEnded | Claims::Superseded => {
            panic!("{worker} has no lease")
        }
    }
}

/// Claims a job that can be claimed.
pub(crate) async fn claimed(env: &TestEnv, worker: &WorkerId, id: JobId) -> ClaimedJob {
    match claim(env, worker, id).await {
        ClaimAnswer::Claimed(job) => *job,
        other @ (ClaimAnswer::Gone | ClaimAnswer::Refused(_) | ClaimAnswer::Parked(_)) => {
            panic!("{id} was not claimed: {other:?}")
        }
    }
}

pub(crate) fn end(id: JobId, token: FencingToken, outcome: Outcome) -> Finish {
    Finish { id, token, outcome, follow_up: JobId::random(), jitter: 1.0 }
}

pub(crate) async fn finish(env: &TestEnv, end: &Finish) -> FinishAnswer {
    env.store().finish(std::slice::from_ref(end)).await.unwrap().remove(0)
}

pub(crate) fn failed() -> Outcome {
    Outcome::Error(Exception::new("Test", "it failed"))
}

pub(crate) async fn status(env: &TestEnv, id: JobId) -> Status {
    env.store().job(id).await.unwrap().unwrap().status
}

/// The whole store, without the number of each worker's last claim, which every call raises.
pub(crate) async fn dump(env: &TestEnv) -> BTreeMap<String, Dumped> {
    dump_of(env.store()).await
}

/// The same of a store.
pub(crate) async fn dump_of(store: &Store) -> BTreeMap<String, Dumped> {
    let mut world = store.dump().await.unwrap();
    for value in world.values_mut() {
        if let Dumped::Hash(fields) = value {
            fields.remove("lastClaim");
        }
    }
    world
}

/// Ends a worker's lease, and its jobs with it.
pub(crate) async fn lose(env: &TestEnv, worker: &WorkerId) {
    env.store().heartbeat(&heartbeat(worker, Duration::from_millis(1))).await.unwrap();
    let ended = async || env.store().expire_lease(worker).await.unwrap() != LeaseExpiry::Alive;
    env.eventually("the lease ends", ended).await;
}
