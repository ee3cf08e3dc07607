//! Real files of this machine for part two, and their digests by a program that is not Capstan's.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// Where files are taken from: not where containers of one image differ, as they do in /etc.
pub(super) const ROOTS: [&str; 2] = ["/usr/bin", "/usr/lib"];
const LARGEST: u64 = 5 << 20;
/// Paths that one call of `sha256sum` is given.
const CHUNK: usize = 64;

/// Up to `count` files: regular, for everybody to read, not empty, up to 5 MiB, with a plain path;
/// distinct and sorted, evenly from all roots.
pub(super) fn pick(roots: &[&str], count: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in roots {
        let most = found.len() + count;
        gather(Path::new(root), most, &mut found);
    }
    found.sort();
    found.dedup();
    let have = found.len();
    if have > count {
        found = (0..count).map(|index| found[index * have / count].clone()).collect();
    }
    found
}

/// Adds files under a folder until there are `most`, in the order of their names. Follows no links.
fn gather(folder: &Path, most: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if found.len() >= most {
            return;
        }
        let Ok(about) = path.symlink_metadata() else { continue };
        let mode = about.permissions().mode();
        if about.is_dir() && mode & 0o005 == 0o005 {
            gather(&path, most, found);
        } else if about.is_file()
            && mode & 0o004 != 0
            && (1..=LARGEST).contains(&about.len())
            && is_plain(&path)
            && File::open(&path).is_ok()
        {
            found.push(path);
        }
    }
}

/// `sha256sum` prints such a path as it is.
fn is_plain(path: &Path) -> bool {
    path.to_str().is_some_and(|path| {
        path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && path.len() < 200
    })
}

/// What `sha256sum` prints for each file, in their order. Takes its time: not for an async thread.
pub(super) fn digest_lines(files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::with_capacity(files.len());
    for some in files.chunks(CHUNK) {
        let ran = Command::new("sha256sum").arg("--").args(some).stdin(Stdio::null()).output();
        let ran = ran.context("cannot run sha256sum")?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "sha256sum failed: {}", said.trim());
        let text = String::from_utf8(ran.stdout).context("sha256sum printed no text")?;
        let before = lines.len();
        lines.extend(text.lines().map(str::to_owned));
        ensure!(lines.len() - before == some.len(), "sha256sum printed a wrong number of lines");
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_distinct_sorted_plain_and_their_digests_are_in_order() {
        let files = pick(&["/usr/bin", "/etc", "/etc", "/no/such/folder"], 70);
        assert!(!files.is_empty() && files.len() <= 70);
        assert!(files.is_sorted_by(|a, b| a < b));
        assert!(files.iter().all(|file| is_plain(file) && file.is_file() && !file.is_symlink()));
        let lines = digest_lines(&files).unwrap();
        for (file, line) in files.iter().zip(&lines) {
            let (digest, path) = line.split_once("  ").unwrap();
            assert_eq!((digest.len(), path), (64, file.to_str().unwrap()));
        }
    }

    #[test]
    fn a_path_that_sha256sum_would_escape_is_not_plain() {
        assert!(is_plain(Path::new("/usr/bin/[")));
        for path in ["/a b", "/a\\b", "/a\nb", "/ä"] {
            assert!(!is_plain(Path::new(path)), "{path}");
        }
    }
}
