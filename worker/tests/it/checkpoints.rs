//! Checkpoints: the next run of a job finds the last one, whatever ended the run before.

use std::path::Path;

use domain::job::{Cancellation, Job, JobId, Status};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::RetryAnswer;
use testkit::{job, with_parameters};
use tokio::process::Child;
use worker::{Context, Exception};

use crate::env::WorkerEnv;

/// An action that counts on from the last checkpoint, and then does what `then` says about its
/// attempt.
const STEPS: &str = r#"[actions.steps]
argv = ["python3", "-c", '''
import json, os, signal, sys, time
resume = os.environ.get("JOB_RESUME")
at = json.load(open(resume))["at"] if resume else 0
print("from", at, flush=True)
def save(at):
    with open(os.environ["JOB_CHECKPOINT"], "w") as checkpoint:
        checkpoint.write(json.dumps({"at": at}) + "\n")
def stop(*_):
    save(at + 10)
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
save(at + 1)
then = sys.argv[1].split()[int(os.environ["JOB_ATTEMPT"]) - 1]
if then == "wait":
    print("waiting", flush=True)
    time.sleep(1000)
sys.exit(0 if then == "succeed" else 1)
''', "{{then}}"]
"#;

/// Actions that write checkpoints of all kinds.
const LINES: &str = r#"[actions.lines]
argv = ["python3", "-c", '''
import json, os
with open(os.environ["JOB_CHECKPOINT"], "w") as checkpoint:
    checkpoint.write("1\n")
    checkpoint.write(json.dumps("x" * 65535) + "\n")
    checkpoint.write("{nonsense\n[]]\n")
    checkpoint.write("{\"b\": 18446744073709551616,  \"a\": 1.50}")
assert "JOB_RESUME" not in os.environ
''']
[actions.replaced]
argv = ["python3", "-c", '''
import json, os
with open(os.environ["JOB_CHECKPOINT"], "w") as checkpoint:
    for at in range(20000):
        checkpoint.write(json.dumps({"at": at, "padding": "x" * 50}) + "\n")
''']
[actions.large]
argv = ["python3", "-c", '''
import json, os
with open(os.environ["JOB_CHECKPOINT"], "w") as checkpoint:
    checkpoint.write(json.dumps("x" * 65534) + "\n")
''']
"#;

impl WorkerEnv {
    /// Submits a job that counts on, with one retry.
    async fn submit_steps(&self, then: &str) -> JobId {
        let mut new = with_parameters(job("steps", ""), &json!({"then": then}));
        new.spec.retries = 1;
        self.store().submit(std::slice::from_ref(&new)).await.unwrap();
        new.id
    }

