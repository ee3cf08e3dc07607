//! The warnings of the status, for people. Pure.

use std::collections::BTreeSet;

use store::{BrokerLink, FleetStatus};

use crate::error::STORE_IS_FULL;
use crate::outage::{schedulers, unoffered};

/// Returns the warnings, the most urgent first.
pub(super) fn warnings(fleet: &FleetStatus, version: &str, left_out: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings
        .extend(fleet.refuses_writes.as_ref().map(|why| format!("Redis refuses writes: {why}")));
    let unoffered = unoffered(&fleet.health);
    if unoffered.is_none() {
        warnings.extend(schedulers(&fleet.health).filter_map(|scheduler| {
            let BrokerLink::Down(why) = scheduler.broker.as_ref()? else { return None };
            Some(format!("scheduler {} cannot publish to RabbitMQ ({why})", scheduler.id))
        }));
    }
    warnings.extend(unoffered);
    warnings.extend(memory(fleet));
    warnings.extend(workers(fleet));
    warnings.extend(versions(fleet, version));
    if left_out > 0 {
        let records = if left_out == 1 { "record" } else { "records" };
        warnings.push(format!(
            "lists of this API have left out {left_out} {records} that cannot be read; see its log"
        ));
    }
    warnings.extend(fleet.paused.iter().map(|name| {
        format!("{} is paused, and jobs wait for it", name.as_str().replacen(':', " ", 1))
    }));
    warnings
}

fn memory(fleet: &FleetStatus) -> Option<String> {
    let memory = fleet.health.memory.filter(store::MemoryUse::is_nearly_full)?;
    let percent = u128::from(memory.used_bytes) * 100 / u128::from(memory.limit_bytes.max(1));
    Some(format!("{STORE_IS_FULL} (Redis uses {percent} % of its maxmemory)"))
}

fn workers(fleet: &FleetStatus) -> Option<String> {
    match (fleet.workers.count, fleet.workers.draining) {
        (0, _) => Some("no worker is live, so no job starts".to_owned()),
        (live, draining) if live == draining => {
            Some("every live worker is draining, so no job starts".to_owned())
        }
        (_, _) => None,
    }
}

fn versions(fleet: &FleetStatus, own: &str) -> Option<String> {
    let services = fleet.health.services.iter().map(|service| service.version.as_str());
    let workers = fleet.workers.versions.keys().map(String::as_str);
    let all: BTreeSet<&str> = services.chain(workers).chain([own]).collect();
    let list = all.iter().copied().collect::<Vec<_>>().join(", ");
    (all.len() > 1).then(|| format!("services and workers have different versions: {list}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::Timestamp;
    use expect_test::expect;
    use store::{FleetHealth, LiveWorkers, MemoryUse, Rates, Service, ServiceKind};

    fn service(id: &str, version: &str, broker: Option<BrokerLink>) -> Service {
        Service {
            kind: ServiceKind::Scheduler,
            id: id.to_owned(),
            version: version.to_owned(),
            started_at: Timestamp::from_ms(0),
            last_seen: Timestamp::from_ms(0),
            broker,
        }
    }

    fn fleet(services: Vec<Service>, memory: MemoryUse, workers: LiveWorkers) -> FleetStatus {
        FleetStatus {
            health: FleetHealth { now: Timestamp::from_ms(0), services, memory: Some(memory) },
            refuses_writes: None,
            append_only: None,
            jobs: Vec::new(),
            rates: Rates::default(),
            workers,
            oldest_ready: None,
            paused: Vec::new(),
        }
    }

    fn workers(count: u64, draining: u64, version: &str) -> LiveWorkers {
        LiveWorkers { count, draining, versions: [(version.to_owned(), count)].into() }
    }

    #[test]
    fn each_warning_says_what_is_wrong() {
        let down = || Some(BrokerLink::Down("connection refused".to_owned()));
        let room = MemoryUse { used_bytes: 1, limit_bytes: 100 };
        let near = MemoryUse { used_bytes: 95, limit_bytes: 100 };
        let full = MemoryUse { used_bytes: 101, limit_bytes: 100 };
        let up = || service("b", "1", Some(BrokerLink::Up));
        let mut broken = fleet(vec![up()], room, workers(2, 1, "1"));
        broken.refuses_writes = Some("read only replica".to_owned());
        broken.paused = vec!["action:noop".parse().unwrap(), "class:scan=1".parse().unwrap()];
        let fleets = [
            (fleet(vec![up()], room, workers(2, 1, "1")), 0),
            (fleet(vec![], room, LiveWorkers::default()), 0),
            (fleet(vec![service("a", "1", down()), up()], near, workers(2, 2, "2")), 1),
            (fleet(vec![service("a", "1", down())], full, workers(2, 0, "1")), 2),
            (fleet(vec![up()], full, workers(2, 0, "1")), 0),
            (broken, 0),
        ];
        let texts = fleets.map(|(fleet, left_out)| {
            let all = warnings(&fleet, "1", left_out);
            all.into_iter().map(|line| line + "\n").collect::<String>() + "--\n"
        });
        expect![[r#"
            --
            no scheduler is running, so no job is offered to workers
            no worker is live, so no job starts
            --
            scheduler a cannot publish to RabbitMQ (connection refused)
            the store is full; new jobs are accepted when others are over (Redis uses 95 % of its maxmemory)
            every live worker is draining, so no job starts
            services and workers have different versions: 1, 2
            lists of this API have left out 1 record that cannot be read; see its log
            --
            no scheduler can publish to RabbitMQ (connection refused), so no job is offered to workers
            the store is full; new jobs are accepted when others are over (Redis uses 101 % of its maxmemory)
            lists of this API have left out 2 records that cannot be read; see its log
            --
            the store is full; new jobs are accepted when others are over (Redis uses 101 % of its maxmemory)
            --
            Redis refuses writes: read only replica
            action noop is paused, and jobs wait for it
            class scan=1 is paused, and jobs wait for it
            --
        "#]].assert_eq(&texts.concat());
    }
}
