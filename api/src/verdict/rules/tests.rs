use super::*;
use crate::verdict::facts::Holder;
use crate::waiting::LongHeld;
use domain::job::{JobId, Timestamp, WorkerId};
use expect_test::expect;
use store::{
    BrokerLink, FleetHealth, FleetStatus, LiveWorkers, MemoryUse, Rates, Service, ServiceKind,
    Worker, WorkerStatus,
};

fn now() -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000)
}

fn scheduler(broker: BrokerLink) -> Service {
    Service {
        kind: ServiceKind::Scheduler,
        id: "s".to_owned(),
        version: "1".to_owned(),
        started_at: now(),
        last_seen: now(),
        broker: Some(broker),
    }
}

fn worker(status: WorkerStatus) -> Worker {
    Worker {
        id: "0123456789ab".parse::<WorkerId>().unwrap(),
        status,
        name: "host-1".to_owned(),
        version: "1".to_owned(),
        capacity_map: "default=4".parse().unwrap(),
        free: "default=1".parse().unwrap(),
        actions: vec!["noop".to_owned()],
        started_at: now(),
        heartbeat_expiration: Timestamp::from_ms(now().ms() - 20_000),
        jobs: Vec::new(),
    }
}

fn facts() -> Facts {
    let room = MemoryUse { used_bytes: 1, limit_bytes: 100 };
    let services = vec![scheduler(BrokerLink::Up)];
    let health = FleetHealth { now: now(), services, memory: Some(room) };
    let status = FleetStatus {
        health,
        refuses_writes: None,
        append_only: None,
        jobs: vec![(Status::Running, 2)],
        rates: Rates { started: 30, ended: 30, failed: 0, period_ms: 60_000 },
        workers: LiveWorkers::default(),
        oldest_ready: None,
        paused: Vec::new(),
    };
    let workers = vec![worker(WorkerStatus::Running)];
    Facts { now: now(), store_ms: 1, status, workers, dead: Vec::new(), holder: None }
}

fn group(code: &'static str, subject: &str, count: u64, due_ms: i64) -> Group {
    Group {
        code,
        subject: subject.to_owned(),
        count,
        oldest: Timestamp::from_ms(now().ms() - due_ms),
        sample: JobId::random(),
        sample_number: 7,
        message: format!("message of {code}"),
    }
}

fn waiting(groups: Vec<Group>) -> Waiting {
    let total = groups.iter().map(|group| group.count).sum();
    Waiting { total, groups, ..Waiting::default() }
}

fn text(facts: &Facts, waiting: &Waiting) -> String {
    let found = verdict(facts, waiting);
    format!("{:?}: {}\n", found.urgency, found.text)
}

#[test]
fn the_first_rule_that_applies_gives_the_sentence() {
    let jobs = || waiting(vec![group("queue", "default=1.normal", 60, 720_000)]);
    let changed = |change: &dyn Fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        facts
    };
    let full = MemoryUse { used_bytes: 99, limit_bytes: 100 };
    let cases = [
        (facts(), waiting(vec![])),
        (changed(&|facts| facts.status.jobs.clear()), waiting(vec![])),
        (changed(&|facts| facts.workers.clear()), waiting(vec![])),
        (changed(&|facts| facts.workers.clear()), jobs()),
        (changed(&|facts| facts.workers = vec![worker(WorkerStatus::Draining)]), jobs()),
        (changed(&|facts| facts.status.health.memory = Some(full)), jobs()),
        (changed(&|facts| facts.status.health.services.clear()), jobs()),
        (changed(&|facts| facts.status.refuses_writes = Some("read only".to_owned())), jobs()),
        (changed(&|facts| facts.store_ms = 1_300), jobs()),
        (facts(), waiting(vec![group("due", "", 3, -300_000)])),
        (facts(), jobs()),
        (facts(), waiting(vec![group("queue", "a", 2, 500)])),
        (facts(), waiting(vec![group("capacity", "gpu=4", 1, 500), group("lock", "a", 9, 500)])),
        (facts(), waiting(vec![group("dependency", "", 9, 500), group("due", "", 99, 500)])),
        (facts(), waiting(vec![group("lock", "action:noop", 1, 500)])),
    ];
    let texts: String = cases.iter().map(|(facts, waiting)| text(facts, waiting)).collect();
    expect![[r#"
        Calm: All is well. 2 jobs run, and none waits.
        Calm: All is well. No job waits, and none runs.
        Notice: No job waits, but no worker is live.
        Alarm: 60 jobs wait, and no worker is live.
        Alarm: 60 jobs wait, and every worker drains.
        Alarm: The store has nearly used up its memory, so new jobs are refused.
        Alarm: 60 jobs wait: no scheduler is running, so no job is offered to workers.
        Alarm: The store refuses writes: read only.
        Notice: The store is slow: one read took 1,300 ms.
        Calm: All is well. 3 jobs wait until a later time; the next is due in 5 min.
        Notice: 60 jobs wait for a worker in queue default=1.normal; the oldest was due 12 min ago; at the present rate they start within 2 min.
        Calm: 2 jobs wait for a worker in queue a; at the present rate they start within 4 s.
        Notice: 9 jobs wait for lock a. 1 job needs gpu=4, which no live worker offers.
        Calm: 9 jobs wait for jobs that have not finished.
        Calm: 1 job waits for the limit of action noop.
    "#]]
    .assert_eq(&texts);
}

#[test]
fn what_explains_it_and_what_was_ruled_out_is_listed() {
    let mut facts = facts();
    let id: JobId = "a261713a-9514-43f9-a7e5-50e7a9fa1d48".parse().unwrap();
    let since = Timestamp::from_ms(now().ms() - 720_000);
    facts.dead = vec![worker(WorkerStatus::Dead)];
    facts.holder = Some(Holder { lock: "a".to_owned(), id, number: 4711, since: Some(since) });
    let mut jobs = waiting(vec![
        group("capacity", "gpu=4", 2, 500),
        group("lock", "a", 13, 500),
        group("lock", "b", 1, 500),
    ]);
    jobs.long_held = vec![LongHeld {
        name: "a".parse().unwrap(),
        holder: id,
        holder_number: 4711,
        since,
        waiting: 13,
    }];
    let found = verdict(&facts, &jobs);
    let lines = |lines: Vec<String>| lines.join("\n");
    expect![[r#"
        13 jobs wait for lock a, held by job 4711 (a261713a-9514-43f9-a7e5-50e7a9fa1d48) for 12 min. 2 jobs need gpu=4, which no live worker offers.
        --
        2 jobs need gpu=4, which no live worker offers.
        1 job waits for lock b.
        Lock a has been held by job 4711 (a261713a-9514-43f9-a7e5-50e7a9fa1d48) for 12 min.
        The lease of worker host-1 (0123456789ab) ended 20 s ago.
        1 live worker uses 75 % of its capacity of type default.
        --
        The store answers in time, accepts writes and has room.
        A scheduler is running and can publish to RabbitMQ.
        A live worker starts jobs.
        No waiting job is paused.
    "#]]
    .assert_eq(&format!(
        "{}\n--\n{}\n--\n{}\n",
        found.text,
        lines(found.because),
        lines(found.ruled_out)
    ));
    assert_eq!((found.urgency, found.drains_in_ms), (Urgency::Notice, Some(0)));
}
