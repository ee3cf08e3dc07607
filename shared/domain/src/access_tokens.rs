//! Access tokens of the API: the tokens file, which `capstan token` writes and the API reads.
//!
//! A line is `name role sha256:hash`. The file contains hashes, not tokens. SHA-256 is sufficient:
//! slow hashes such as Argon2 protect passwords that people choose, but a token is 256 random bits
//! and cannot be guessed. A check therefore takes a microsecond, and requests with wrong tokens
//! cannot exhaust the processor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Begins every token, so that people and secret scanners recognise one.
const PREFIX: &str = "capstan_";
const HASH_PREFIX: &str = "sha256:";
const TOKEN_BYTES: usize = 32;
const MAX_NAME_LENGTH: usize = 64;
/// The owner that is shown for requests without a token; reserved.
const ANONYMOUS: &str = "unknown";

/// The permissions of a token. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything but the audit log and subscriptions.
    Viewer,
    /// Submits, cancels, retries and deletes jobs; clears locks; pauses queues; runs crons; drains
    /// workers; tests subscriptions.
    Operator,
    /// Changes crons, capacity, action configs, settings and permits; reads the audit log; reads
    /// and changes subscriptions.
    Admin,
}

impl Role {
    /// Every role, the least powerful first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// The word.
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
        role.ok_or("the role must be viewer, operator or admin")
    }
}

/// The owner of a token. Jobs show it as `scheduledBy`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(String);

impl Owner {
    /// The owner in the examples of the documentation.
    #[must_use]
    pub fn example() -> Owner {
        Owner("ci".to_owned())
    }

    /// The name as text.
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
        if text.is_empty() || text.len() > MAX_NAME_LENGTH || !text.chars().all(plain) {
            return Err("the name must be 1 to 64 characters of A-Z a-z 0-9 _ . - @");
        }
        if text == ANONYMOUS {
            return Err("the name \"unknown\" is reserved for requests without a token");
        }
        Ok(Owner(text.to_owned()))
    }
}

/// A token in plain text. It is shown once, when it is created, and not stored.
pub struct AccessToken(String);

impl AccessToken {
    /// Returns a new token of 256 random bits from the operating system.
    pub fn random() -> std::io::Result<AccessToken> {
        Ok(AccessToken(format!("{PREFIX}{}", random_password()?)))
    }

    /// The text that clients send.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Returns 256 random bits in hexadecimal, for a password between services.
pub fn random_password() -> std::io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(hex(&bytes))
}

/// A line of the tokens file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenEntry {
    /// The owner of the token.
    pub owner: Owner,
    /// The permissions of the token.
    pub role: Role,
    hash: [u8; TOKEN_BYTES],
}

impl AccessTokenEntry {
    /// Returns the entry for a token.
    #[must_use]
    pub fn new(owner: Owner, role: Role, secret: &AccessToken) -> AccessTokenEntry {
        AccessTokenEntry { owner, role, hash: hash(secret.reveal()) }
    }
}

impl fmt::Display for AccessTokenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {HASH_PREFIX}{}", self.owner, self.role, hex(&self.hash))
    }
}

impl FromStr for AccessTokenEntry {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<AccessTokenEntry, Self::Err> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [owner, role, hash] = words[..] else {
            return Err("a line must be: name role sha256:hash");
        };
        let hash = hash.strip_prefix(HASH_PREFIX).and_then(unhex);
        let hash = hash.ok_or("the hash must be sha256: followed by 64 hexadecimal digits")?;
        Ok(AccessTokenEntry { owner: owner.parse()?, role: role.parse()?, hash })
    }
}

/// A line that is not valid. The error does not repeat it, because it may contain a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct InvalidTokenLine {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with the line.
    pub why: &'static str,
}

/// The contents of the tokens file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessTokens(Vec<AccessTokenEntry>);

impl AccessTokens {
    /// The entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[AccessTokenEntry] {
        &self.0
    }

    /// Returns the entry of a token. It compares every hash in full, so that the time reveals
    /// nothing about the hashes.
    #[must_use]
    pub fn find(&self, sent: &str) -> Option<&AccessTokenEntry> {
        let sent = hash(sent);
        let mut found = None;
        for entry in &self.0 {
            if bool::from(entry.hash.ct_eq(&sent)) {
                found = Some(entry);
            }
        }
        found
    }

    /// Returns true if the token of an entry is still there, with at least this role.
    #[must_use]
    pub fn still_allow(&self, entry: &AccessTokenEntry, role: Role) -> bool {
        self.0.iter().any(|one| one.hash == entry.hash && one.role >= role)
    }
}

impl FromStr for AccessTokens {
    type Err = InvalidTokenLine;

    /// Ignores empty lines and comments, which begin with `#`.
    fn from_str(text: &str) -> Result<AccessTokens, InvalidTokenLine> {
        let mut entries: Vec<AccessTokenEntry> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if is_blank_or_comment(line) {
                continue;
            }
            let bad = |why| InvalidTokenLine { line: at + 1, why };
            let entry: AccessTokenEntry = line.parse().map_err(bad)?;
            if entries.iter().any(|other| other.owner == entry.owner) {
                return Err(bad("the name is already in use"));
            }
            entries.push(entry);
        }
        Ok(AccessTokens(entries))
    }
}

/// Returns true for a line without an entry.
#[must_use]
pub fn is_blank_or_comment(line: &str) -> bool {
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
