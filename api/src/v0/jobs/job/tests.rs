//! The JSON of jobs.

use super::*;
use domain::capacity::Class;
use domain::job::{Cancellation, JobSpec, NewJob};
use expect_test::expect;
use serde_json::json;

fn bare() -> job::Job {
    let id: JobId = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".parse().unwrap();
    let at = Timestamp::from_ms(1_487_294_987_771);
    let spec = JobSpec::of("gc".parse().unwrap());
    let class = Class::of(None).unwrap();
    let (scheduled_at, reserve_id, request_hash) = (None, false, None);
    let new = NewJob { id, class, scheduled_at, reserve_id, request_hash, spec };
    job::Job::waiting(new, 7, at, at)
}

fn full() -> job::Job {
    let spec: JobSpec = serde_json::from_value(json!({
        "action": "scan", "parameters": {"a": [1]}, "capacityMap": {"scan": 1}, "retries": 2,
        "deadline": "15m", "stopTimeout": "5s", "priority": "high", "scheduledBy": "unknown",
        "comment": "c", "labels": {"team": "net"}, "ticketRef": "t", "uniqueKey": "u", "expiresAt": "2017-03-01T00:00:00Z",
        "backoff": {"base": "2s", "max": "1m"}, "onWorkerLost": "fail", "strictLease": true,
        "locks": {"devices": 1, "licences": 2}, "when": "finished", "fairnessKey": "f",
        "dependsOn": ["a261713a-9514-43f9-a7e5-50e7a9fa1d48"],
        "parent": "193c061a-c52c-448a-884a-719adc253497",
    }))
    .unwrap();
    let other: JobId = "a261713a-9514-43f9-a7e5-50e7a9fa1d48".parse().unwrap();
    job::Job {
        status: Status::Error,
        spec,
        retry_from: other,
        first: other,
        follow_up: Some(other),
        retries_left: 1,
        attempt: 2,
        crashes: 1,
        worker: Some("f97ebb52f0f6".parse().unwrap()),
        token: Some(FencingToken(12)),
        started_at: Some(Timestamp::from_ms(1_487_294_988_000)),
        finished_at: Some(Timestamp::from_ms(1_487_294_989_001)),
        result: Some(json!(5)),
        exception: Some(job::Exception::new("ExitCode", "it exited with 1")),
        progress: Some(json!({"percent": 50})),
        next: Some(other),
        held_locks: "action:scan=1 devices=1 licences=2".parse().unwrap(),
        cancelled: Some(Cancellation { by: "me".to_owned(), reason: String::new() }),
        ..bare()
    }
}

