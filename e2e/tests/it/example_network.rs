//! The jobs of `examples/network`: a dry run, then a live run that is its child and takes over its
//! lock, or that continues it after an approval.

use domain::access_tokens::Role;
use domain::job::{Job, JobId, Status};
use e2e::StartServices;
use serde_json::{Value, json};
use store::{JobFilter, NewSignal, SignalAnswer, SignalTo};
use testkit::{ActionsFile, TestEnv, job, with_parameters};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/network");

/// Copies the example to a temporary folder and declares its actions with that folder.
fn network() -> (std::path::PathBuf, ActionsFile) {
    let folder = std::env::temp_dir().join(format!("network-{}", JobId::random()));
    let copied = std::process::Command::new("cp").args(["-r", EXAMPLE]).arg(&folder).status();
    assert!(copied.unwrap().success());
    let _ = std::fs::remove_dir_all(folder.join("targets"));
    let text = std::fs::read_to_string(format!("{EXAMPLE}/actions.toml")).unwrap();
    (folder.clone(), ActionsFile::new(&text.replace("examples/network", &folder.to_string_lossy())))
}

async fn run(env: &TestEnv, parameters: &Value, locks: &str) -> Job {
    let mut sync = with_parameters(job("sync_devices", ""), parameters);
    sync.spec.locks = locks.parse().unwrap();
    env.store().submit(std::slice::from_ref(&sync)).await.unwrap();
    env.finished(sync.id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_with_a_low_change_score_is_followed_by_a_live_run() {
    let (env, (folder, actions)) = (TestEnv::new().await, network());
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=cpu=1", &actions.flag()]);
    let target = folder.join("targets/eosdist1.conf");
    let task =
        |job: &Job| job.result.as_ref().unwrap()["devices"]["eosdist1"]["job_tasks"][2].clone();
    let children = async |id| {
        let filter = JobFilter { parent: Some(id), ..JobFilter::default() };
        env.store().jobs(&filter, 0, 10).await.unwrap().jobs
    };

    let first = run(&env, &json!({"auto_push": true}), "").await;
    assert_eq!(
        first.result.as_ref().unwrap()["change_score"],
        100,
        "there is no configuration yet"
    );
    assert!(task(&first)["diff"].as_str().unwrap().contains("+hostname eosdist1\n"));
    let finished = json!(["eosaccess1", "eosaccess2", "eosdist1"]);
    assert_eq!(first.progress.as_ref().unwrap()["finished"], finished);
    assert!(children(first.id).await.is_empty(), "the change score is too high");

    let parameters = json!({"auto_push": true, "max_change_score": 100});
    let dry = run(&env, &parameters, "devices=1").await;
    assert_eq!(dry.status, Status::Done);
    let live = env.finished(children(dry.id).await[0].id).await;
    assert_eq!((live.status, live.spec.locks.to_string().as_str()), (Status::Done, "devices=1"));
    assert!(live.started_at >= dry.finished_at, "the dry run held the lock");
    let config = std::fs::read_to_string(&target).unwrap();
    assert_eq!(task(&dry)["diff"], task(&live)["diff"]);
    let again = run(&env, &json!({"dry_run": false}), "devices=1").await;
    assert_eq!(
        (&task(&again)["diff"], &again.result.unwrap()["change_score"]),
        (&json!(""), &json!(0))
    );

    // A run without the lock writes nothing, nor does one with an outdated token.
    let unlocked = run(&env, &json!({"dry_run": false}), "").await;
    assert_eq!(unlocked.exception.unwrap().kind, "ExitCode");
    std::fs::write(&target, "changed by hand\n").unwrap();
    std::fs::write(folder.join("targets/eosdist1.token"), "999999").unwrap();
    let late = run(&env, &json!({"dry_run": false}), "devices=1").await.result.unwrap();
    assert_eq!(late["devices"]["eosdist1"]["failed"], true);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "changed by hand\n");
    assert!(config.contains("10.100.2.101/32"));
    for service in [worker, scheduler] {
        service.stop().await;
    }
    env.close().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Submits a roll-out, waits until it asks for approval, and answers.
async fn roll_out(env: &TestEnv, answer: &Value) -> Job {
    let mut new = with_parameters(job("roll_out", ""), &json!({}));
    new.spec.locks = "devices=1".parse().unwrap();
    env.store().submit(std::slice::from_ref(&new)).await.unwrap();
    let asks = async || {
        let job = env.store().job(new.id).await.unwrap().unwrap();
        job.status == Status::Waiting && job.awaited_signal.is_some()
    };
    env.eventually("the roll-out asks for approval", asks).await;
    let lock = env.store().lock(&"devices".parse().unwrap()).await.unwrap();
    assert!(lock.holders.is_empty(), "it holds no lock while it waits");
    let signal = NewSignal {
        name: "approved".parse().unwrap(),
        role: Role::Operator,
        by: "ann".to_owned(),
        body: answer.to_string(),
    };
    let sent = env.store().signal(SignalTo::Chain(new.id), &signal).await.unwrap();
    assert!(matches!(sent, SignalAnswer::Continued(_)), "{sent:?}");
    let asked = env.store().job(new.id).await.unwrap().unwrap();
    env.finished(asked.follow_up.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_writes_only_after_its_approval() {
    let (env, (folder, actions)) = (TestEnv::new().await, network());
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=cpu=1", &actions.flag()]);
    let target = folder.join("targets/eosdist1.conf");
    let rejected = roll_out(&env, &json!({"approved": false, "reason": "freeze"})).await;
    assert_eq!(rejected.status, Status::Error);
    assert!(!target.exists());
    let approved = roll_out(&env, &json!({"ticket": "NET-7"})).await;
    assert_eq!((approved.status, approved.attempt), (Status::Done, 2));
    assert!(std::fs::read_to_string(&target).unwrap().contains("10.100.2.101/32"));
    for service in [worker, scheduler] {
        service.stop().await;
    }
    env.close().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
