//! The folder of a run and the mark of its processes.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use devserver::{Error, MARK, Run};

use crate::{Folder, is_alive};

#[test]
fn a_folder_that_is_in_use_is_refused() {
    let folder = Folder::new("in-use");
    let run = Run::open(folder.path()).unwrap();
    let error = Run::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::FolderInUse { .. }));
    assert!(
        error.to_string().ends_with("is in use by another development server; stop that one first")
    );
    drop(run);
    Run::open(folder.path()).unwrap();
}

#[test]
fn a_temporary_folder_is_private_and_goes_with_the_run() {
    let run = Run::temporary().unwrap();
    let folder = run.folder().to_owned();
    let mode = folder.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(run);
    assert!(!folder.exists());
}

#[test]
fn what_a_process_left_behind_is_killed_at_the_end_of_the_run() {
    let run = Run::temporary().unwrap();
    let mut orphan = run.command("sleep").arg("1000").process_group(0).spawn().unwrap();
    assert!(is_alive(orphan.id()));
    drop(run);
    assert!(!is_alive(orphan.id()));
    orphan.wait().unwrap();
}

#[test]
fn a_sweep_kills_processes_of_abandoned_runs_only() {
    let live = Run::temporary().unwrap();
    let mut spared = live.command("sleep").arg("1000").spawn().unwrap();
    // Other processes may sweep as well, at any time.
    let dead = Folder::new("dead");
    let mut abandoned = Command::new("sleep");
    let mut abandoned = abandoned.arg("1000").env(MARK, dead.path()).spawn().unwrap();
    std::fs::write(dead.path().join("lock"), "").unwrap();

    Run::sweep();
    assert!(!is_alive(abandoned.id()));
    assert!(is_alive(spared.id()));
    drop(live);
    spared.wait().unwrap();
    abandoned.wait().unwrap();
}

#[test]
fn a_sweep_deletes_abandoned_temporary_folders_only() {
    let live = Run::temporary().unwrap();
    let name = format!("capstan-up-test-{}", std::process::id());
    let dead = live.folder().with_file_name(name);
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("lock"), "").unwrap();

    Run::sweep();
    assert!(!dead.exists());
    assert!(live.folder().exists());
}
