//! What is said and shown of locks.

use super::*;
use crate::arguments::Arguments;
use clap::Parser;
use expect_test::expect;

fn document() -> Value {
    json!({"locks": [
        {"name": "action:scan", "permits": null, "paused": true, "held": 0, "waiting": 7},
        {"name": "licences", "permits": 3, "paused": false, "held": 2, "holders": [{
            "jobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "number": 7, "action": "scan",
            "workerID": "f97ebb52f0f6", "permits": 2, "since": "2026-11-20T16:54:34.719Z",
            "fencingToken": 12, "aborting": true}],
         "waiting": 1, "line": [{"jobID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b", "number": 8,
            "action": "scan", "priority": "normal", "permits": 2}]},
    ]})
}

#[test]
fn a_lock_is_one_row() {
    let all: Locks = read(&document()).unwrap();
    expect![[r#"
        NAME         PERMITS   HELD  WAITING  PAUSED  HELD BY
        action:scan  no limit  0     7        paused
        licences     3         2     1                7 scan
    "#]]
    .assert_eq(&(table(&all.locks) + "\n"));
}

#[test]
fn a_lock_is_shown_with_those_who_hold_it_and_those_who_wait() {
    expect![[r#"
        name             licences
        permits          3
        paused           false
        held             2
        waiting          1

        HELD BY                               NUMBER  ACTION  WORKER        PERMITS  SINCE                     TOKEN  STATE
        a261713a-9514-43f9-a7e5-50e7a9fa1d48  7       scan    f97ebb52f0f6  2        2026-11-20T16:54:34.719Z  12     aborting

        IN LINE                               NUMBER  ACTION  PRIORITY  PERMITS
        1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  8       scan    normal    2
    "#]].assert_eq(&(text(&document()["locks"][1]).unwrap() + "\n"));
}

#[test]
fn a_slash_in_a_name_is_no_slash_of_the_path() {
    let cases = [("devices", "/locks/devices"), ("site/a:1@b", "/locks/site%2Fa:1@b")];
    for (name, expected) in cases {
        assert_eq!(path(&name.parse().unwrap()), expected);
    }
}

#[test]
fn permits_are_a_number_or_what_there_is_unsaid() {
    let parsed = |line: &str| {
        let line = ["capstan", "locks"].into_iter().chain(line.split_whitespace());
        Arguments::try_parse_from(line).is_ok()
    };
    let right = [
        "list",
        "list --start 5 --limit 10 --json",
        "show device/a",
        "clear a b",
        "set a --permits 3",
        "set class:cpu=2 --permits 3 --json",
        "set action:scan --reset",
    ];
    for line in right {
        assert!(parsed(line), "{line}");
    }
    let wrong = [
        "",
        "list --limit 1001",
        "show",
        "show a=b",
        "clear",
        "set a",
        "set a --permits 0",
        "set a --permits none",
        "set a --permits 3 --reset",
        "set class:what --permits 3",
    ];
    for line in wrong {
        assert!(!parsed(line), "{line}");
    }
}
