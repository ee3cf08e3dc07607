//! Tables of searches, what they mean and which jobs they find.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::{KEYS, Search};
use crate::capacity::Class;
use crate::job::{Exception, Job, JobSpec, NewJob, Status, Timestamp};

fn check(searches: &[&str], expected: &Expect) {
    let read = |text: &&str| match text.parse::<Search>() {
        Ok(search) => format!("{search}\n"),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&searches.iter().map(read).collect::<String>());
}

#[test]
fn a_search_is_written_in_one_form() {
    check(
        &[
            "",
            "  ",
            "status:error action:scan  key:t7",
            "status:error,done",
            "refused",
            "\"connection refused\"",
            "text:\"a \\\"b\\\" \\\\ c\\d\"",
            "param.host:sw1 param.site.room:\"\" param.n:\"1 2\"",
            "-status:done -param.host:sw1 -refused",
            "since:1h30m until:2026-11-20T16:30:00+01:00",
            "lock:a lock:b a b",
            "by:Größe unique:东京",
            "priority:high worker:0123456789ab cron:nightly ticket:a\"b",
            "parent:1FCF4C0F-ff3b-471a-8839-5dcb631b2f7b",
            "action:a -action:b -action:c",
            "label:team:network label:\"tier:1 a\" -label:x:y",
        ],
        &expect![[r#"


            status:error action:scan key:t7
            status:error,done
            text:refused
            text:"connection refused"
            text:"a \"b\" \\ c\\d"
            param.host:sw1 param.site.room:"" param.n:"1 2"
            -status:done -param.host:sw1 -text:refused
            since:1h30m until:2026-11-20T15:30:00Z
            lock:a lock:b text:a text:b
            by:Größe unique:东京
            priority:high worker:0123456789ab cron:nightly ticket:"a\"b"
            parent:1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b
            action:a -action:b -action:c
            label:team:network label:"tier:1 a" -label:x:y
        "#]],
    );
}

#[test]
fn an_error_says_where_it_is_and_what_is_allowed() {
    check(
        &[
            "stat:error",
            "status:error stat:x",
            "http://x",
            ":x",
            "param.:x",
            "status:finished",
            "action:",
            "action: scan",
            "- x",
            "Größe action:\"a b\"",
            "text:\"a",
            "\"a\"b",
            "action:a action:b",
            "since:yesterday",
            "since:0s",
            "-since:1h",
            "worker:me",
            "priority:urgent",
            "label:team",
            "lock:",
            &"a ".repeat(17),
            &"a".repeat(513),
        ],
        &expect![[r#"
            character 1: unknown key "stat"; the keys are status, action, worker, parent, cron, by, key, unique, priority, lock, ticket, label, fingerprint, since, until, text and param.NAME; quote a text that contains a colon
            character 14: unknown key "stat"; the keys are status, action, worker, parent, cron, by, key, unique, priority, lock, ticket, label, fingerprint, since, until, text and param.NAME; quote a text that contains a colon
            character 1: unknown key "http"; the keys are status, action, worker, parent, cron, by, key, unique, priority, lock, ticket, label, fingerprint, since, until, text and param.NAME; quote a text that contains a colon
            character 1: unknown key ""; the keys are status, action, worker, parent, cron, by, key, unique, priority, lock, ticket, label, fingerprint, since, until, text and param.NAME; quote a text that contains a colon
            character 1: unknown key "param."; the keys are status, action, worker, parent, cron, by, key, unique, priority, lock, ticket, label, fingerprint, since, until, text and param.NAME; quote a text that contains a colon
            character 8: status: "finished" is not a valid status; the statuses are waiting, running, cancel_request, done, error, cancel, worker_dead, worker_shutdown, worker_resurrection, deleted
            character 8: action: must be followed by a value; write "" for an empty one
            character 8: action: must be followed by a value; write "" for an empty one
            character 2: - must be followed by a term; quote a text that begins with -
            character 14: action: "a b" is not a valid action name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -
            character 6: the quotation mark is not closed
            character 4: a space must follow the closing quotation mark
            character 10: action is given twice
            character 7: since: "yesterday" is not valid: it must be a duration like 30m or 24h, or a time like 2026-11-20T16:30:00Z
            character 7: since: "0s" is not valid: it must be a duration like 30m or 24h, or a time like 2026-11-20T16:30:00Z
            character 2: since cannot be excluded; use until instead
            character 8: worker: "me" is not a valid worker id: it must be 12 hexadecimal digits
            character 10: priority: "urgent" is not a valid priority: it must be high, normal or low
            character 7: label: it must be NAME:TEXT, like team:payments
            character 6: lock: must be followed by a value; write "" for an empty one
            character 33: a search has at most 16 terms
            character 513: a search has at most 512 characters
        "#]],
    );
}

#[test]
fn every_key_has_an_example_that_is_valid() {
    for key in KEYS {
        let text = format!("{}:{}", key.name, key.example);
        assert_eq!(text.parse::<Search>().unwrap().to_string(), text);
    }
}

#[test]
fn a_link_replaces_the_term_of_its_key() {
    let term = |text: &str| text.parse::<Search>().unwrap().terms()[0].clone();
    let search: Search = "status:done action:a -action:b param.x:1".parse().unwrap();
    let with = |text: &str| search.clone().with(term(text)).to_string();
    assert_eq!(with("action:c"), "status:done -action:b param.x:1 action:c");
    assert_eq!(with("param.y:2"), "status:done action:a -action:b param.x:1 param.y:2");
    assert_eq!(with("-action:b"), search.to_string());
    assert_eq!(search.clone().without(1).to_string(), "status:done -action:b param.x:1");
    assert_eq!(search.clone().without(9), search);
}

fn job() -> Job {
    let mut spec = JobSpec::of("scan".parse().unwrap());
    let parameters = json!({
        "host": "sw1", "ports": [22, 80], "deep": {"room": "B1", "free": true}, "a.b": "c",
    });
    spec.parameters = parameters.as_object().cloned();
    spec.comment = Some("Before the MOVE".to_owned());
    spec.fairness_key = Some("t7".to_owned());
    spec.scheduled_by = Some("ci".to_owned());
    spec.locks = "device-sw1".parse().unwrap();
    let id = "a261713a-9514-43f9-a7e5-50e7a9fa1d48".parse().unwrap();
    let class = Class::of(None).unwrap();
    let new = NewJob { id, class, scheduled_at: None, reserve_id: false, request_hash: None, spec };
    let at = Timestamp::from_ms(1_800_000_000_000);
    let mut job = Job::waiting(new, 1, at, at);
    job.status = Status::Error;
    job.exception = Some(Exception {
        kind: "Timeout".to_owned(),
        message: "Connection refused".to_owned(),
        detail: Some(json!({"code": 7})),
    });
    job.result = Some(json!({"found": [{"name": "Printer"}]}));
    job
}

#[test]
fn a_job_must_satisfy_every_term() {
    let job = job();
    let now = Timestamp::from_ms(job.scheduled_at.ms() + 60_000);
    let found = [
        "",
        "status:error",
        "status:done,error",
        "-status:done",
        "action:scan key:t7 by:ci lock:device-sw1 priority:normal",
        "param.host:sw1",
        "param.ports:80",
        "param.deep.room:B1",
        "param.deep.free:true",
        "param.a.b:c",
        "-param.host:sw2",
        "-param.other:x",
        "refused",
        "REFUSED timeout",
        "\"the move\"",
        "printer",
        "text:22",
        "since:1h until:30s",
        "text:\"\"",
    ];
    for text in found {
        let search: Search = text.parse().unwrap();
        assert!(search.terms().iter().all(|term| term.matches(&job, now)), "{text}");
    }
    let missed = [
        "status:done",
        "-status:error",
        "action:other",
        "key:t8",
        "-key:t7",
        "lock:device",
        "param.host:sw",
        "param.ports:8",
        "param.deep:B1",
        "param.host.x:sw1",
        "since:30s",
        "until:2h",
        "accepted",
        "-refused",
        "unique:t7",
        "cron:nightly",
        "ticket:x",
        "worker:0123456789ab",
    ];
    for text in missed {
        let search: Search = text.parse().unwrap();
        assert!(!search.terms().iter().all(|term| term.matches(&job, now)), "{text}");
    }
}

proptest! {
    #[test]
    fn a_value_is_read_back_as_it_was_written(values in prop::collection::vec(".{0,40}", 0..4)) {
        let quoted = |value: &String| {
            format!("text:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        };
        let text = values.iter().map(quoted).collect::<Vec<_>>().join(" ");
        let search: Search = text.parse().unwrap();
        let read: Vec<String> =
            search.terms().iter().map(|term| term.condition.value()).collect();
        prop_assert_eq!(read, values);
        prop_assert_eq!(search.to_string().parse::<Search>().unwrap(), search);
    }

    #[test]
    fn what_is_written_is_read_back(text in "([-a-z.:,\"\\\\ 0-9]|status:|param.|since:){0,24}") {
        if let Ok(search) = text.parse::<Search>() {
            prop_assert_eq!(search.to_string().parse::<Search>(), Ok(search));
        }
    }
}
