//! Outages that keep every job waiting: no scheduler, no broker, a full store. Pure.

use store::{BrokerLink, FleetHealth, Service, ServiceKind};

use crate::error::STORE_IS_FULL;

/// Returns a description of the outage, if there is one.
pub(crate) fn outage(health: &FleetHealth) -> Option<String> {
    let is_full = health.memory.is_some_and(|memory| memory.is_full());
    unoffered(health).or_else(|| is_full.then(|| STORE_IS_FULL.to_owned()))
}

/// Returns why no job is offered to workers; `None` if jobs are offered.
pub(crate) fn unoffered(health: &FleetHealth) -> Option<String> {
    if schedulers(health).next().is_none() {
        return Some("no scheduler is running, so no job is offered to workers".to_owned());
    }
    let why = broker(health).err()?;
    Some(format!("no scheduler can publish to RabbitMQ ({why}), so no job is offered to workers"))
}

/// Returns whether any scheduler can publish to the broker, and if not, why.
pub(crate) fn broker(health: &FleetHealth) -> Result<(), String> {
    let mut reason = None;
    for link in schedulers(health).filter_map(|scheduler| scheduler.broker.as_ref()) {
        match link {
            BrokerLink::Up => return Ok(()),
            BrokerLink::Down(why) => reason = reason.or(Some(why.clone())),
        }
    }
    Err(reason.unwrap_or_else(|| "only a scheduler knows, and none is running".to_owned()))
}

/// Returns the schedulers that run.
pub(crate) fn schedulers(health: &FleetHealth) -> impl Iterator<Item = &Service> {
    health.services.iter().filter(|one| one.kind == ServiceKind::Scheduler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::Timestamp;
    use expect_test::expect;
    use store::MemoryUse;

    fn scheduler(broker: BrokerLink) -> Service {
        Service {
            kind: ServiceKind::Scheduler,
            id: "s".to_owned(),
            version: "1".to_owned(),
            started_at: Timestamp::from_ms(0),
            last_seen: Timestamp::from_ms(0),
            broker: Some(broker),
        }
    }

    #[test]
    fn jobs_are_held_up_without_a_scheduler_that_can_publish_and_by_a_full_store() {
        let down = |why: &str| scheduler(BrokerLink::Down(why.to_owned()));
        let up = || scheduler(BrokerLink::Up);
        let api = Service { kind: ServiceKind::Api, broker: None, ..up() };
        let full = MemoryUse { used_bytes: 11, limit_bytes: 10 };
        let room = MemoryUse { used_bytes: 9, limit_bytes: 10 };
        let fleets = [
            (vec![api], Some(room)),
            (vec![down("refused"), down("timeout")], Some(full)),
            (vec![down("refused"), up()], Some(room)),
            (vec![up()], Some(full)),
            (vec![up()], None),
        ];
        let texts = fleets.map(|(services, memory)| {
            let health = FleetHealth { now: Timestamp::from_ms(0), services, memory };
            outage(&health).unwrap_or_else(|| "none".to_owned()) + "\n"
        });
        expect![[r#"
            no scheduler is running, so no job is offered to workers
            no scheduler can publish to RabbitMQ (refused), so no job is offered to workers
            none
            the store is full; new jobs are accepted when others are over
            none
        "#]]
        .assert_eq(&texts.concat());
    }
}
