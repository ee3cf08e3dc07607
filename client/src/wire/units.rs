//! Capacity, as units by type.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Units of capacity by type. Displayed as `cpu=2,scan=1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Units(BTreeMap<String, u64>);

impl Units {
    /// Returns the units of one type; 0 when there are none.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Returns each type with its units, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, units)| (name.as_str(), *units))
    }

    /// Returns the same units with those of one type changed.
    #[must_use]
    pub fn with(mut self, name: &str, units: u64) -> Units {
        self.0.insert(name.to_owned(), units);
        self
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, units)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{name}={units}")?;
        }
        Ok(())
    }
}
