//! Files that hold secrets, or hashes of them: changed in one step, so that whoever reads one at
//! any time reads the old or the new one, and whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use shared::tokens::{Entry, Owner, Role, Secret, Tokens, is_silent};

use crate::failure::Failure;

/// Its owner alone reads it.
const PRIVATE: u32 = 0o600;

/// All tokens of a file.
pub(super) fn read(path: &Path) -> Result<Tokens, Failure> {
    Ok(tokens(path, &text(path)?)?)
}

/// Makes a token and adds its line; a file that is not there is made.
pub(crate) fn add(path: &Path, owner: &Owner, role: Role) -> Result<Secret, Failure> {
    change(path, |text| {
        if tokens(path, &text)?.entries().iter().any(|entry| entry.owner == *owner) {
            return Err(Failure::Usage(format!("{owner} has a token already: delete it first")));
        }
        with_new(text, owner, role)
    })
}

/// Makes a token for somebody whose old one, if there is one, is no longer good.
pub(crate) fn replace(path: &Path, owner: &Owner, role: Role) -> Result<Secret, Failure> {
    change(path, |text| {
        tokens(path, &text)?;
        with_new(without(&text, owner), owner, role)
    })
}

/// Deletes a token; false when there is none.
pub(super) fn delete(path: &Path, owner: &Owner) -> Result<bool, Failure> {
    read(path)?;
    change(path, |text| {
        let there = tokens(path, &text)?.entries().iter().any(|entry| entry.owner == *owner);
        Ok((without(&text, owner), there))
    })
}

/// Writes a file with this mode unless it is there; false when it was.
pub(crate) fn create(path: &Path, text: &str, mode: u32) -> Result<bool, Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        opened => opened.with_context(|| format!("cannot make {}", path.display()))?,
    };
    let set = file.set_permissions(Permissions::from_mode(mode));
    set.and_then(|()| (&file).write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn with_new(mut text: String, owner: &Owner, role: Role) -> Result<(String, Secret), Failure> {
    let secret = Secret::random().context("there is no randomness")?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{}\n", Entry::new(owner.clone(), role, &secret)));
    Ok((text, secret))
}

fn without(text: &str, owner: &Owner) -> String {
    let of_owner =
        |line: &str| !is_silent(line) && line.split_whitespace().next() == Some(owner.as_str());
    text.lines().filter(|line| !of_owner(line)).map(|line| format!("{line}\n")).collect()
}

fn tokens(path: &Path, text: &str) -> anyhow::Result<Tokens> {
    text.parse().with_context(|| format!("{} is no file of tokens", path.display()))
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Puts a changed text in the place of a file. Two at once wait for each other: the directory is
/// locked.
fn change<T>(
    path: &Path,
    change: impl FnOnce(String) -> Result<(String, T), Failure>,
) -> Result<T, Failure> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let lock = File::open(directory).and_then(|open| open.lock().map(|()| open));
    let lock = lock.with_context(|| format!("cannot change files in {}", directory.display()))?;
    let before = if path.exists() { text(path)? } else { String::new() };
    let mode = std::fs::metadata(path).map_or(PRIVATE, |about| about.permissions().mode() & 0o777);
    let (after, told) = change(before)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = directory.join(name);
    let _ = std::fs::remove_file(&new);
    create(&new, &after, mode)?;
    let renamed = std::fs::rename(&new, path).and_then(|()| lock.sync_all());
    renamed.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(told)
}
