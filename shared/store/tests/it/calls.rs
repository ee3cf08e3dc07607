//! Calls that many of these tests make.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::access_tokens::Role;
use domain::job::{ClaimedJob, Exception, FencingToken, JobId, NewJob, Outcome, Status, WorkerId};
use domain::signal::SignalWait;
use store::{
    ClaimAnswer, ClaimRequest, Claims, Dumped, Finish, FinishAnswer, Heartbeat, HeartbeatReply,
    LeaseExpiry, NewSignal, OutboxEntry, Store,
};
use testkit::TestEnv;
pub(crate) use testkit::redis_cli;

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
        noted: FencingToken(0),
    }
}

/// A worker with a lease of a minute.
pub(crate) async fn worker(env: &TestEnv) -> WorkerId {
    let id = WorkerId::random();
    let reply = env.store().heartbeat(&heartbeat(&id, Duration::from_secs(60))).await.unwrap();
    assert!(matches!(reply, HeartbeatReply::Renewed(_)));
    id
}

/// A signal from an operator.
pub(crate) fn signal(name: &str) -> NewSignal {
    NewSignal {
        name: name.parse().unwrap(),
        role: Role::Operator,
        by: "ann".to_owned(),
        body: r#"{"ok": true}"#.to_owned(),
    }
}

/// The end of a run whose job waits for a signal, for at most `timeout`.
pub(crate) fn waits_for(name: &str, timeout: &str) -> Outcome {
    let (signal, timeout) = (name.parse().unwrap(), timeout.parse().unwrap());
    Outcome::Wait(None, SignalWait { signal, timeout, roles: Vec::new() })
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
        other @ (ClaimAnswer::Gone
        | ClaimAnswer::Refused(_)
        | ClaimAnswer::Parked(_)
        | ClaimAnswer::Unreadable(..)
        | ClaimAnswer::Failed(_)) => {
            panic!("{id} was not claimed: {other:?}")
        }
    }
}

/// Claims these jobs, as many in a call as workers do, and again while some wait for room among the
/// offers of their fairness group. Returns those that run.
pub(crate) async fn claim_all(env: &TestEnv, worker: &WorkerId, ids: &[JobId]) -> Vec<ClaimedJob> {
    let mut runs = Vec::new();
    for some in ids.chunks(128) {
        let mut left = some.to_vec();
        loop {
            let requests = left.chunks(64);
            let request = |ids: &[JobId]| ClaimRequest { max: ids.len() as u32, ids: ids.to_vec() };
            let requests: Vec<ClaimRequest> = requests.map(request).collect();
            let Claims::Answered(lists) = env.store().claim(worker, &requests).await.unwrap()
            else {
                panic!("{worker} has no lease")
            };
            let mut claimed = Vec::new();
            let answers = lists.into_iter().flatten().zip(std::mem::take(&mut left));
            for (answer, id) in answers {
                match answer {
                    ClaimAnswer::Claimed(run) => claimed.push(*run),
                    ClaimAnswer::Refused(Status::Waiting) => left.push(id),
                    ClaimAnswer::Gone
                    | ClaimAnswer::Refused(_)
                    | ClaimAnswer::Parked(_)
                    | ClaimAnswer::Unreadable(..)
                    | ClaimAnswer::Failed(_) => {}
                }
            }
            let is_over = claimed.is_empty() || left.is_empty();
            runs.append(&mut claimed);
            if is_over {
                break;
            }
        }
    }
    runs
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

/// The whole store, without the number of each worker's last claim, which every call raises, and
/// without what each process writes when it opens the store.
pub(crate) async fn dump(env: &TestEnv) -> BTreeMap<String, Dumped> {
    dump_of(env.store()).await
}

/// The same of a store.
pub(crate) async fn dump_of(store: &Store) -> BTreeMap<String, Dumped> {
    let mut world = store.dump().await.unwrap();
    world.remove("store");
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

/// A worker that knows these actions and has a lease of a minute.
pub(crate) async fn worker_that_knows(env: &TestEnv, actions: &[&str]) -> WorkerId {
    let id = WorkerId::random();
    report(env, &id, actions).await;
    id
}

/// A heartbeat of a worker that knows these actions.
pub(crate) async fn report(env: &TestEnv, worker: &WorkerId, actions: &[&str]) {
    let actions = actions.iter().map(|name| name.parse().unwrap()).collect();
    let minute = Duration::from_secs(60);
    let reply = env.store().heartbeat(&Heartbeat { actions, ..heartbeat(worker, minute) }).await;
    assert!(matches!(reply.unwrap(), HeartbeatReply::Renewed(_)));
}

/// The jobs in the outbox, in its order, each with its queue.
pub(crate) async fn offers(env: &TestEnv) -> Vec<(JobId, String)> {
    let Some(Dumped::Stream(entries)) = dump(env).await.remove("outbox") else {
        return Vec::new();
    };
    let offer =
        |entry: BTreeMap<String, String>| (entry["job"].parse().unwrap(), entry["queue"].clone());
    entries.into_iter().map(offer).collect()
}

/// The ids of entries of the outbox.
pub(crate) fn ids_of(entries: &[OutboxEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.id.clone()).collect()
}

/// The queue through which a job was offered last.
pub(crate) async fn queue_of(env: &TestEnv, id: JobId) -> String {
    let offers = offers(env).await;
    let last = offers.iter().rfind(|(job, _)| *job == id);
    last.unwrap_or_else(|| panic!("{id} was not offered")).1.clone()
}
