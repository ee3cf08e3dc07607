//! Valid and invalid submissions, as tables.

use super::*;
use crate::v0::wire::body::parse;
use expect_test::{Expect, expect};
use serde_json::json;

fn check(bodies: &[&str], expected: &Expect) {
    let read = |body: &&str| {
        let caller = Caller::default();
        let draft = parse::<JobSubmission>(body.as_bytes());
        let draft = draft.and_then(|job| job.draft(None, &caller));
        match draft {
            Ok(Draft { spec, retries, scheduled_at, .. }) => {
                let spec = serde_json::to_string(&spec).unwrap();
                let at = scheduled_at.map(|at| at.to_string());
                format!("{spec}\n  retries {retries:?} at {at:?}\n")
            }
            Err(error) => format!("{error}\n"),
        }
    };
    expected.assert_eq(&bodies.iter().map(read).collect::<String>());
}

#[test]
fn a_valid_submission_keeps_its_values() {
    check(
        &[
            r#"{"action":"noop"}"#,
            r#"{"action":"noop","parameters":null,"retries":null,"capacityMap":null,
                "deadline":"","stopTimeout":"","scheduledAt":"","priority":null,
                "comment":null,"ticketRef":null}"#,
            r#"{"action":"noop","parameters":{},"capacityMap":{}}"#,
            r#"{"action":"a.b-c","parameters":{"a":[1,{"b":null}]},"retries":100,
                "capacityMap":{"scan":1,"cpu":0},"deadline":"1h30m","stopTimeout":"5s",
                "scheduledAt":"2026-11-20T17:30:00.5+01:00","priority":"high",
                "comment":"c","ticketRef":"t"}"#,
            r#"{"action":"a","uniqueKey":"ü {x}","expiresAt":"2026-11-20T17:30:00Z",
                "backoff":{"base":"1s","max":"1s"},"onWorkerLost":"fail","strictLease":true}"#,
            r#"{"action":"a","uniqueKey":null,"expiresAt":"","backoff":{},
                "onWorkerLost":"retry","strictLease":false}"#,
            r#"{"action":"a","parameters":{"host":"sw-1","vlan":7},
                "locks":["device-{{host}}","vlan/{{ vlan }}"],"fairnessKey":"tenant 7",
                "dependsOn":["1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
                    "1FCF4C0Fff3b471a88395dcb631b2f7b","a261713a-9514-43f9-a7e5-50e7a9fa1d48"],
                "when":"finished","parent":"193c061a-c52c-448a-884a-719adc253497"}"#,
            r#"{"action":"a","locks":{"b":2,"a":1},"dependsOn":[],"when":"done","parent":null,
                "fairnessKey":null}"#,
            r#"{"action":"a","locks":null,"dependsOn":null,"when":null}"#,
        ],
        &expect![[r#"
            {"action":"noop","scheduledBy":"unknown"}
              retries None at None
            {"action":"noop","scheduledBy":"unknown"}
              retries None at None
            {"action":"noop","parameters":{},"capacityMap":{},"scheduledBy":"unknown"}
              retries None at None
            {"action":"a.b-c","parameters":{"a":[1,{"b":null}]},"capacityMap":{"cpu":0,"scan":1},"deadline":"1h30m","stopTimeout":"5s","priority":"high","scheduledBy":"unknown","comment":"c","ticketRef":"t"}
              retries Some(100) at Some("2026-11-20T16:30:00.500Z")
            {"action":"a","uniqueKey":"ü {x}","expiresAt":"2026-11-20T17:30:00Z","backoff":{"base":"1s","max":"1s"},"onWorkerLost":"fail","strictLease":true,"scheduledBy":"unknown"}
              retries None at None
            {"action":"a","backoff":{},"scheduledBy":"unknown"}
              retries None at None
            {"action":"a","parameters":{"host":"sw-1","vlan":7},"scheduledBy":"unknown","locks":{"device-sw-1":1,"vlan/7":1},"dependsOn":["1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","a261713a-9514-43f9-a7e5-50e7a9fa1d48"],"when":"finished","parent":"193c061a-c52c-448a-884a-719adc253497","fairnessKey":"tenant 7"}
              retries None at None
            {"action":"a","scheduledBy":"unknown","locks":{"a":1,"b":2}}
              retries None at None
            {"action":"a","scheduledBy":"unknown"}
              retries None at None
        "#]],
    );
}

