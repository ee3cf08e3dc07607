//! Limits of memory, CPU and processes, in a real cgroup if the test may create one on this
//! machine. If it may not, the test checks that the worker warns about it and runs its jobs without
//! the limits. The output of the test says which of the two was tested.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::job::JobId;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::env::{WorkerEnv, entries, processes_of};

const ACTIONS: &str = r#"
    [actions.greedy]
    argv = ["python3", "-c", "bytearray(1 << 28)"]
    limits = { memory = "64MiB", cpu = 0.5 }
    [actions.modest]
    argv = ["sh", "-c", "sleep 1000 & echo here; cat; cat $(sed -n 's|^0::|/sys/fs/cgroup|p' /proc/self/cgroup)/cpu.max"]
    stdin = "{{text}}"
    limits = { memory = "64MiB", cpu = 0.5 }
    [actions.endless]
    argv = ["sh", "-c", "setsid sleep 1000 & echo here; sleep 1000"]
    limits = { memory = "64MiB" }
    [actions.bomb]
    argv = ["sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 1000"]
    limits = { processes = 32 }
    deadline = "1s"
    stop_timeout = "100ms"
"#;
/// The warning of a worker that may not create cgroups.
const WARNING: &str = "memory, cpu and processes limits are not enforced";

/// A cgroup for a worker, delegated as a service manager would do it. Dropping it removes it.
struct DelegatedCgroup(PathBuf);

impl DelegatedCgroup {
    fn new() -> Result<DelegatedCgroup, String> {
        let mount = Path::new("/sys/fs/cgroup");
        if !mount.join("cgroup.controllers").exists() {
            return Err("/sys/fs/cgroup is not a cgroup v2 mount".to_owned());
        }
        let message = |error: std::io::Error| error.to_string();
        fs::write(mount.join("cgroup.subtree_control"), "+memory +cpu +pids").map_err(message)?;
        let own = mount.join(format!("capstan-test-{}", JobId::random()));
        fs::create_dir(&own).map_err(message)?;
        Ok(DelegatedCgroup(own))
    }

    /// The cgroups of runs.
    fn run_cgroups(&self) -> Vec<String> {
        let mut names = entries(&self.0);
        names.retain(|name| name.starts_with("capstan-") && name != "capstan-worker");
        names
    }
}

impl Drop for DelegatedCgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("capstan-worker"));
        let _ = fs::remove_dir(&self.0);
    }
}

/// Starts a worker process, in a cgroup if there is one. Its log goes to a file.
fn start(env: &WorkerEnv, delegated: Option<&DelegatedCgroup>) -> Child {
    let members = delegated.map(|delegated| delegated.0.join("cgroup.procs"));
    let members = members.unwrap_or_else(|| PathBuf::from("/dev/null"));
    Command::new("sh")
        .args(["-c", "echo $$ >\"$0\"; exec \"$@\""])
        .arg(members)
        .args(env.process_arguments(ACTIONS))
        .stdout(Stdio::null())
        .stderr(Stdio::from(fs::File::create(env.directory.join("log")).unwrap()))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_over_its_memory_limit_is_killed_alone_if_the_machine_has_cgroups() {
    let env = WorkerEnv::new().await;
    match DelegatedCgroup::new() {
        Ok(delegated) => {
            limits_apply(&env, &delegated).await;
            eprintln!("tested on a real cgroup, {}", delegated.0.display());
        }
        Err(why) => {
            worker_warns(&env).await;
            eprintln!("tested only the warning, because the test cannot create a cgroup: {why}");
        }
    }
    env.close().await;
}

async fn limits_apply(env: &WorkerEnv, delegated: &DelegatedCgroup) {
    let mut worker = start(env, Some(delegated));
    let endless = env.submit("endless", &json!({})).await;
    env.logged(endless, 1).await;
    let (kind, message) = env.fail("greedy", &json!({})).await;
    assert_eq!((kind.as_str(), message.as_str()), ("Signal", "killed by SIGKILL"));
    let modest = env.succeed("modest", &json!({"text": "and well\n"})).await;
    let expected = ["here", "and well", "50000 100000"].map(|line| format!("stdout: {line}"));
    assert_eq!(env.log(modest.id).await, expected);
    let bomb = env.run("bomb", &json!({})).await;
    assert_eq!(processes_of(bomb.id), [0; 0]);
    assert!(!env.job(endless).await.status.is_final(), "the other job still runs");
    assert_eq!(delegated.run_cgroups().len(), 1, "{:?}", delegated.run_cgroups());

    worker.kill().await.unwrap();
    env.no_process_of(endless).await;
    let gone = async || delegated.run_cgroups().is_empty() && entries(&env.temporary()).is_empty();
    env.eventually("the cgroup and the directory of the killed worker's run are removed", gone)
        .await;
}

async fn worker_warns(env: &WorkerEnv) {
    let mut worker = start(env, None);
    env.succeed("greedy", &json!({})).await;
    let log = fs::read_to_string(env.directory.join("log")).unwrap();
    assert!(log.lines().any(|line| line.contains(WARNING) && line.contains("greedy")), "{log}");
    worker.kill().await.unwrap();
}
