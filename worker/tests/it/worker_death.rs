//! A worker that is killed as a process: its supervisors clean up after its jobs.

use domain::job::Status;
use serde_json::json;

use crate::commands::DESCENDANTS;
use crate::env::{WorkerEnv, entries, processes_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_no_process_and_no_directory() {
    let env = WorkerEnv::new().await;
    let mut process = env.process(DESCENDANTS);
    // Of several runs, the last one to be cleaned up removes the worker's own directory.
    let endless = json!({"then": "sleep 1000"});
    let mut ids = Vec::new();
    for _ in 0..4 {
        let id = env.submit("descendants", &endless).await;
        env.logged(id, 1).await;
        ids.push(id);
    }
    let id = ids[0];
    let supervisor = env.log(id).await[0].replace("stdout: ", "/proc/");
    assert!(processes_of(id).len() >= 5, "{:?}", processes_of(id));
    let name = std::fs::read_to_string(format!("{supervisor}/comm")).unwrap();
    assert_eq!(name, "capstan-supervi\n", "the kernel keeps 15 characters");
    assert_eq!(entries(&env.temporary()).len(), 1);

    process.kill().await.unwrap();
    for id in &ids {
        env.no_process_of(*id).await;
    }
    let gone = async || !std::path::Path::new(&supervisor).exists();
    env.eventually("the supervisor has exited", gone).await;
    let removed = async || entries(&env.temporary()).is_empty();
    env.eventually("the supervisors have removed the directories", removed).await;

    let next = env.worker(DESCENDANTS);
    for id in ids {
        assert_eq!(env.finished(id).await.status, Status::WorkerDead);
    }
    next.stop().await;
    assert_eq!(entries(&env.temporary()), [""; 0]);
    env.close().await;
}