#[test]
fn an_invalid_field_is_named() {
    check(
        &[
            "{}",
            r#"{"action":null}"#,
            r#"{"action":5}"#,
            r#"{"action":"a b"}"#,
            r#"{"action":"a","action":"b"}"#,
            r#"{"action":"a","retries":101}"#,
            r#"{"action":"a","retries":-1}"#,
            r#"{"action":"a","retries":"3"}"#,
            r#"{"action":"a","retries":1.5}"#,
            r#"{"action":"a","retries":99999999999999999999}"#,
            r#"{"action":"a","parameters":[1]}"#,
            r#"{"action":"a","capacityMap":{"scan":"1"}}"#,
            r#"{"action":"a","capacityMap":{"scan":-1}}"#,
            r#"{"action":"a","capacityMap":{"s n":1}}"#,
            r#"{"action":"a","deadline":"soon"}"#,
            r#"{"action":"a","stopTimeout":5}"#,
            r#"{"action":"a","scheduledAt":"tomorrow"}"#,
            r#"{"action":"a","priority":"urgent"}"#,
            r#"{"action":"a","uniqueKey":""}"#,
            r#"{"action":"a","uniqueKey":5}"#,
            r#"{"action":"a","expiresAt":"soon"}"#,
            r#"{"action":"a","scheduledAt":"2026-01-01T00:00:00Z","expiresAt":"2026-01-01T00:00:00Z"}"#,
            r#"{"action":"a","backoff":"1s"}"#,
            r#"{"action":"a","backoff":["1s","2s"]}"#,
            r#"{"action":"a","backoff":{"base":"soon"}}"#,
            r#"{"action":"a","backoff":{"base":"2s","max":"1s"}}"#,
            r#"{"action":"a","backoff":{"base":"10m"}}"#,
            r#"{"action":"a","backoff":{"bass":"1s"}}"#,
            r#"{"action":"a","onWorkerLost":"forget"}"#,
            r#"{"action":"a","strictLease":"yes"}"#,
            r#"{"action":"a","locks":["two words"]}"#,
            r#"{"action":"a","locks":["device-{{host}}"]}"#,
            r#"{"action":"a","locks":["action:a"]}"#,
            r#"{"action":"a","locks":{"a":0}}"#,
            r#"{"action":"a","locks":"a"}"#,
            r#"{"action":"a","locks":{"a":"1"}}"#,
            r#"{"action":"a","dependsOn":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b"}"#,
            r#"{"action":"a","dependsOn":["first"]}"#,
            r##"{"action":"a","dependsOn":["#0"]}"##,
            r#"{"action":"a","dependsOn":[1]}"#,
            r#"{"action":"a","when":"started"}"#,
            r#"{"action":"a","parent":"me"}"#,
            r##"{"action":"a","parent":"#0"}"##,
            r#"{"action":"a","fairnessKey":""}"#,
            r#"["noop"]"#,
            "null",
        ],
        &expect![[r##"
            action: it is required
            action: it is required
            action: invalid type: integer `5`, expected a string
            action: "a b" is not a valid action name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -
            action: it must not be given twice
            retries: it must be a whole number from 0 to 100
            retries: invalid value: integer `-1`, expected a non-negative whole number
            retries: invalid type: string "3", expected a non-negative whole number
            retries: invalid type: floating point `1.5`, expected a non-negative whole number
            retries: invalid type: floating point `1e+20`, expected a non-negative whole number
            parameters: invalid type: array, expected an object
            capacityMap.scan: invalid type: string "1", expected a whole number
            capacityMap: units of "scan" must be a whole number from 0 to 1000000
            capacityMap: capacity type "s n" must be 1 to 32 characters of A-Z a-z 0-9 _ . -
            deadline: "soon" is not a valid duration: write it like 90s, 15m or 1h30m, up to 8760h
            stopTimeout: invalid type: integer `5`, expected a string
            scheduledAt: "tomorrow" is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z
            priority: unknown variant `urgent`, expected one of `high`, `normal`, `low`
            uniqueKey: it is empty
            uniqueKey: invalid type: integer `5`, expected a string
            expiresAt: "soon" is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z
            expiresAt: it must be after scheduledAt
            backoff: invalid type: string "1s", expected an object
            backoff: invalid type: array, expected an object
            backoff.base: "soon" is not a valid duration: write it like 90s, 15m or 1h30m, up to 8760h
            backoff.base: it must not be longer than max, which is 5m by default
            backoff.base: it must not be longer than max, which is 5m by default
            backoff.bass: unknown field; expected one of: base, max
            onWorkerLost: unknown variant `forget`, expected `retry` or `fail`
            strictLease: invalid type: string "yes", expected a boolean
            locks: lock "two words" must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
            {"action":"a","scheduledBy":"unknown"}
              retries None at None
            locks: lock "action:a" must not begin with action:, class: or rate:, which are reserved for limits
            locks: permits of lock "a" must be a whole number from 1 to 1000000
            locks: it must be a list of names, or an object of names and permits
            locks: it must be a list of names, or an object of names and permits
            dependsOn: invalid type: string "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b", expected an array
            dependsOn: "first" is not a valid job id: it must be a UUID
            dependsOn: "#0" references a job of a batch, but this job is not in one
            dependsOn[0]: invalid type: integer `1`, expected a string
            when: unknown variant `started`, expected `done` or `finished`
            parent: "me" is not a valid job id: it must be a UUID
            parent: "#0" references a job of a batch, but this job is not in one
            fairnessKey: it is empty
            body: invalid type: array, expected an object
            body: invalid type: null, expected an object
        "##]],
    );
}

#[test]
fn an_unknown_field_is_refused_with_the_list_of_known_ones() {
    check(
        &[
            r#"{"action":"a","retrys":1}"#,
            r#"{"action":"a","lock":["x"]}"#,
            r#"{"action":"a","scheduledBy":"me"}"#,
            r#"{"action":"a","x`, expected `y":1}"#,
        ],
        &expect![[r#"
            retrys: unknown field; did you mean retries? expected one of: action, parameters, retries, capacityMap, deadline, stopTimeout, scheduledAt, priority, uniqueKey, debounce, debounceMax, batchKey, batchSize, batchWait, expiresAt, backoff, onWorkerLost, strictLease, locks, rates, dependsOn, when, parent, fairnessKey, comment, labels, ticketRef
            lock: unknown field; did you mean locks? expected one of: action, parameters, retries, capacityMap, deadline, stopTimeout, scheduledAt, priority, uniqueKey, debounce, debounceMax, batchKey, batchSize, batchWait, expiresAt, backoff, onWorkerLost, strictLease, locks, rates, dependsOn, when, parent, fairnessKey, comment, labels, ticketRef
            scheduledBy: unknown field; did you mean scheduledAt? expected one of: action, parameters, retries, capacityMap, deadline, stopTimeout, scheduledAt, priority, uniqueKey, debounce, debounceMax, batchKey, batchSize, batchWait, expiresAt, backoff, onWorkerLost, strictLease, locks, rates, dependsOn, when, parent, fairnessKey, comment, labels, ticketRef
            x`, expected `y: unknown field; expected one of: action, parameters, retries, capacityMap, deadline, stopTimeout, scheduledAt, priority, uniqueKey, debounce, debounceMax, batchKey, batchSize, batchWait, expiresAt, backoff, onWorkerLost, strictLease, locks, rates, dependsOn, when, parent, fairnessKey, comment, labels, ticketRef
        "#]],
    );
}

#[test]
fn values_that_are_too_long_too_large_or_too_deep_are_refused() {
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    let deep = format!(r#"{{"action":"a","parameters":{{"a":{deep}}}}}"#);
    let many: Vec<JobId> = (0..1001).map(|_| JobId::random()).collect();
    let large = json!({"action": "a", "parameters": {"a": "x".repeat(64 * 1024)}});
    check(
        &[
            &json!({"action": "a", "comment": "ü".repeat(256)}).to_string(),
            &json!({"action": "a", "ticketRef": "t".repeat(33)}).to_string(),
            &json!({"action": "a", "uniqueKey": "ü".repeat(256)}).to_string(),
            &json!({"action": "a", "fairnessKey": "ü".repeat(129)}).to_string(),
            &json!({"action": "a", "dependsOn": many}).to_string(),
            &large.to_string(),
            &deep,
        ],
        &expect![[r#"
            comment: it is longer than 255 characters
            ticketRef: it is longer than 32 characters
            uniqueKey: it is longer than 255 characters
            fairnessKey: it is longer than 128 characters
            dependsOn: 1001 is more than the maximum of 1000
            parameters: larger than the limit of 65536 bytes
            parameters: it is more than 64 levels deep
        "#]],
    );
}

#[test]
fn a_body_that_is_not_valid_json_is_refused() {
    check(
        &[
            "",
            "{",
            r#"{"action":"a"} x"#,
            r#"{"action":"\ud800"}"#,
            r#"{"action":"a","parameters":{"a":1e999}}"#,
            &format!(r#"{{"parameters":{{"a":{}"#, "[".repeat(200)),
        ],
        &expect![[r#"
            the body is not valid JSON: EOF while parsing a value at line 1 column 0
            the body is not valid JSON: EOF while parsing an object at line 1 column 1
            the body is not valid JSON: trailing characters at line 1 column 16
            the body is not valid JSON: unexpected end of hex escape at line 1 column 18
            the body is not valid JSON: number out of range at line 1 column 37
            the body is not valid JSON: recursion limit exceeded at line 1 column 145
        "#]],
    );
}
