//! Batches: errors name the job, and jobs reference earlier ones.

use super::*;
use crate::v0::wire::body::parse;
use expect_test::expect;
use serde_json::json;
use uuid::Uuid;

#[test]
fn an_error_in_a_batch_names_the_job() {
    let many = json!({"jobs": vec![json!({"action": "a"}); MAX_JOBS + 1]}).to_string();
    let bodies = [
        r#"{"jobs":[]}"#,
        r#"{"jobs":[{"action":"a"},{"action":"b"}]}"#,
        "{}",
        "[]",
        r#"{"job":[]}"#,
        r#"{"jobs":{}}"#,
        r#"{"jobs":[{"action":"a"},{}]}"#,
        r#"{"jobs":[{"action":"a"},["b"]]}"#,
        r#"{"jobs":[{"action":"a","capacityMap":{"s":true}}]}"#,
        r#"{"jobs":[{"action":"a"},{"action":"a","retry":1}]}"#,
        r##"{"jobs":[{"action":"a"},{"action":"a","dependsOn":["#1"]}]}"##,
        r##"{"jobs":[{"action":"a"},{"action":"a","dependsOn":["#0","#2"]}]}"##,
        r##"{"jobs":[{"action":"a"},{"action":"a","parent":"#+0"}]}"##,
        r##"{"jobs":[{"action":"a"},{"action":"a","parent":"#"}]}"##,
        &many,
    ];
    let read = |body: &str| {
        let batch = parse::<BatchSubmission>(body.as_bytes());
        match batch.and_then(|batch| batch.drafts(None, &Caller::default())) {
            Ok(drafts) => format!("{} jobs\n", drafts.len()),
            Err(error) => format!("{error}\n"),
        }
    };
    expect![[r##"
        0 jobs
        2 jobs
        jobs: it is required
        body: invalid type: array, expected an object
        job: unknown field; did you mean jobs? expected one of: jobs
        jobs: invalid type: object, expected an array
        jobs[1].action: it is required
        jobs[1]: invalid type: array, expected an object
        jobs[0].capacityMap.s: invalid type: boolean `true`, expected a whole number
        jobs[1].retry: unknown field; expected one of: action, parameters, retries, capacityMap, deadline, stopTimeout, scheduledAt, priority, uniqueKey, debounce, debounceMax, batchKey, batchSize, batchWait, expiresAt, backoff, onWorkerLost, strictLease, locks, rates, dependsOn, when, parent, fairnessKey, comment, labels, ticketRef
        jobs[1].dependsOn: "#1" must reference an earlier job of the batch; the first one is #0
        jobs[1].dependsOn: "#2" must reference an earlier job of the batch; the first one is #0
        jobs[1].parent: "#+0" must reference an earlier job of the batch; the first one is #0
        jobs[1].parent: "#" must reference an earlier job of the batch; the first one is #0
        jobs: 10001 jobs are more than the maximum of 10000
    "##]].assert_eq(&bodies.into_iter().map(read).collect::<String>());
}

#[test]
fn a_job_of_a_batch_references_earlier_ones_by_index_without_duplicates() {
    let hash = Uuid::new_v4();
    let key = IdempotencyKey::new("capstan", None, "monday", hash);
    let body = r##"{"jobs":[{"action":"a"},{"action":"b","dependsOn":["#0","#00"]},
        {"action":"c","parent":"#0","dependsOn":["#1","#0"]}]}"##;
    for key in [None, Some(&key)] {
        let batch: BatchSubmission = parse(body.as_bytes()).unwrap();
        let drafts = batch.drafts(key, &Caller::default()).unwrap();
        let [a, b, c] = &drafts[..] else { panic!("{drafts:?}") };
        assert_eq!(b.spec.depends_on, [a.id]);
        assert_eq!((&c.spec.depends_on[..], c.spec.parent), (&[b.id, a.id][..], Some(a.id)));
        let keyed = key.map(|key| key.job_of_batch(2).unwrap());
        assert_eq!((keyed == Some(c.id), c.reserve_id), (key.is_some(), key.is_some()));
        assert_eq!((a.request_hash, b.request_hash), (key.map(|_| hash), None));
    }
}
