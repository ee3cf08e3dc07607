//! Commands that try to get more than they are given: to read what their worker holds, to outlive
//! their run, to use up the machine, to stop other workers from starting. Each test runs a worker
//! as a user without privileges, which is the user of its commands too, because root may do all of
//! this. What only root can test is a separate user for commands; without root, the test checks
//! that such a worker does not start, and its output says so.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use domain::job::{Cancellation, Status};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use serde_json::json;

use crate::env::{WorkerEnv, entries, processes_of};

/// Tries to open what `/proc` shows of the supervisor and the worker, and says what it inherited.
const READ_OTHERS: &str = r#"
    [actions.read_others]
    argv = ["python3", "-c", '''
import os

def parent(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rsplit(")")[-1].split()[1])

def attempt(name, read):
    try:
        read()
        print(name, "is readable")
    except PermissionError:
        print(name, "is denied")

supervisor = os.getppid()
for name, pid in ("supervisor", supervisor), ("worker", parent(supervisor)):
    for file in "environ", "mem", "maps", "auxv":
        attempt(f"{name} {file}", lambda: open(f"/proc/{pid}/{file}", "rb"))
    attempt(f"{name} fd", lambda: os.listdir(f"/proc/{pid}/fd"))
inherited = []
for file in range(3, 1024):
    try:
        os.fstat(file)
        inherited.append(file)
    except OSError:
        pass
print("inherited files:", inherited)
with open("/proc/self/status") as status:
    print(next(line.strip() for line in status if line.startswith("NoNewPrivs")))
''']
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_cannot_read_what_its_worker_and_its_supervisor_hold() {
    let env = WorkerEnv::new().await;
    let mut worker = env.unprivileged_process(READ_OTHERS, |command| {
        command.env("CAPSTAN_NAME", "a value of the worker's environment");
    });
    let job = env.succeed("read_others", &json!({})).await;
    let mut expected = Vec::new();
    for process in ["supervisor", "worker"] {
        for file in ["environ", "mem", "maps", "auxv", "fd"] {
            expected.push(format!("stdout: {process} {file} is denied"));
        }
    }
    expected.push("stdout: inherited files: []".to_owned());
    expected.push("stdout: NoNewPrivs:\t1".to_owned());
    assert_eq!(env.log(job.id).await, expected);
    worker.kill().await.unwrap();
    env.close().await;
}

