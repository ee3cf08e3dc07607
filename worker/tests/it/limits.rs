//! Limits of memory and processors, on a real cgroup tree where this machine has one that the test
//! may divide. Where it has none, that the worker says so and its jobs run all the same; the test
//! says which of the two it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::job::JobId;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::world::{World, entries};

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
"#;
/// What the worker says when it starts where there is no cgroup for it.
const REFUSAL: &str = "limits of memory and cpu do not hold on this machine";

/// A cgroup of the test's own, delegated as a service manager would. Goes when it is dropped.
struct Delegated(PathBuf);

impl Delegated {
    fn new() -> Result<Delegated, String> {
        let mount = Path::new("/sys/fs/cgroup");
        if !mount.join("cgroup.controllers").exists() {
            return Err("/sys/fs/cgroup is no cgroup v2".to_owned());
        }
        let said = |error: std::io::Error| error.to_string();
        fs::write(mount.join("cgroup.subtree_control"), "+memory +cpu").map_err(said)?;
        let own = mount.join(format!("capstan-test-{}", JobId::random()));
        fs::create_dir(&own).map_err(said)?;
        Ok(Delegated(own))
    }

    /// The cgroups of runs that are there now.
    fn groups(&self) -> Vec<String> {
        let mut names = entries(&self.0);
        names.retain(|name| name.starts_with("capstan-") && name != "capstan-worker");
        names
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("capstan-worker"));
        let _ = fs::remove_dir(&self.0);
    }
}

/// A worker as a process, in a cgroup if there is one; what it says goes to a file.
fn start(world: &World, delegated: Option<&Delegated>) -> Child {
    let (store, broker) = (world.house.store_config(), world.house.broker_config());
    let members = delegated.map(|delegated| delegated.0.join("cgroup.procs"));
    let members = members.unwrap_or_else(|| PathBuf::from("/dev/null"));
    Command::new("sh")
        .args(["-c", "echo $$ >\"$0\"; exec \"$@\""])
        .arg(members)
        .arg(env!("CARGO_BIN_EXE_capstan-worker"))
        .args(world.flags(ACTIONS))
        .arg(format!("--redis-url={}", store.redis_url))
        .arg(format!("--namespace={}", store.namespace))
        .arg(format!("--amqp-url={}", broker.amqp_url))
        .arg("--lease=2s")
        .stdout(Stdio::null())
        .stderr(Stdio::from(fs::File::create(world.folder.join("said")).unwrap()))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_over_its_memory_dies_alone_where_the_machine_has_cgroups() {
    let world = World::new().await;
    match Delegated::new() {
        Ok(delegated) => {
            limits_hold(&world, &delegated).await;
            eprintln!("tested on a real cgroup, {}", delegated.0.display());
        }
        Err(why) => {
            limits_do_not_hold(&world).await;
            eprintln!("tested only that the worker says so: there is no cgroup to divide: {why}");
        }
    }
    world.close().await;
}

async fn limits_hold(world: &World, delegated: &Delegated) {
    let mut worker = start(world, Some(delegated));
    let endless = world.submit("endless", &json!({})).await;
    world.said(endless, 1).await;
    let (kind, message) = world.failed("greedy", &json!({})).await;
    assert_eq!((kind.as_str(), message.as_str()), ("Signal", "killed by SIGKILL"));
    let modest = world.done("modest", &json!({"text": "and well\n"})).await;
    let expected = ["here", "and well", "50000 100000"].map(|line| format!("stdout: {line}"));
    assert_eq!(world.log(modest.id).await, expected);
    assert!(!world.look(endless).await.status.is_final(), "the others live");
    assert_eq!(delegated.groups().len(), 1, "{:?}", delegated.groups());

    worker.kill().await.unwrap();
    world.no_process_of(endless).await;
    let gone = async || delegated.groups().is_empty() && entries(&world.temporary()).is_empty();
    world.house.eventually("nothing is left of the killed worker's runs", gone).await;
}

async fn limits_do_not_hold(world: &World) {
    let mut worker = start(world, None);
    world.done("greedy", &json!({})).await;
    let said = fs::read_to_string(world.folder.join("said")).unwrap();
    assert!(said.lines().any(|line| line.contains(REFUSAL) && line.contains("greedy")), "{said}");
    worker.kill().await.unwrap();
}
