//! How locks are printed.

use client::ClientError;
use client::command::table;
use client::wire::Lock;
use serde::Deserialize;
use serde_json::Value;

use crate::columns::Column;
use crate::record::fields;
use crate::requests::List;

/// How many holders of a lock are listed in its row.
const HOLDERS_SHOWN: usize = 3;

/// The list of locks.
pub(super) const LOCKS: List<Lock> = List {
    path: "/locks",
    key: "locks",
    name: "name",
    columns: &[
        Column::whole("NAME", "name of the lock", |one: &Lock| one.name.clone()),
        Column::new("PERMITS", "permits that it has", |one| {
            one.permits.map_or_else(|| "no limit".to_owned(), |permits| permits.to_string())
        }),
        Column::new("HELD", "permits that are held", |one| one.held.to_string()),
        Column::new("WAITING", "jobs that wait for it", |one| one.waiting.to_string()),
        Column::new("PAUSED", "`paused` while it is granted to no job", |one| {
            if one.paused { "paused" } else { "" }.to_owned()
        }),
        Column::new("HELD BY", "number and action of the first jobs that hold it", holders),
    ],
};

fn holders(lock: &Lock) -> String {
    let shown = lock.holders.iter().take(HOLDERS_SHOWN);
    let mut holders: Vec<String> =
        shown.map(|holder| format!("{} {}", holder.number, holder.action)).collect();
    if lock.holders.len() > HOLDERS_SHOWN {
        holders.push("…".to_owned());
    }
    holders.join(", ")
}

/// Lays out one lock: its fields, then a row for each job that holds it or waits for it.
pub(super) fn lock_details(answer: &Value) -> Result<String, ClientError> {
    let lock = Lock::deserialize(answer).map_err(|error| ClientError::unreadable(&error))?;
    let mut record = answer.as_object().cloned().unwrap_or_default();
    record.remove("holders");
    record.remove("waiters");
    let summary = fields(&record, &["name", "permits", "paused", "held", "waiting"]);
    let parts = [Some(summary), holder_table(&lock), waiter_table(&lock)];
    Ok(parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n"))
}

fn holder_table(lock: &Lock) -> Option<String> {
    let rows = lock.holders.iter().map(|holder| {
        vec![
            holder.job_id.clone(),
            holder.number.to_string(),
            holder.action.clone(),
            holder.worker_id.clone().unwrap_or_default(),
            holder.permits.to_string(),
            holder.since.clone().unwrap_or_default(),
            holder.fencing_token.map(|token| token.to_string()).unwrap_or_default(),
            if holder.aborting { "aborting" } else { "" }.to_owned(),
        ]
    });
    let header = ["HELD BY", "NUMBER", "ACTION", "WORKER", "PERMITS", "SINCE", "TOKEN", "STATE"];
    (!lock.holders.is_empty()).then(|| table(&header, rows))
}

fn waiter_table(lock: &Lock) -> Option<String> {
    let rows = lock.waiters.iter().map(|waiter| {
        vec![
            waiter.job_id.clone(),
            waiter.number.to_string(),
            waiter.action.clone(),
            waiter.priority.clone(),
            waiter.permits.to_string(),
        ]
    });
    let header = ["WAITING", "NUMBER", "ACTION", "PRIORITY", "PERMITS"];
    (!lock.waiters.is_empty()).then(|| table(&header, rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use expect_test::expect;
    use serde_json::json;

    fn locks() -> [Value; 2] {
        [
            json!({"name": "action:scan", "permits": null, "paused": true, "held": 0, "waiting": 7}),
            json!({"name": "licences", "permits": 3, "paused": false, "held": 2, "holders": [{
                "jobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "number": 7, "action": "scan",
                "workerID": "f97ebb52f0f6", "permits": 2, "since": "2026-11-20T16:54:34.719Z",
                "fencingToken": 12, "aborting": true}],
             "waiting": 1, "waiters": [{"jobID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b", "number": 8,
                "action": "scan", "priority": "normal", "permits": 2}]}),
        ]
    }

    #[test]
    fn each_lock_is_one_row() {
        let locks = locks().map(|lock| serde_json::from_value(lock).unwrap());
        expect![[r#"
            NAME         PERMITS   HELD  WAITING  PAUSED  HELD BY
            action:scan  no limit  0     7        paused
            licences     3         2     1                7 scan
        "#]]
        .assert_eq(&(lay_out(LOCKS.columns, &locks, false, None) + "\n"));
    }

    #[test]
    fn one_lock_is_shown_with_its_holders_and_waiters() {
        expect![[r#"
            name             licences
            permits          3
            paused           false
            held             2
            waiting          1

            HELD BY                               NUMBER  ACTION  WORKER        PERMITS  SINCE                     TOKEN  STATE
            a261713a-9514-43f9-a7e5-50e7a9fa1d48  7       scan    f97ebb52f0f6  2        2026-11-20T16:54:34.719Z  12     aborting

            WAITING                               NUMBER  ACTION  PRIORITY  PERMITS
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  8       scan    normal    2
        "#]].assert_eq(&(lock_details(&locks()[1]).unwrap() + "\n"));
    }
}
