//! The folder of a run and the mark of its processes.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use devserver::{Error, Run};

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
fn a_sweep_spares_what_belongs_to_a_live_run_and_removes_what_does_not() {
    let live = Run::temporary().unwrap();
    let mut spared = live.command("sleep").arg("1000").spawn().unwrap();

    // What is left of a run whose owner was killed: its folder, its processes, and no lock.
    let dead = Run::temporary().unwrap();
    let mut orphan = dead.command("sleep").arg("1000").spawn().unwrap();
    let folder = dead.folder().with_file_name(format!("capstan-up-test-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("lock"), "").unwrap();
    let mut abandoned = std::process::Command::new("sleep");
    let mut abandoned = abandoned.arg("1000").env(devserver::MARK, &folder).spawn().unwrap();

    assert!(Run::sweep());
    assert!(!is_alive(abandoned.id()));
    assert!(!folder.exists());
    assert!(is_alive(spared.id()) && is_alive(orphan.id()));
    drop((live, dead));
    for child in [&mut spared, &mut orphan, &mut abandoned] {
        child.wait().unwrap();
    }
}
