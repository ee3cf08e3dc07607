//! Progress: seldom written, and the last word always kept.

use crate::services::StartServices;
use domain::job::JobId;
use serde_json::{Value, json};
use testkit::serve;
use worker::{Config, Context, Progress, Shutdown, Worker};

use crate::world::World;

/// How often the job's progress was written, and in how many seconds.
async fn writes(world: &World, id: JobId) -> usize {
    let changes = world.house.store().changes("", 100_000).await.unwrap();
    let of_job = changes.iter().filter(|change| change.fields.get("job") == Some(&id.to_string()));
    of_job.filter(|change| change.fields.contains_key("progress")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_tells_its_progress_all_the_time_has_it_written_once_a_second() {
    let world = World::new().await;
    let worker = world.worker(
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
    let job = world.done("chatty", &json!({})).await;
    let told = job.result.unwrap();
    assert!(told.as_u64().unwrap() > 10_000, "{told}");
    assert_eq!(job.progress, Some(json!({"percent": 99.5, "message": format!("at {told}")})));
    let writes = writes(&world, job.id).await;
    assert!((2..=4).contains(&writes), "{writes} writes in 2.5 s, and one at the end");
    let log = world.log(job.id).await;
    assert_eq!(log.len(), 1, "one complaint is enough: {log:?}");
    assert!(log[0].starts_with("capstan: a line of progress is ignored: it is no progress"));
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_ends_right_after_its_last_word_is_heard() {
    let world = World::new().await;
    let config: Config = world.house.config(&["--lease=2s"]);
    let brief = async |_: Value, context: Context| {
        for percent in 0..=100 {
            context.progress(Progress::percent(f64::from(percent)))?;
        }
        context.progress(Progress::percent(200.0))?;
        anyhow::Ok(())
    };
    let worker = serve(|asked| {
        let worker = Worker::new(config).action("brief", brief);
        worker.run_until(Shutdown { asked, ..Shutdown::default() })
    });
    let job = world.run("brief", &json!({})).await;
    assert_eq!(job.progress, Some(json!({"percent": 100.0})));
    let wrong = job.exception.unwrap().message;
    assert_eq!(wrong, "percent must be from 0 to 100, and not 200");
    worker.stop().await;
    world.close().await;
}
