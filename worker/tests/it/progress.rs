//! Progress: written at most once a second, always with the last report.

use domain::job::Job;
use serde_json::{Value, json};
use worker::{Context, Progress};

use crate::env::WorkerEnv;

/// How often the job's progress was written.
async fn writes(env: &WorkerEnv, job: &Job) -> i64 {
    let changes = env.store().event_list("", 100_000).await.unwrap();
    let id = job.id.to_string();
    let of_job = changes.iter().filter(|change| change.fields.get("job") == Some(&id));
    of_job.filter(|change| change.fields.contains_key("progress")).count() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_written_at_most_once_a_second_and_when_the_job_ends() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(
        r#"[actions.chatty]
        argv = ["python3", "-c", '''
import json, os, time
end, n = time.monotonic() + 2.5, 0
with open(os.environ["JOB_PROGRESS"], "w") as progress:
    progress.write("[]\n{nonsense\n")
    while time.monotonic() < end:
        n += 1
        progress.write(json.dumps({"message": f"at {n}"}) + "\n")
    progress.write(json.dumps({"percent": 99.5}))
with open(os.environ["JOB_RESULT"], "w") as result:
    json.dump(n, result)
''']"#,
    );
    let job = env.succeed("chatty", &json!({})).await;
    let reports = job.result.clone().unwrap();
    let expected = json!({"percent": 99.5, "message": format!("at {reports}")});
    assert_eq!(job.progress, Some(expected));
    // One at once, one each second after it, and the last one.
    let duration_ms = job.finished_at.unwrap().ms() - job.started_at.unwrap().ms();
    let writes = writes(&env, &job).await;
    assert!((2..=duration_ms / 1000 + 2).contains(&writes), "{writes} in {duration_ms} ms");
    let log = env.log(job.id).await;
    assert_eq!(log.len(), 1, "only the first invalid line is noted: {log:?}");
    assert!(log[0].starts_with("capstan: progress line ignored: "), "{}", log[0]);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_returns_right_after_its_last_report_has_it_written() {
    let env = WorkerEnv::new().await;
    let brief = async |_: Value, context: Context| {
        for percent in 0..=100 {
            context.progress(Progress::percent(f64::from(percent)))?;
        }
        context.progress(Progress::percent(200.0))?;
        anyhow::Ok(())
    };
    let worker = env.functions(&[""; 0], |worker| worker.action("brief", brief));
    let job = env.run("brief", &json!({})).await;
    assert_eq!(job.progress, Some(json!({"percent": 100.0})));
    let message = job.exception.unwrap().message;
    assert_eq!(message, "percent must be from 0 to 100, got 200");
    worker.stop().await;
    env.close().await;
}
