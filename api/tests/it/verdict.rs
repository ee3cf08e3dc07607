//! The verdict on the fleet in ten staged situations.

use std::time::Duration;

use domain::job::WorkerId;
use serde_json::{Value, json};
use store::{BrokerLink, LeaseExpiry};

use crate::env::{TestEnv, eventually, free_address, with_env, with_env_on};
use crate::redis_proxy::Proxy;

async fn verdict(env: &TestEnv) -> Value {
    let answer = env.get("/verdict").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn texts(verdict: &Value, name: &str) -> Vec<String> {
    let all = verdict[name].as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Returns the sentence, which must begin and end like this, and what is in between.
fn between<'a>(verdict: &'a Value, begin: &str, end: &str) -> &'a str {
    let text = verdict["verdict"].as_str().unwrap();
    let rest = text.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
    rest.unwrap_or_else(|| panic!("not {begin:?} … {end:?}: {verdict:#}"))
}

#[tokio::test]
async fn all_is_well() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let worker = env.worker("default=16", &["noop"]).await;
        let idle = verdict(env).await;
        assert_eq!(idle["verdict"], "All is well. No job waits, and none runs.");
        assert_eq!((&idle["urgency"], &idle["drainsInMs"]), (&json!("calm"), &json!(0)));
        let id = env.submit(&json!({"action": "noop"})).await;
        env.claim(&worker, id).await;
        let runs = verdict(env).await;
        assert_eq!(runs["verdict"], "All is well. 1 job runs, and none waits.");
        let ruled_out = texts(&runs, "ruledOut");
        assert_eq!(ruled_out.len(), 7, "{ruled_out:?}");
    })
    .await;
}

#[tokio::test]
async fn a_lock_is_held() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let worker = env.worker("default=16", &["noop"]).await;
        let job = json!({"action": "noop", "locks": ["device-sw1"]});
        let holder = env.submit(&job).await;
        env.claim(&worker, holder).await;
        for _ in 0..2 {
            let waits = env.submit(&job).await;
            env.park(&worker, waits).await;
        }
        let early = verdict(env).await;
        let begin = format!("2 jobs wait for lock device-sw1, held by job 1 ({holder}) for ");
        between(&early, &begin, ".");
        assert_eq!(early["urgency"], "calm");
        let past = env.store.now().await.unwrap().ms() - 720_000;
        env.redis("HSET", &format!("job:{holder}"), &["startedAt", &past.to_string()]).await;
        let late = verdict(env).await;
        assert_eq!(between(&late, &begin, "."), "12 min");
        assert_eq!(late["urgency"], "attention");
        let long = format!("Lock device-sw1 has been held by job 1 ({holder}) for 12 min.");
        assert!(texts(&late, "because").contains(&long), "{late:#}");
        let fits = "A live worker fits each waiting job.".to_owned();
        assert!(texts(&late, "ruledOut").contains(&fits), "{late:#}");
    })
    .await;
}

#[tokio::test]
async fn no_worker_fits() {
    with_env(async |env| {
        env.announce_scheduler().await;
        env.worker("default=16", &["noop"]).await;
        for _ in 0..3 {
            env.submit(&json!({"action": "noop", "capacityMap": {"gpu": 4}})).await;
        }
        let stuck = verdict(env).await;
        assert_eq!(stuck["verdict"], "3 jobs need gpu=4, which no live worker offers.");
        assert_eq!((&stuck["urgency"], &stuck["drainsInMs"]), (&json!("alarm"), &json!(0)));
        let fits = "A live worker fits each waiting job.".to_owned();
        assert!(!texts(&stuck, "ruledOut").contains(&fits), "{stuck:#}");
    })
    .await;
}

#[tokio::test]
async fn an_action_is_paused() {
    with_env(async |env| {
        env.announce_scheduler().await;
        env.worker("default=16", &["noop"]).await;
        env.command("/actions/noop/pause").await;
        for _ in 0..2 {
            env.submit(&json!({"action": "noop"})).await;
        }
        assert_eq!(verdict(env).await["verdict"], "2 jobs wait: action noop is paused.");
        env.command("/actions/noop/resume").await;
        let resumed = verdict(env).await;
        let begin = "2 jobs wait for a worker in queue default=1.normal";
        between(&resumed, begin, ".");
        let paused = "No waiting job is paused.".to_owned();
        assert!(texts(&resumed, "ruledOut").contains(&paused), "{resumed:#}");
    })
    .await;
}

