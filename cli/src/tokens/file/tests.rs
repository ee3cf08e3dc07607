//! Creating, reading and deleting tokens in their file, also concurrently.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use domain::job::WorkerId;

use super::*;

struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        let path = std::env::temp_dir().join(format!("capstan-test-{}", WorkerId::random()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn owner(name: &str) -> Owner {
    name.parse().unwrap()
}

fn find(path: &Path, secret: &str) -> Option<String> {
    read(path).unwrap().find(secret).map(|entry| format!("{} {}", entry.owner, entry.role))
}

#[test]
fn a_token_is_valid_until_it_is_deleted_and_its_file_holds_only_a_hash() {
    let directory = Directory::new();
    let path = directory.0.join("tokens");
    std::fs::write(&path, "# comment").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let ci = add(&path, &owner("ci"), Role::Operator).unwrap();
    let eve = add(&path, &owner("ci2"), Role::Viewer).unwrap();
    assert_eq!(find(&path, ci.reveal()).as_deref(), Some("ci operator"));
    assert_eq!(add(&path, &owner("ci"), Role::Admin).err().unwrap().exit_code(), 2);
    assert!(delete(&path, &owner("ci")).unwrap());
    assert!(!delete(&path, &owner("ci")).unwrap());
    assert_eq!(find(&path, ci.reveal()), None);
    assert_eq!(find(&path, eve.reveal()).as_deref(), Some("ci2 viewer"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# comment\nci2 viewer sha256:"), "{text}");
    assert!(!text.contains(eve.reveal().trim_start_matches("capstan_")), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_new_file_is_private_and_an_invalid_file_is_not_changed() {
    let directory = Directory::new();
    let path = directory.0.join("tokens");
    assert!(delete(&path, &owner("ci")).is_err());
    assert!(!path.exists());
    add(&path, &owner("ci"), Role::Viewer).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "nonsense\n").unwrap();
    for error in [
        add(&path, &owner("ci"), Role::Viewer).err().unwrap(),
        replace(&path, &owner("ci"), Role::Viewer).err().unwrap(),
        delete(&path, &owner("ci")).err().unwrap(),
    ] {
        assert!(error.to_string().contains("is not a valid tokens file: line 1"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "nonsense\n");
}

#[test]
fn concurrent_changes_are_all_kept() {
    let directory = Directory::new();
    let path = directory.0.join("tokens");
    std::thread::scope(|scope| {
        for index in 0..20 {
            let path = &path;
            scope.spawn(move || add(path, &owner(&format!("ci{index}")), Role::Viewer).unwrap());
        }
    });
    assert_eq!(read(&path).unwrap().entries().len(), 20);
}
