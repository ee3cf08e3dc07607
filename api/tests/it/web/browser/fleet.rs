//! A fleet as it might look at work: several workers, jobs in many states and of several submitters,
//! a lock that is held for long, failures, crons, subscriptions. The pictures show it.

use std::time::Duration;

use domain::job::{Exception, FencingToken, JobId, NewJob, Outcome, Timestamp, WorkerId};
use serde_json::{Value, json};
use store::{Heartbeat, LogSource, NewLogLine};
use uuid::Uuid;

use crate::env::TestEnv;

const ACTIONS: &str = "scan,backup,push,gc,report,deliver";

/// Fills the fleet. Returns the name and the path of each page.
pub(super) async fn fill(env: &TestEnv) -> Vec<(&'static str, String)> {
    env.announce_scheduler().await;
    let worker = join(env, "berlin-1", "default=16,scan=4", "default=9,scan=1").await;
    join(env, "berlin-2", "default=16,scan=4", "default=14,scan=4").await;
    join(env, "berlin-3", "default=16,scan=4", "default=12,scan=3").await;
    join(env, "paris-1", "backup=2,default=8", "backup=0,default=5").await;
    join(env, "paris-2", "backup=2,default=8", "backup=1,default=8").await;
    finish_some(env, &worker).await;
    let failed = fail_some(env, &worker).await;
    let (holder, waits) = hold_a_lock(env, &worker).await;
    let graph = pipeline(env, &worker).await;
    let approval = wait_for_approval(env, &worker).await;
    submit_as(env, "ci", 1, &json!({"action": "train", "capacityMap": {"gpu": 4}})).await;
    let in_six_hours = Timestamp::from_ms(env.store.now().await.unwrap().ms() + 21_600_000);
    let later = json!({"action": "report", "scheduledAt": in_six_hours});
    env.submit(&later).await;
    env.submit(&json!({"action": "report", "dependsOn": [holder]})).await;
    compete(env).await;
    env.count_a_busy_hour().await;
    let bulk = configure(env).await;
    let pages = [
        ("overview", "/".to_owned()),
        ("jobs", "/jobs?limit=25".to_owned()),
        ("jobs-search", "/jobs?q=action:scan+-status:error+param.host:sw1".to_owned()),
        ("jobs-invalid", "/jobs?status=finished".to_owned()),
        ("job-running", format!("/jobs/{holder}")),
        ("job-waiting", format!("/jobs/{waits}")),
        ("job-failed", format!("/jobs/{failed}")),
        ("job-signal", format!("/jobs/{approval}")),
        ("job-edit", format!("/jobs/{waits}/edit")),
        ("job-graph", format!("/jobs/{graph}")),
        ("waiting", "/waiting".to_owned()),
        ("failures", "/failures".to_owned()),
        ("overview-24h", "/?range=24h".to_owned()),
        ("workers", "/workers".to_owned()),
        ("worker", format!("/workers/{worker}")),
        ("queues", "/queues".to_owned()),
        ("crons", "/crons".to_owned()),
        ("cron", "/crons/nightly".to_owned()),
        ("cron-editor", "/cron-editor?schedule=0+30+2+*+*+MON-FRI".to_owned()),
        ("locks", "/locks".to_owned()),
        ("lock", "/locks/device-sw1".to_owned()),
        ("subscriptions", "/subscriptions".to_owned()),
        ("subscription", "/subscriptions/ops".to_owned()),
        ("bulk", "/bulk".to_owned()),
        ("bulk-editor", "/bulk-editor?q=status:error&operation=retry".to_owned()),
        ("bulk-operation", format!("/bulk/{bulk}")),
        ("settings", "/settings".to_owned()),
        ("audit", "/audit".to_owned()),
        ("find", "/find?q=s".to_owned()),
    ];
    pages.into()
}

async fn join(env: &TestEnv, name: &str, map: &str, free: &str) -> WorkerId {
    let heartbeat = Heartbeat {
        worker: WorkerId::random(),
        lease: Duration::from_secs(120),
        name: name.to_owned(),
        version: "0.2.0".to_owned(),
        free: free.parse().unwrap(),
        capacity_map: map.parse().unwrap(),
        actions: ACTIONS.split(',').map(|action| action.parse().unwrap()).collect(),
        running: Vec::new(),
        noted: FencingToken(0),
    };
    env.store.heartbeat(&heartbeat).await.unwrap();
    heartbeat.worker
}

