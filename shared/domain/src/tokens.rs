//! Who may do what: the lines of the tokens file, which `capstan token` writes and the API reads. Pure: values in,
//! values out.
//!
//! A line is `name role sha256:hash`. The file holds no token, only hashes, and SHA-256 is enough for those: slow
//! hashes (Argon2, bcrypt) make it dear to guess what people think of, while our tokens are 256 random bits, which
//! nobody guesses at any price. So each request costs a microsecond, and wrong ones cannot be used to keep us busy.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What tokens begin with, so that people and scanners of leaked secrets know one when they see it.
const MARK: &str = "capstan_";
const HASH_MARK: &str = "sha256:";
const TOKEN_BYTES: usize = 32;
const LONGEST_NAME: usize = 64;
/// Who asks where nobody has to say who they are; no token may be called so.
const NOBODY: &str = "unknown";

/// What the owner of a token may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Submits, cancels, retries, deletes jobs, clears locks, pauses queues, runs crons, drains workers, tries
    /// subscriptions.
    Operator,
    /// Changes crons, capacity, configs, settings, permits; reads the audit; reads and changes subscriptions.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Role, Self::Err> {
        let role = Role::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or("a role is viewer, operator or admin")
    }
}

/// The name of a token's owner; what jobs show as `scheduledBy`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(String);

impl Owner {
    /// One for examples.
    #[must_use]
    pub fn example() -> Owner {
        Owner("ci".to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Owner {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Owner, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '@');
        if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(plain) {
            return Err("a name is 1 to 64 characters of A-Z a-z 0-9 _ . - @");
        }
        if text == NOBODY {
            return Err("\"unknown\" is what is shown of those who have no token");
        }
        Ok(Owner(text.to_owned()))
    }
}

/// A token itself: shown once, when it is made, and kept nowhere.
pub struct Secret(String);

impl Secret {
    /// A new one, of 256 bits from the system's source of randomness.
    pub fn random() -> std::io::Result<Secret> {
        Ok(Secret(format!("{MARK}{}", password()?)))
    }

    /// The text that its owner sends.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A password for a machine: 256 random bits, as text.
pub fn password() -> std::io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(hex(&bytes))
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose token it is.
    pub owner: Owner,
    /// What it may do.
    pub role: Role,
    hash: [u8; TOKEN_BYTES],
}

impl Entry {
    /// The line for a token.
    #[must_use]
    pub fn new(owner: Owner, role: Role, secret: &Secret) -> Entry {
        Entry { owner, role, hash: hash(secret.reveal()) }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {HASH_MARK}{}", self.owner, self.role, hex(&self.hash))
    }
}

impl FromStr for Entry {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Entry, Self::Err> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [owner, role, hash] = words[..] else { return Err("a line is: name role sha256:hash") };
        let hash = hash.strip_prefix(HASH_MARK).and_then(unhex);
        let hash = hash.ok_or("a hash is sha256: and 64 hexadecimal digits")?;
        Ok(Entry { owner: owner.parse()?, role: role.parse()?, hash })
    }
}

/// A line that is none. It does not say what stands there: somebody may have written a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// Which one, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// All that the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Entry>);

impl Tokens {
    /// The lines, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The line of whoever sent this text. Every hash is compared to its end, whatever the others said: how long it
    /// takes tells nothing.
    #[must_use]
    pub fn find(&self, sent: &str) -> Option<&Entry> {
        let sent = hash(sent);
        let mut found = None;
        for entry in &self.0 {
            if bool::from(entry.hash.ct_eq(&sent)) {
                found = Some(entry);
            }
        }
        found
    }
}

impl FromStr for Tokens {
    type Err = BadLine;

    /// Empty lines, and those that begin with `#`, say nothing.
    fn from_str(text: &str) -> Result<Tokens, BadLine> {
        let mut entries: Vec<Entry> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if is_silent(line) {
                continue;
            }
            let bad = |why| BadLine { line: at + 1, why };
            let entry: Entry = line.parse().map_err(bad)?;
            if entries.iter().any(|other| other.owner == entry.owner) {
                return Err(bad("the name is there already"));
            }
            entries.push(entry);
        }
        Ok(Tokens(entries))
    }
}

/// True for a line that says nothing.
#[must_use]
pub fn is_silent(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn hash(text: &str) -> [u8; TOKEN_BYTES] {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; TOKEN_BYTES]> {
    let mut bytes = [0; TOKEN_BYTES];
    if text.len() != 2 * TOKEN_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
