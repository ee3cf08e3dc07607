//! Changes files that hold secrets, or hashes of them, atomically: a reader always sees the whole
//! old or the whole new file.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use client::command::CommandError;
use domain::access_tokens::{
    AccessToken, AccessTokenEntry, AccessTokens, Owner, Role, is_blank_or_comment,
};

/// The mode of a file that only its owner may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// Reads the tokens in a file.
pub(super) fn read(path: &Path) -> Result<AccessTokens, CommandError> {
    Ok(parse(path, &text(path)?)?)
}

/// Creates a token and adds its line. Creates the file if it does not exist.
pub(super) fn add(path: &Path, owner: &Owner, role: Role) -> Result<AccessToken, CommandError> {
    change(path, |text| {
        if parse(path, &text)?.entries().iter().any(|entry| entry.owner == *owner) {
            let text = format!("{owner} already has a token: delete it first");
            return Err(CommandError::Usage(text));
        }
        with_new(text, owner, role)
    })
}

/// Creates a token and replaces the owner's old one, if there is one.
pub(crate) fn replace(path: &Path, owner: &Owner, role: Role) -> Result<AccessToken, CommandError> {
    change(path, |text| {
        parse(path, &text)?;
        with_new(without(&text, owner), owner, role)
    })
}

/// Deletes a token. Returns false if the owner has none.
pub(super) fn delete(path: &Path, owner: &Owner) -> Result<bool, CommandError> {
    read(path)?;
    change(path, |text| {
        let found = parse(path, &text)?.entries().iter().any(|entry| entry.owner == *owner);
        Ok((without(&text, owner), found))
    })
}

/// Creates a file with a mode. Returns false, and changes nothing, if it exists.
pub(crate) fn create(path: &Path, text: &str, mode: u32) -> Result<bool, CommandError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        opened => opened.with_context(|| format!("cannot create {}", path.display()))?,
    };
    // The mode of `open` is reduced by the umask.
    file.set_permissions(Permissions::from_mode(mode))
        .and_then(|()| (&file).write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn with_new(
    mut text: String,
    owner: &Owner,
    role: Role,
) -> Result<(String, AccessToken), CommandError> {
    let secret = AccessToken::random().context("cannot generate a token")?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{}\n", AccessTokenEntry::new(owner.clone(), role, &secret)));
    Ok((text, secret))
}

fn without(text: &str, owner: &Owner) -> String {
    let of_owner = |line: &str| {
        !is_blank_or_comment(line) && line.split_whitespace().next() == Some(owner.as_str())
    };
    text.lines().filter(|line| !of_owner(line)).map(|line| format!("{line}\n")).collect()
}

fn parse(path: &Path, text: &str) -> anyhow::Result<AccessTokens> {
    text.parse().with_context(|| format!("{} is not a valid tokens file", path.display()))
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Replaces the text of a file by what `edit` makes of it. A lock on the directory serializes
/// concurrent changes.
fn change<T>(
    path: &Path,
    edit: impl FnOnce(String) -> Result<(String, T), CommandError>,
) -> Result<T, CommandError> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let lock = File::open(directory).and_then(|open| open.lock().map(|()| open));
    let lock = lock.with_context(|| format!("cannot lock {}", directory.display()))?;
    let before = if path.exists() { text(path)? } else { String::new() };
    let mode = std::fs::metadata(path).map_or(PRIVATE, |data| data.permissions().mode() & 0o777);
    let (after, answer) = edit(before)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = directory.join(name);
    // An interrupted change may have left one.
    let _ = std::fs::remove_file(&new);
    create(&new, &after, mode)?;
    let renamed = std::fs::rename(&new, path).and_then(|()| lock.sync_all());
    renamed.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