/// Leaves processes behind in sessions of their own, a child, a grandchild and one whose parent has
/// ended, and then does something to its supervisor.
fn leaves_processes(then: &str) -> String {
    format!(
        r#"
    [actions.escape]
    argv = ["sh", "-c", '''
        trap "" TERM
        setsid sleep 1000 &
        setsid sh -c 'trap "" TERM; setsid sleep 1000 & sleep 1000' &
        (setsid setsid sleep 1000 &)
        until [ "$(grep -lz "JOB_ID=$JOB_ID" /proc/[0-9]*/environ 2>/dev/null | wc -l)" -gt 5 ]; do :; done
        echo ready
        {then}
        sleep 1000
        ''']
    stop_timeout = "100ms"
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_survives_a_command_that_kills_its_supervisor() {
    let env = WorkerEnv::new().await;
    let actions = leaves_processes("kill -KILL $PPID");
    let mut worker = env.unprivileged_process(&actions, |_| {});
    let job = env.run("escape", &json!({})).await;
    assert_eq!(processes_of(job.id), [0; 0], "they are gone before the outcome is recorded");
    assert_eq!((job.status, job.exception.unwrap().kind.as_str()), (Status::Error, "Signal"));
    worker.kill().await.unwrap();

    // As root, the worker has a cgroup for each run, if the machine has cgroup v2.
    let mut worker = env.process(&actions);
    let job = env.run("escape", &json!({})).await;
    assert_eq!(processes_of(job.id), [0; 0], "they are gone before the outcome is recorded");
    worker.kill().await.unwrap();
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_stops_a_command_that_has_stopped_its_supervisor() {
    let env = WorkerEnv::new().await;
    let mut worker = env.unprivileged_process(&leaves_processes("kill -STOP $PPID"), |_| {});
    let id = env.submit("escape", &json!({})).await;
    env.logged(id, 1).await;
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(id).await.status, Status::Cancel);
    assert_eq!(processes_of(id), [0; 0]);
    worker.kill().await.unwrap();
    env.close().await;
}

/// Forks until there are this many processes, each in a session of its own, and then kills its
/// supervisor.
const FORKS: &str = r#"
    [actions.forks]
    argv = ["python3", "-c", '''
import os, signal, sys, time

supervisor = os.getppid()
ready, done = os.pipe()
for level in range(6):
    if os.fork() == 0:
        os.setsid()
os.write(done, b".")
if os.getppid() == supervisor:
    for _ in range(64):
        os.read(ready, 1)
    print("64 processes", flush=True)
    os.kill(supervisor, signal.SIGKILL)
time.sleep(1000)
''']
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_survives_a_command_that_forks_again_and_again() {
    let env = WorkerEnv::new().await;
    let mut worker = env.unprivileged_process(FORKS, |_| {});
    let job = env.run("forks", &json!({})).await;
    assert_eq!(env.log(job.id).await, ["stdout: 64 processes"]);
    assert_eq!(processes_of(job.id), [0; 0]);
    worker.kill().await.unwrap();
    env.close().await;
}

/// Puts pipes and links where workers keep their directories.
const PLANTS: &str = r#"
    [actions.plant]
    argv = ["sh", "-c", '''
        cd "$TMPDIR/../.."
        mkdir capstan-worker-pipe capstan-worker-link
        mkfifo capstan-worker-pipe/lock
        touch kept
        ln -s "$PWD/kept" capstan-worker-link/lock
        ln -s "$PWD" capstan-worker-directory
        ''']
    [actions.swap]
    argv = ["sh", "-c", '''
        rm "$TMPDIR/../lock"; mkfifo "$TMPDIR/../lock"
        echo "/proc/$PPID"
        sleep 1000
        ''']
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_starts_whatever_commands_have_put_in_its_temporary_directory() {
    let env = WorkerEnv::new().await;
    let mut worker = env.unprivileged_process(PLANTS, |_| {});
    env.succeed("plant", &json!({})).await;
    // The supervisor of a killed worker looks at the lock too.
    let swap = env.submit("swap", &json!({})).await;
    let supervisor = env.logged(swap, 1).await[0].replace("stdout: ", "");
    worker.kill().await.unwrap();
    let gone = async || !Path::new(&supervisor).exists();
    env.eventually("the supervisor has exited", gone).await;

    let mut next = env.unprivileged_process(PLANTS, |_| {});
    env.succeed("noop", &json!({})).await;
    let left = entries(&env.temporary());
    assert!(left.contains(&"kept".to_owned()), "{left:?}");
    next.kill().await.unwrap();
    // The same for a worker that shares the directory with others, and for its own user.
    fs::create_dir(env.temporary().join("capstan-worker-own")).unwrap();
    mkfifo(&env.temporary().join("capstan-worker-own/lock"), Mode::S_IRWXU).unwrap();
    let own = env.worker(PLANTS);
    env.succeed("noop", &json!({})).await;
    own.stop().await;
    env.close().await;
}

/// Says which user it is, and tries to read the worker's secret and to signal the worker.
const AS_JOB_USER: &str = r#"
    [actions.who]
    argv = ["sh", "-c", '''
        id -u; id -g; id -G
        [ "$HOME" = "$TMPDIR" ] && echo "private home"
        cat "$0" 2>/dev/null || echo "secret denied"
        kill -0 $PPID 2>/dev/null || echo "signal denied"
        mkdir -m 1777 sticky && mkdir -m 700 sticky/private && touch sticky/private/file
        echo '{"percent": 50}' >"$JOB_PROGRESS"
        echo 7 >"$JOB_RESULT"
        ''', "{{secret}}"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_as_the_job_user_or_the_worker_does_not_start() {
    let env = WorkerEnv::new().await;
    let job_user = "--job-user=65533:65532";
    let refused = env.unprivileged_process(AS_JOB_USER, |command| {
        command.arg(job_user).stderr(Stdio::piped());
    });
    let refused = refused.wait_with_output().await.unwrap();
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(message.contains("invalid CAPSTAN_JOB_USER: this worker lacks CAP_"), "{message}");
    if geteuid().is_root() {
        commands_run_as(&env, job_user).await;
        eprintln!("tested with a worker that runs as root");
    } else {
        eprintln!("tested only that the worker does not start, because the test is not root");
    }
    env.close().await;
}

async fn commands_run_as(env: &WorkerEnv, job_user: &str) {
    let secret = env.directory.join("secret");
    fs::write(&secret, "password").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut flags = env.flags(AS_JOB_USER);
    flags.push(job_user.to_owned());
    let worker = env.worker_with(&flags);
    let job = env.succeed("who", &json!({"secret": secret})).await;
    let expected = ["65533", "65532", "65532", "private home", "secret denied", "signal denied"];
    assert_eq!(env.log(job.id).await, expected.map(|line| format!("stdout: {line}")));
    assert_eq!(job.result, Some(json!(7)));
    worker.stop().await;
    assert_eq!(entries(&env.temporary()), [""; 0], "what the job left behind is removed");
}
