//! One child process.

use std::time::Duration;

use devserver::{Error, Log, Probe, Process, free_port};
use nix::sys::signal::Signal;

use crate::{Folder, eventually, is_alive, shell};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_is_reported_with_its_status() {
    let folder = Folder::new("ends");
    let log = Log::File(folder.path().join("log"));
    let probe = Probe::listens(free_port().unwrap());
    let command = shell("echo one; echo two >&2; exit 3");
    let mut process = Process::new("short", command, log.clone()).with_probe(probe);
    let error = process.start().await.unwrap_err();
    assert_eq!(error.to_string(), "short ended unexpectedly (exit status: 3)");
    assert_eq!(error.process(), Some("short"));
    assert_eq!(log.tail(1), ["two"]);
    assert_eq!(log.tail(20), ["one", "two"]);
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let command = std::process::Command::new("/no/such/program");
    let mut process = Process::new("missing", command, Log::Inherit);
    let error = process.spawn().unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert_eq!(error.to_string(), "cannot start missing (/no/such/program)");
}

#[tokio::test]
async fn a_process_is_stopped_with_sigterm_and_can_be_started_again() {
    let command = shell("trap 'exit 7' TERM; while :; do sleep 0.01; done");
    let mut process = Process::new("polite", command, Log::Inherit);
    for _ in 0..2 {
        process.spawn().unwrap();
        let pid = process.id().unwrap();
        eventually("it handles SIGTERM", || handles_sigterm(pid));
        let status = process.stop(GRACE).await.unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(7));
        assert!(!is_alive(pid));
        assert_eq!(process.id(), None);
    }
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed() {
    let mut process =
        Process::new("stubborn", shell("trap '' TERM; while :; do sleep 0.01; done"), Log::Inherit);
    process.spawn().unwrap();
    let pid = process.id().unwrap();
    eventually("it ignores SIGTERM", || ignores_sigterm(pid));
    assert_eq!(process.stop(Duration::from_millis(1)).await.unwrap(), None);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn dropping_a_process_kills_it_even_when_it_is_frozen() {
    let mut process = Process::new("frozen", shell("exec sleep 1000"), Log::Inherit);
    process.spawn().unwrap();
    let pid = process.id().unwrap();
    process.signal(Signal::SIGSTOP).unwrap();
    drop(process);
    assert!(!is_alive(pid));
}

#[test]
fn a_process_dies_with_the_thread_that_started_it() {
    let pid = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let mut process = Process::new("orphan", shell("exec sleep 1000"), Log::Inherit);
        process.spawn().unwrap();
        let pid = process.id().unwrap();
        std::mem::forget(process);
        pid
    });
    let pid = pid.join().unwrap();
    eventually("the kernel kills it", || !is_alive(pid));
}

fn handles_sigterm(pid: u32) -> bool {
    has_sigterm(pid, "SigCgt:")
}

fn ignores_sigterm(pid: u32) -> bool {
    has_sigterm(pid, "SigIgn:")
}

fn has_sigterm(pid: u32, mask: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(mask));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (Signal::SIGTERM as u32 - 1)) != 0
}