/// Runs a job until it waits for an approval.
async fn wait_for_approval(env: &TestEnv, worker: &WorkerId) -> JobId {
    let parameters = json!({"site": "berlin", "version": "4.2"});
    let id = env.submit(&json!({"action": "push", "parameters": parameters})).await;
    let token = env.claim(worker, id).await;
    let wait = serde_json::from_value(json!({"signal": "approved", "timeout": "24h"})).unwrap();
    env.end(id, token, Outcome::Wait(Some(json!({"changes": 12})), wait)).await;
    id
}

/// Submits several jobs of one submitter.
async fn submit_as(env: &TestEnv, owner: &str, count: usize, spec: &Value) {
    let mut spec = spec.clone();
    spec["scheduledBy"] = json!(owner);
    let capacity = spec["capacityMap"].as_object().cloned().unwrap_or_default();
    let class: Vec<String> =
        capacity.iter().map(|(name, units)| format!("{name}={units}")).collect();
    let class = if class.is_empty() { "default=1".to_owned() } else { class.join("+") };
    let past = Timestamp::from_ms(env.store.now().await.unwrap().ms() - 95_000);
    let job = |_| {
        let job = json!({"id": JobId::random(), "class": class, "scheduled_at": past,
            "spec": spec});
        serde_json::from_value::<NewJob>(job).unwrap()
    };
    let jobs: Vec<NewJob> = (0..count).map(job).collect();
    env.store.submit_batch(Uuid::new_v4(), &jobs).await.unwrap();
}

/// Moves times of a job into the past.
async fn put_back(env: &TestEnv, id: JobId, times: &[(&str, i64)]) {
    let now = env.store.now().await.unwrap().ms();
    for (field, ms) in times {
        env.redis("HSET", &format!("job:{id}"), &[field, &(now - ms).to_string()]).await;
    }
}

/// Makes a running job look as if it had started `ms` milliseconds ago.
async fn ran_for(env: &TestEnv, id: JobId, ms: i64) {
    let times = [("createdAt", ms + 60), ("scheduledAt", ms + 60), ("startedAt", ms)];
    put_back(env, id, &times).await;
}

async fn write(env: &TestEnv, id: JobId, token: FencingToken, lines: &[(LogSource, String)]) {
    let line = |(source, text): &(LogSource, String)| NewLogLine::now(*source, text.clone());
    let lines: Vec<NewLogLine> = lines.iter().map(line).collect();
    env.store.append_log(id, token, 0, &lines).await.unwrap();
}

async fn finish_some(env: &TestEnv, worker: &WorkerId) {
    for n in 1..=9_i64 {
        let host = format!("sw{n}");
        let job = json!({"action": "scan", "parameters": {"host": host}});
        let id = env.submit(&job).await;
        let token = env.claim(worker, id).await;
        let text = format!("connecting to 192.0.2.{n}");
        write(env, id, token, &[(LogSource::Stdout, text)]).await;
        ran_for(env, id, 900 + 740 * n).await;
        env.finish(id, token, Some(json!({"ports": 3 * n, "host": host}))).await;
    }
    for image in ["web", "worker"] {
        let job = json!({"action": "push", "parameters": {"image": image, "tag": "2.4.1"}});
        let id = env.submit(&job).await;
        let token = env.claim(worker, id).await;
        ran_for(env, id, 74_000).await;
        env.finish(id, token, Some(json!({"digest": "sha256:9f2c41d0", "layers": 7}))).await;
    }
}

/// Returns a job that failed.
async fn fail_some(env: &TestEnv, worker: &WorkerId) -> JobId {
    let mut last = None;
    for (action, kind, message) in [
        ("push", "ExitCode", "it exited with 1"),
        ("backup", "ExitCode", "it exited with 23"),
        ("backup", "ExitCode", "it exited with 23"),
        ("report", "Timeout", "it ran longer than its deadline of 15m"),
    ] {
        let parameters = json!({"volume": "mail", "target": "backup-2.example"});
        let job = json!({"action": action, "parameters": parameters});
        let id = env.submit(&job).await;
        let token = env.claim(worker, id).await;
        let lines = [
            (LogSource::Stdout, "sending incremental file list"),
            (LogSource::Stderr, "rsync: connection refused by backup-2.example"),
            (LogSource::Stderr, "giving up after 3 attempts"),
        ];
        let lines = lines.map(|(source, text)| (source, text.to_owned()));
        write(env, id, token, &lines).await;
        ran_for(env, id, 42_000).await;
        let exception = Exception::new(kind, message);
        env.end(id, token, Outcome::Error(exception)).await;
        last = last.or((action == "backup").then_some(id));
    }
    last.unwrap()
}

