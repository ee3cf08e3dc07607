//! Queries as filters, as tables.

use super::*;
use expect_test::{Expect, expect};

fn check(queries: &[&str], expected: &Expect) {
    let read = |raw: &&str| match list_query(Some(raw), (10, 1000)) {
        Err(error) => format!("{error}\n"),
        Ok(ListQuery { filter: None, .. }) => "nothing\n".to_owned(),
        Ok(ListQuery { filter: Some(filter), search, is_by_submission, start, limit }) => {
            let statuses: Vec<_> = filter.statuses.iter().map(|one| one.as_str()).collect();
            let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let others = unindexed(&filter);
            format!(
                "{start}+{limit} action {} worker {} parent {} from {} to {} status [{}]{}{}{}\n",
                text(filter.action.map(|action| action.to_string())),
                text(filter.worker.map(|worker| worker.to_string())),
                text(filter.parent.map(|parent| parent.to_string())),
                text(filter.since.map(|at| at.to_string())),
                text(filter.until.map(|at| at.to_string())),
                statuses.join(" "),
                others,
                match (filter.soonest_first, is_by_submission) {
                    (true, _) => " soonest first",
                    (false, true) => " by submission",
                    (false, false) => "",
                },
                match search.to_string() {
                    search if search.is_empty() => search,
                    search => format!(" search {search}"),
                },
            )
        }
    };
    expected.assert_eq(&queries.iter().map(read).collect::<String>());
}

/// The conditions that no index serves.
fn unindexed(filter: &JobFilter) -> String {
    let one = |name: &str, value: &dyn ToString| format!(" {name} {}", value.to_string());
    let mut text: String = filter.labels.iter().map(|label| one("label", label)).collect();
    text.extend(filter.cron.iter().map(|cron| one("cron", cron)));
    text.extend(filter.scheduled_by.iter().map(|owner| one("by", owner)));
    text.extend(filter.fairness_key.iter().map(|key| one("key", key)));
    text
}

#[test]
fn a_query_is_parsed_into_a_filter() {
    check(
        &[
            "",
            "action=any&worker=any&running=any",
            "action=&worker=&running=&start=&limit=",
            "action=gc&worker=0123456789ab&start=3&limit=1000",
            "running=t",
            "running=F",
            "status=done,error",
            "status=deleted",
            "status=done,running,done&running=true",
            "status=done&running=true",
            "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00%2B01:00",
            "parent=1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
            "sort=scheduledAt&limit=1",
            "sort=-scheduledAt",
            "sort=-createdAt&start=2",
            "label=team:a&label=tier:b:c&cron=gc&scheduledBy=ci&fairnessKey=t%207",
            "q=status:error+refused&action=gc",
            "q=",
        ],
        &expect![[r#"
            0+10 action - worker - parent - from - to - status []
            0+10 action - worker - parent - from - to - status []
            0+10 action - worker - parent - from - to - status []
            3+1000 action gc worker 0123456789ab parent - from - to - status []
            0+10 action - worker - parent - from - to - status [running cancel_request]
            0+10 action - worker - parent - from - to - status [waiting done error cancel worker_dead worker_shutdown worker_resurrection]
            0+10 action - worker - parent - from - to - status [done error]
            0+10 action - worker - parent - from - to - status [deleted]
            0+10 action - worker - parent - from - to - status [running]
            nothing
            0+10 action - worker - parent - from 2026-01-01T00:00:00Z to 2026-01-01T23:00:00Z status []
            0+10 action - worker - parent 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b from - to - status []
            0+1 action - worker - parent - from - to - status [] soonest first
            0+10 action - worker - parent - from - to - status []
            2+10 action - worker - parent - from - to - status [] by submission
            0+10 action - worker - parent - from - to - status [] label team:a label tier:b:c cron gc by ci key t 7
            0+10 action gc worker - parent - from - to - status [] search status:error text:refused
            0+10 action - worker - parent - from - to - status []
        "#]],
    );
}

#[test]
fn only_waiting_and_running_jobs_are_cancelled_and_all_only_explicitly() {
    let queries = [
        "",
        "action=any&worker=&running=any",
        "all=false",
        "all=maybe",
        "all=true",
        "all=t&action=gc",
        "action=gc",
        "running=true",
        "running=false",
        "status=waiting,done",
        "status=done",
        "since=2026-01-01T00:00:00Z",
        "limit=5",
    ];
    let read = |raw: &str| match cancel_filter(Some(raw)) {
        Err(error) => format!("{error}\n"),
        Ok(None) => "nothing\n".to_owned(),
        Ok(Some(filter)) => {
            let statuses: Vec<_> = filter.statuses.iter().map(|one| one.as_str()).collect();
            format!("{} of {:?}\n", statuses.join(" "), filter.action.map(String::from))
        }
    };
    expect![[r#"
        all: set all=true to cancel every job, or give a filter
        all: set all=true to cancel every job, or give a filter
        all: set all=true to cancel every job, or give a filter
        all: "maybe" is not a boolean: use true or false
        waiting running of None
        waiting running of Some("gc")
        waiting running of Some("gc")
        running of None
        waiting of None
        waiting of None
        nothing
        waiting running of None
        limit: unknown query parameter; expected one of: action, worker, running, status, since, until, all
    "#]].assert_eq(&queries.map(read).concat());
}

#[test]
fn an_invalid_parameter_is_named() {
    check(
        &[
            "limit=1001",
            "start=4294967296",
            "running=maybe",
            "status=done,",
            "status=finished",
            "since=yesterday",
            "action=a%20b",
            "worker=me",
            "parent=1",
            "sort=action",
            "label=team",
            "label=a%20b:c",
            "cron=a%20b",
            "sort=-createdAt&q=x",
            "q=status:error+stat:x",
            "limits=1",
        ],
        &expect![[r#"
            limit: "1001" is not a whole number from 0 to 1000
            start: "4294967296" is not a whole number from 0 to 2147483647
            running: "maybe" is not a boolean: use true or false
            status: "" is not a valid status; the statuses are waiting, running, cancel_request, done, error, cancel, worker_dead, worker_shutdown, worker_resurrection, deleted
            status: "finished" is not a valid status; the statuses are waiting, running, cancel_request, done, error, cancel, worker_dead, worker_shutdown, worker_resurrection, deleted
            since: "yesterday" is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z
            action: "a b" is not a valid action name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -
            worker: "me" is not a valid worker id: it must be 12 hexadecimal digits
            parent: "1" is not a valid job id: it must be a UUID
            sort: it must be scheduledAt, -scheduledAt or -createdAt
            label: it must be NAME:TEXT, like team:payments
            label: "a b" is not a valid name of a label: it must be 1 to 63 characters of A-Z a-z 0-9 _ . - /
            cron: "a b" is not a valid cron name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -
            sort: -createdAt cannot be combined with q; use scheduledAt or -scheduledAt
            q: character 14: unknown key "stat"; the keys are status, action, worker, parent, cron, by, key, unique, priority, lock, ticket, label, fingerprint, since, until, text and param.NAME; quote a text that contains a colon
            limits: unknown query parameter; did you mean limit? expected one of: q, action, worker, running, start, limit, status, since, until, parent, label, cron, scheduledBy, fairnessKey, sort, fingerprint
        "#]],
    );
}
