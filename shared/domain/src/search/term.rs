//! A term of a search, and how it is written.

use std::fmt;

use super::condition::Condition;

/// A condition that jobs must satisfy, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// True if jobs that satisfy the condition are left out.
    pub is_excluded: bool,
    /// The condition.
    pub condition: Condition,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_excluded {
            f.write_str("-")?;
        }
        let value = self.condition.value();
        write!(f, "{}:", self.condition.key())?;
        let is_plain = |c: char| !c.is_whitespace() && c != '"' && c != '\\';
        if !value.is_empty() && value.chars().all(is_plain) {
            return f.write_str(&value);
        }
        write!(f, "\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