/// Returns the job that holds a lock, and one that waits for it.
async fn hold_a_lock(env: &TestEnv, worker: &WorkerId) -> (JobId, JobId) {
    let holder = json!({"action": "scan", "locks": ["device-sw1"], "comment": "before the move",
        "parameters": {"host": "sw1", "ports": [22, 80, 443]}, "ticketRef": "NET-4711"});
    let holder = env.submit(&holder).await;
    let token = env.claim(worker, holder).await;
    let port = |n: u32| (LogSource::Stdout, format!("port {n}: closed"));
    let mut lines = vec![(LogSource::Stdout, "connecting to 192.0.2.7".to_owned())];
    lines.extend((1..=38).map(port));
    lines.push((LogSource::Stderr, "port 39: no answer within 5 s, trying again".to_owned()));
    write(env, holder, token, &lines).await;
    env.store.progress(holder, token, &json!({"done": 40, "of": 443})).await.unwrap();
    let times = [("createdAt", 764_000), ("scheduledAt", 764_000), ("startedAt", 763_000)];
    put_back(env, holder, &times).await;
    let mut first = None;
    for (n, wait) in [(1, 610_000), (2, 240_000), (3, 35_000)] {
        let job = json!({"action": "scan", "locks": ["device-sw1"],
            "parameters": {"host": "sw1", "vlan": 100 + n}});
        let id = env.submit(&job).await;
        env.park(worker, id).await;
        let times = [("createdAt", wait + 900), ("scheduledAt", wait + 900), ("parkedAt", wait)];
        put_back(env, id, &times).await;
        first = first.or(Some(id));
    }
    for (action, minutes) in [("backup", 3), ("push", 1)] {
        let locks = format!("volume/{action}");
        let id = env.submit(&json!({"action": action, "locks": [locks]})).await;
        let token = env.claim(worker, id).await;
        env.store.progress(id, token, &json!({"percent": 20 * minutes})).await.unwrap();
        ran_for(env, id, minutes * 61_000).await;
    }
    (holder, first.unwrap())
}

/// Submits jobs of several fairness groups, more than are offered at a time.
async fn compete(env: &TestEnv) {
    let low = |key: &str| json!({"action": "gc", "priority": "low", "fairnessKey": key});
    submit_as(env, "ci", 70, &low("tenant-7")).await;
    submit_as(env, "ci", 18, &low("tenant-12")).await;
    submit_as(env, "nightly", 7, &json!({"action": "gc", "priority": "low"})).await;
}

/// Adds a job that several others come before and after, with a retry, and returns it.
async fn pipeline(env: &TestEnv, worker: &WorkerId) -> JobId {
    let mut before = Vec::new();
    for _ in 0..3 {
        before.push(env.submit(&json!({"action": "scan"})).await);
    }
    let job = json!({"action": "report", "dependsOn": before, "retries": 1});
    let job = env.submit(&job).await;
    for action in ["push", "backup"] {
        env.submit(&json!({"action": action, "dependsOn": [job]})).await;
    }
    for (id, ms) in before.into_iter().zip([61_000, 3_000, 9_000]) {
        let token = env.claim(worker, id).await;
        ran_for(env, id, ms).await;
        env.finish(id, token, None).await;
    }
    let token = env.claim(worker, job).await;
    let times = [
        ("createdAt", 70_000),
        ("scheduledAt", 60_000),
        ("unblockedAt", 20_000),
        ("parkedAt", 18_000),
        ("grantedAt", 9_000),
        ("startedAt", 8_000),
    ];
    put_back(env, job, &times).await;
    env.fail(job, token).await;
    job
}

/// Adds crons and subscriptions, and begins a bulk operation, whose id it returns.
async fn configure(env: &TestEnv) -> String {
    for (name, action, schedule, zone) in [
        ("nightly", "backup", "0 0 1 * * *", "UTC"),
        ("sweep", "scan", "0 0 1 * * *", "Europe/Berlin"),
        ("hourly-report", "report", "0 15 * * * *", "UTC"),
        ("collect", "gc", "0 30 2 * * SUN", "Europe/Berlin"),
    ] {
        let cron = json!({"name": name, "action": action, "schedule": schedule, "timeZone": zone});
        assert_eq!(env.post("/crons", &cron).await.status, 202);
    }
    env.command("/crons/hourly-report/run").await;
    for (name, url, events) in [
        ("ops", "https://hooks.example/capstan", vec!["job"]),
        ("inventory", "https://cmdb.example/events", vec!["worker"]),
    ] {
        let subscription = json!({"name": name, "url": url, "events": events});
        assert_eq!(env.post("/subscriptions", &subscription).await.status, 202);
    }
    let operation =
        json!({"operation": "retry", "filter": {"status": ["error"], "action": "push"}});
    let begun = env.post("/bulk", &operation).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    begun.json()["id"].as_str().unwrap().to_owned()
}