    /// The checkpoint of a job.
    async fn checkpoint(&self, id: JobId) -> Option<Value> {
        let text = self.store().checkpoint(id).await.unwrap();
        text.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// Waits until a job has a checkpoint.
    async fn saved(&self, id: JobId) -> Value {
        let saved = async || self.checkpoint(id).await.is_some();
        self.eventually(&format!("job {id} has a checkpoint"), saved).await;
        self.checkpoint(id).await.unwrap()
    }

    /// Kills a worker in the middle of a run. Returns the follow-up.
    async fn killed(&self, mut process: Child, id: JobId) -> JobId {
        process.kill().await.unwrap();
        self.no_process_of(id).await;
        follow_up(&self.finished(id).await, Status::WorkerDead)
    }
}

/// The follow-up of a job that has ended with this status.
fn follow_up(job: &Job, status: Status) -> JobId {
    assert_eq!(job.status, status, "{:?}", job.exception);
    job.follow_up.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_finds_the_last_checkpoint_whatever_ended_the_run_before() {
    let env = WorkerEnv::new().await;
    let process = env.process(STEPS);
    let first = env.submit_steps("wait wait fail fail succeed").await;
    assert_eq!(env.logged(first, 2).await, ["stdout: from 0", "stdout: waiting"]);
    assert_eq!(env.saved(first).await, json!({"at": 1}));
    let second = env.killed(process, first).await;

    // Its worker shuts down: what the command saves on SIGTERM is kept.
    let worker = env.worker(STEPS);
    assert_eq!(env.logged(second, 2).await[0], "stdout: from 1");
    worker.stop().await;
    let third = follow_up(&env.finished(second).await, Status::WorkerShutdown);
    assert_eq!(env.checkpoint(third).await, Some(json!({"at": 11})));

    // It fails, first with a retry left, then without.
    let worker = env.worker(STEPS);
    let fourth = follow_up(&env.finished(third).await, Status::Error);
    assert_eq!(env.log(third).await, ["stdout: from 11"]);
    assert_eq!(env.finished(fourth).await.follow_up, None);
    assert_eq!(env.log(fourth).await, ["stdout: from 12"]);
    let fifth = JobId::random();
    assert_eq!(env.store().retry(fourth, fifth).await.unwrap(), RetryAnswer::Created);
    assert_eq!(env.finished(fifth).await.status, Status::Done);
    assert_eq!(env.log(fifth).await, ["stdout: from 13"]);
    assert_eq!(env.checkpoint(fifth).await, Some(json!({"at": 14})));
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_valid_line_is_kept_as_it_is_and_an_invalid_one_loses_nothing() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(LINES);
    let job = env.succeed("lines", &Value::Null).await;
    let text = env.store().checkpoint(job.id).await.unwrap();
    assert_eq!(text.as_deref(), Some(r#"{"b": 18446744073709551616,  "a": 1.50}"#));
    let log = env.log(job.id).await;
    assert_eq!(log, ["capstan: checkpoint line ignored: it has more than 65536 bytes"]);
    let job = env.succeed("replaced", &Value::Null).await;
    assert_eq!(env.checkpoint(job.id).await.unwrap()["at"], 19_999);
    let job = env.succeed("large", &Value::Null).await;
    assert_eq!(env.checkpoint(job.id).await, Some(json!("x".repeat(65_534))));
    assert_eq!(env.log(job.id).await, [""; 0]);
    worker.stop().await;
    env.close().await;
}

/// What the function of the next test has done.
#[derive(Serialize, Deserialize)]
struct Done {
    steps: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_continues_from_the_state_that_the_run_before_has_saved() {
    let env = WorkerEnv::new().await;
    let steps = async |_: Value, context: Context| {
        let done = context.resume::<Done>()?.unwrap_or(Done { steps: 0 });
        let refused = context.checkpoint(&"x".repeat(65_535)).unwrap_err().to_string();
        assert_eq!(refused, "the checkpoint has 65537 bytes; at most 65536 are allowed");
        assert_eq!(context.resume::<Vec<u32>>().is_err(), done.steps > 0, "the form is checked");
        context.checkpoint(&Done { steps: done.steps + 1 })?;
        let message = match done.steps {
            0 => "not yet",
            _ => {
                // The next run starts from the beginning.
                context.checkpoint(&Value::Null)?;
                "start over"
            }
        };
        anyhow::Result::<()>::Err(Exception::new("Test", message).into())
    };
    let worker = env.functions(&[""; 0], |worker| worker.action("steps", steps));
    let first = env.run("steps", &Value::Null).await;
    assert_eq!(first.exception.unwrap().message, "not yet");
    assert_eq!(env.checkpoint(first.id).await, Some(json!({"steps": 1})));
    let [second, third] = [JobId::random(), JobId::random()];
    env.store().retry(first.id, second).await.unwrap();
    assert_eq!(env.finished(second).await.exception.unwrap().message, "start over");
    assert_eq!(env.checkpoint(second).await, None);
    env.store().retry(second, third).await.unwrap();
    assert_eq!(env.finished(third).await.exception.unwrap().message, "not yet");
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_checkpoint_cannot_be_read_starts_from_the_beginning() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(STEPS);
    let first = env.submit_steps("fail succeed").await;
    let next = follow_up(&env.finished(first).await, Status::Error);
    let key = format!("checkpoint:{next}");
    env.redis("del", &key, &[]).await;
    env.redis("rpush", &key, &["not a checkpoint"]).await;
    assert_eq!(env.finished(next).await.status, Status::Done);
    let log = env.log(next).await;
    assert!(log[0].starts_with("capstan: the run starts from the beginning: "), "{log:?}");
    assert_eq!(log[1..], ["stdout: from 0"]);
    worker.stop().await;
    env.close().await;
}

/// The actions of an example, with other paths.
fn example(name: &str, replaced: &[(&str, &Path)]) -> String {
    let file = format!("{}/../examples/{name}/actions.toml", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(file).unwrap();
    for (old, new) in replaced {
        text = text.replace(old, &new.to_string_lossy());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_of_the_registry_continues_after_its_worker_was_killed() {
    let env = WorkerEnv::new().await;
    let data = env.directory.join("data");
    let blobs = data.join("layout/blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(data.join("layout/index.json"), r#"{"manifests": []}"#).unwrap();
    let names: Vec<String> = (0..60).map(|index| format!("{index:064x}")).collect();
    for name in &names {
        std::fs::write(blobs.join(name), "garbage").unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/registry/collect.py");
    let replaced: [(&str, &Path); 2] =
        [("examples/registry/data", &data), ("examples/registry/collect.py", &script)];
    let actions = example("registry", &replaced);
    let process = env.process(&actions);
    // Ten seconds for each blob.
    let slow = json!({"min_age_seconds": 0, "seconds": 600});
    let first = env.submit("gc", &slow).await;
    env.saved(first).await;
    let next = env.killed(process, first).await;
    let worker = env.worker(&actions);
    let continued = env.logged(next, 2).await;
    env.store().cancel(&[next], &Cancellation::default()).await.unwrap();
    env.finished(next).await;
    assert!(continued[0].starts_with("stdout: continuing after 0"), "{continued:?}");
    let deleting = |name: &String| format!("stdout: deleting {name}, 7 bytes");
    let deleted = [env.log(first).await, env.log(next).await[1..].to_vec()].concat();
    let expected: Vec<String> = names.iter().take(deleted.len()).map(deleting).collect();
    assert_eq!(deleted, expected, "each blob is deleted once");
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sync_of_the_network_continues_after_its_worker_was_killed() {
    let env = WorkerEnv::new().await;
    let network = env.directory.join("network");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/network");
    let copied = std::process::Command::new("cp").arg("-r").args([&source, &network]).status();
    assert!(copied.unwrap().success());
    // What a run of the example has left.
    let _ = std::fs::remove_dir_all(network.join("targets"));
    // The third device blocks the run, because its template is a pipe.
    let (template, kept) = (network.join("templates/dist.conf"), network.join("dist.conf"));
    std::fs::rename(&template, &kept).unwrap();
    mkfifo(&template, Mode::S_IRWXU).unwrap();
    let actions = example("network", &[("examples/network", &network)]);
    let process = env.process(&actions);
    let first = env.submit("sync_devices", &Value::Null).await;
    let two = async || {
        let checkpoint = env.checkpoint(first).await.unwrap_or_default();
        checkpoint["results"].as_object().is_some_and(|results| results.len() == 2)
    };
    env.eventually("two devices are finished", two).await;
    let next = env.killed(process, first).await;
    std::fs::rename(&kept, &template).unwrap();
    let worker = env.worker(&actions);
    let job = env.finished(next).await;
    assert_eq!(job.status, Status::Done);
    let log = env.log(next).await;
    assert_eq!(log, ["stdout: eosdist1: change score 100"], "the others are finished");
    let devices = &job.result.unwrap()["devices"];
    for name in ["eosaccess1", "eosaccess2", "eosdist1"] {
        assert_eq!(devices[name]["failed"], false, "{name}");
    }
    worker.stop().await;
    env.close().await;
}
