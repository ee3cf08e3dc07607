//! The JSON of jobs.

use domain::capacity::Class;
use domain::job::{Cancellation, Exception, JobId, JobSpec, NewJob};
use expect_test::expect;

use super::*;

fn job(action: &str) -> job::Job {
    let at = Timestamp::from_ms(1_704_110_400_000);
    let (id, class) = (JobId::random(), Class::of(None).unwrap());
    let spec = JobSpec::of(action.parse().unwrap());
    job::Job::waiting(
        NewJob { id, class, scheduled_at: None, reserve_id: false, request_hash: None, spec },
        101,
        at,
        at,
    )
}

fn json_of(job: job::Job, omitted_tasks: &[usize]) -> Value {
    serde_json::to_value(Job::new(job, None, omitted_tasks)).unwrap()
}

#[test]
fn every_key_is_present_in_the_order_of_the_reference() {
    let text = serde_json::to_string(&Job::new(job("gc"), Some(7), &[])).unwrap();
    expect![[r#"{"id":101,"status":"SCHEDULED","scheduled_time":"2024-01-01T12:00:00","start_time":null,"finish_time":null,"function_name":"gc","scheduled_by":null,"comment":null,"ticket_ref":null,"next_job_id":7,"result":null,"exception":null,"finished_devices":null,"change_score":null,"start_arguments":null}"#]].assert_eq(&text);
    let mut full = job("sync_devices");
    full.status = Status::Done;
    full.started_at = Some(Timestamp::from_ms(1_704_110_400_123));
    full.finished_at = Some(Timestamp::from_ms(1_704_110_402_000));
    full.progress = Some(json!({"percent": 50, "finished": ["eosdist", 7]}));
    full.result = Some(json!({"change_score": 21, "devices": {}}));
    full.spec.parameters = json!({"dry_run": true}).as_object().cloned();
    full.spec.comment = Some("why".to_owned());
    let text = serde_json::to_string(&Job::new(full, None, &[])).unwrap();
    expect![[r#"{"id":101,"status":"FINISHED","scheduled_time":"2024-01-01T12:00:00","start_time":"2024-01-01T12:00:00.123000","finish_time":"2024-01-01T12:00:02","function_name":"sync_devices","scheduled_by":null,"comment":"why","ticket_ref":null,"next_job_id":null,"result":{"change_score":21,"devices":{}},"exception":null,"finished_devices":["eosdist","7"],"change_score":21,"start_arguments":{"dry_run":true}}"#]].assert_eq(&text);
}

#[test]
fn finished_devices_is_null_before_the_start_and_a_list_after_it() {
    let mut one = job("gc");
    one.progress = Some(json!({"finished": ["a"]}));
    assert_eq!(json_of(one.clone(), &[])["finished_devices"], Value::Null);
    one.started_at = Some(Timestamp::from_ms(0));
    assert_eq!(json_of(one.clone(), &[])["finished_devices"], json!(["a"]));
    for progress in [None, Some(json!({"finished": "a"})), Some(json!(7))] {
        one.progress = progress;
        assert_eq!(json_of(one.clone(), &[])["finished_devices"], json!([]));
    }
}

#[test]
fn only_a_whole_number_that_is_not_zero_is_a_change_score() {
    for (result, expected) in [
        (json!({"change_score": 100}), json!(100)),
        (json!({"change_score": 0}), Value::Null),
        (json!({"change_score": 1.5}), Value::Null),
        (json!({"change_score": "7"}), Value::Null),
        (json!([1]), Value::Null),
        (json!("text"), Value::Null),
    ] {
        let mut one = job("gc");
        one.result = Some(result.clone());
        assert_eq!(json_of(one, &[])["change_score"], expected, "{result}");
    }
}

#[test]
fn the_result_of_an_aborted_job_defaults_to_who_aborted_it_and_why() {
    let mut one = job("gc");
    one.status = Status::Cancel;
    one.cancelled = Some(Cancellation { by: "indy".to_owned(), reason: "too late".to_owned() });
    let message = json!({"message": "too late (aborted by indy)"});
    assert_eq!(json_of(one.clone(), &[])["result"], message);
    one.result = Some(json!(5));
    assert_eq!(json_of(one.clone(), &[])["result"], json!(5));
    one.result = None;
    one.cancelled = Some(Cancellation::default());
    let message = json!({"message": "Aborted via API call (aborted by unknown)"});
    assert_eq!(json_of(one.clone(), &[])["result"], message);
    one.status = Status::CancelRequest;
    assert_eq!(json_of(one, &[])["result"], Value::Null);
}

#[test]
fn an_exception_has_the_four_keys_of_the_reference() {
    let mut one = job("gc");
    let cases = [
        (Some(json!("Traceback")), "Traceback"),
        (Some(json!({"traceback": "here"})), "here"),
        (Some(json!({"code": 1})), "{\"code\":1}"),
        (None, ""),
    ];
    for (detail, traceback) in cases {
        let exception = Exception { detail, ..Exception::new("ExitCode", "it exited with 1") };
        one.exception = Some(exception);
        let expected = json!({
            "message": "it exited with 1", "type": "ExitCode", "args": ["it exited with 1"],
            "traceback": traceback,
        });
        assert_eq!(json_of(one.clone(), &[])["exception"], expected);
    }
}

#[test]
fn tasks_of_the_result_are_omitted_by_index() {
    let task = |name: &str| json!({"task_name": name});
    let three = [task("push"), task("generate"), task("sync")];
    let result = |tasks: &[Value]| json!({"devices": {"a": {"job_tasks": tasks}, "b": {}}});
    type Tasks<'a> = &'a [Value];
    let cases: [(&str, Tasks, &[usize], Tasks); 6] = [
        ("sync_devices", &three, &[1], &[task("push"), task("sync")]),
        ("sync_devices.dry", &three, &[2], &[task("push"), task("generate")]),
        ("sync_devices", &three, &[2, 1], &[task("push")]),
        ("sync_devices", &three, &[1, 1], &[task("push")]),
        ("sync_devices", &three[..2], &[2, 1], &three[..2]),
        ("other", &three, &[1], &three),
    ];
    for (action, tasks, indexes, expected) in cases {
        let mut one = job(action);
        one.result = Some(result(tasks));
        assert_eq!(json_of(one, indexes)["result"], result(expected), "{action} {indexes:?}");
    }
    let mut odd = job("sync_devices");
    odd.result = Some(json!({"devices": [1, {"job_tasks": 7}]}));
    assert_eq!(json_of(odd, &[1])["result"], json!({"devices": [1, {"job_tasks": 7}]}));
}