#[test]
fn a_new_job_has_every_field_and_null_for_absent_values() {
    let text = serde_json::to_string_pretty(&Job::from(bare())).unwrap();
    expect![[r#"
        {
          "id": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
          "retryFromID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
          "workerID": "",
          "status": "waiting",
          "scheduledAt": "2017-02-17T01:29:47.771Z",
          "lastUpdated": "2017-02-17T01:29:47.771Z",
          "action": "gc",
          "retriesLeft": 0,
          "retriesTotal": 0,
          "capacityMap": null,
          "parameters": null,
          "deadline": "",
          "stopTimeout": "",
          "number": 7,
          "createdAt": "2017-02-17T01:29:47.771Z",
          "startedAt": null,
          "finishedAt": null,
          "priority": "normal",
          "scheduledBy": null,
          "comment": null,
          "labels": {},
          "ticketRef": null,
          "cron": null,
          "firing": null,
          "attempt": 1,
          "crashes": 0,
          "heldBack": 0,
          "result": null,
          "exception": null,
          "progress": null,
          "followUpID": null,
          "fencingToken": null,
          "uniqueKey": null,
          "debounce": "",
          "debounceMax": "",
          "replaced": 0,
          "batchKey": null,
          "batchSize": 0,
          "batchWait": "",
          "batched": 0,
          "expiresAt": null,
          "backoff": null,
          "onWorkerLost": "retry",
          "strictLease": false,
          "locks": {},
          "rates": {},
          "holds": {},
          "dependsOn": [],
          "when": "done",
          "parent": null,
          "next": null,
          "fairnessKey": null,
          "cancelBy": null,
          "cancelReason": null
        }"#]]
    .assert_eq(&text);
}

#[test]
fn a_failed_retry_has_every_field() {
    let text = serde_json::to_string_pretty(&Job::from(full())).unwrap();
    expect![[r#"
        {
          "id": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
          "retryFromID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
          "workerID": "f97ebb52f0f6",
          "status": "error",
          "scheduledAt": "2017-02-17T01:29:47.771Z",
          "lastUpdated": "2017-02-17T01:29:47.771Z",
          "action": "scan",
          "retriesLeft": 1,
          "retriesTotal": 2,
          "capacityMap": {
            "scan": 1
          },
          "parameters": {
            "a": [
              1
            ]
          },
          "deadline": "15m",
          "stopTimeout": "5s",
          "number": 7,
          "createdAt": "2017-02-17T01:29:47.771Z",
          "startedAt": "2017-02-17T01:29:48Z",
          "finishedAt": "2017-02-17T01:29:49.001Z",
          "priority": "high",
          "scheduledBy": "unknown",
          "comment": "c",
          "labels": {
            "team": "net"
          },
          "ticketRef": "t",
          "cron": null,
          "firing": null,
          "attempt": 2,
          "crashes": 1,
          "heldBack": 0,
          "result": 5,
          "exception": {
            "type": "ExitCode",
            "message": "it exited with 1",
            "detail": null
          },
          "progress": {
            "percent": 50
          },
          "followUpID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
          "fencingToken": 12,
          "uniqueKey": "u",
          "debounce": "",
          "debounceMax": "",
          "replaced": 0,
          "batchKey": null,
          "batchSize": 0,
          "batchWait": "",
          "batched": 0,
          "expiresAt": "2017-03-01T00:00:00Z",
          "backoff": {
            "base": "2s",
            "max": "1m"
          },
          "onWorkerLost": "fail",
          "strictLease": true,
          "locks": {
            "devices": 1,
            "licences": 2
          },
          "rates": {},
          "holds": {
            "action:scan": 1,
            "devices": 1,
            "licences": 2
          },
          "dependsOn": [
            "a261713a-9514-43f9-a7e5-50e7a9fa1d48"
          ],
          "when": "finished",
          "parent": "193c061a-c52c-448a-884a-719adc253497",
          "next": "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
          "fairnessKey": "f",
          "cancelBy": "me",
          "cancelReason": null
        }"#]]
    .assert_eq(&text);
}

#[test]
fn empty_maps_are_not_null() {
    let mut job = bare();
    job.spec.capacity_map = Some(CapacityMap::default());
    job.spec.parameters = Some(Map::new());
    let json = json!(Job::from(job));
    assert_eq!((&json["capacityMap"], &json["parameters"]), (&json!({}), &json!({})));
}

#[test]
fn only_job_details_contain_the_checkpoint_the_wait_reason_and_the_children() {
    let reason = Reason { code: "queue", message: "3 ahead of it".to_owned() };
    let parent = job::Job { failed_children: 2, ..bare() };
    let json =
        json!(JobDetails::new(parent, (Some(json!({"at": 3})), None), Some(5), Some(reason)));
    assert_eq!(json["waitingFor"], json!({"code": "queue", "message": "3 ahead of it"}));
    assert_eq!(json["children"], json!({"open": 5, "failed": 2}));
    assert_eq!(json["checkpoint"], json!({"at": 3}));
    let json = json!(JobDetails::new(bare(), (None, None), None, None));
    for field in ["checkpoint", "signal", "waitingFor", "children"] {
        assert_eq!(json.get(field), Some(&Value::Null));
        assert_eq!(json!(Job::from(bare())).get(field), None);
    }
}