#[tokio::test]
async fn jobs_are_due_later() {
    with_env(async |env| {
        env.announce_scheduler().await;
        env.worker("default=16", &["noop"]).await;
        for at in ["2100-01-01T00:00:00Z", "2101-01-01T00:00:00Z"] {
            env.submit(&json!({"action": "noop", "scheduledAt": at})).await;
        }
        let later = verdict(env).await;
        let begin = "All is well. 2 jobs wait until a later time; the next is due in ";
        assert!(between(&later, begin, ".").ends_with(" d"), "{later:#}");
        assert_eq!(later["urgency"], "calm");
    })
    .await;
}

#[tokio::test]
async fn jobs_wait_for_others_of_their_fairness_group() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let worker = env.worker("default=16", &["noop"]).await;
        let jobs = vec![json!({"action": "noop", "fairnessKey": "a"}); 200];
        let jobs = env.post("/jobs/batch", &json!({"jobs": jobs})).await.json();
        let waits = verdict(env).await;
        let begin = "136 jobs wait behind other jobs of the same fairness group in queue \
            default=1.normal";
        between(&waits, begin, ".");
        assert_eq!(waits["drainsInMs"], Value::Null, "no job has started: {waits:#}");
        let first = jobs["jobs"][0]["id"].as_str().unwrap().parse().unwrap();
        env.claim(&worker, first).await;
        let drains = verdict(env).await;
        assert_eq!(drains["drainsInMs"], 199 * 60_000, "one start in the last minute");
        between(&drains, "135 jobs", "; at the present rate they start within 3 h.");
    })
    .await;
}

#[tokio::test]
async fn a_large_job_waits_until_its_capacity_is_free_on_one_worker() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let worker = WorkerId::random();
        let lease = Duration::from_secs(60);
        env.heartbeat_with(&worker, ("scan=4", "scan=2"), &["noop"], lease).await;
        env.submit(&json!({"action": "noop", "capacityMap": {"scan": 3}})).await;
        let waits = verdict(env).await;
        let message = format!(
            "1 job waits for scan=3 on one worker: no worker has scan=3 free at once; worker \
             {worker} has the most, scan=2"
        );
        between(&waits, &message, ".");
        let busy = "1 live worker uses 50 % of its capacity of type scan.".to_owned();
        assert!(texts(&waits, "because").contains(&busy), "{waits:#}");
    })
    .await;
}

#[tokio::test]
async fn a_worker_is_dead() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let worker = WorkerId::random();
        let lease = Duration::from_millis(500);
        env.heartbeat_with(&worker, ("default=1", "default=1"), &["noop"], lease).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        env.claim(&worker, id).await;
        let ended = async || env.store.expire_lease(&worker).await.unwrap();
        eventually(ended, |ended| *ended == LeaseExpiry::Ended(1, 0)).await;
        let dead = verdict(env).await;
        assert_eq!(dead["verdict"], "1 job waits, and no worker is live.");
        assert_eq!(dead["urgency"], "alarm");
        let lease = format!("The lease of worker simulated ({worker}) ended ");
        assert!(texts(&dead, "because").iter().any(|text| text.starts_with(&lease)), "{dead:#}");
        assert_eq!(texts(&dead, "ruledOut").len(), 4, "{dead:#}");
    })
    .await;
}

#[tokio::test]
async fn the_store_is_slow() {
    let address = free_address();
    let _proxy = Proxy::open_slow(address, Duration::from_millis(260)).await;
    with_env_on(&format!("redis://{address}"), async |env| {
        let slow = async || {
            env.announce_scheduler().await;
            verdict(env).await
        };
        // On a busy machine, the store may not answer in time at all.
        let is_slow = |text: &Value| text.as_str().unwrap().starts_with("The store is slow: one");
        let slow = eventually(slow, |verdict| is_slow(&verdict["verdict"])).await;
        assert_eq!(slow["urgency"], "attention");
        let well = "The store answers in time, accepts writes and has room.".to_owned();
        assert!(!texts(&slow, "ruledOut").contains(&well), "{slow:#}");
    })
    .await;
}

#[tokio::test]
async fn the_broker_is_away() {
    with_env(async |env| {
        env.announce_link(BrokerLink::Down("connection refused".to_owned())).await;
        env.worker("default=16", &["noop"]).await;
        env.submit(&json!({"action": "noop"})).await;
        let away = verdict(env).await;
        let why = "no scheduler can publish to RabbitMQ (connection refused), so no job is offered \
            to workers";
        assert_eq!(away["verdict"], format!("1 job waits: {why}."));
        assert_eq!(away["urgency"], "alarm");
    })
    .await;
}
