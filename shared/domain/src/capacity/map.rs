//! Whole units by type.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{CapacityError, MAX_TYPE_LENGTH, MAX_TYPES, MAX_UNITS, excerpt};

/// The type that every worker offers and that a job needs if it names none.
pub const DEFAULT_TYPE: &str = "default";

/// The units of [`DEFAULT_TYPE`] that a worker offers by default.
pub const DEFAULT_UNITS: u32 = 16;

/// Whole units by type, such as `{"scan": 1, "cpu": 2}`. Every name and number in it is valid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, i64>", into = "BTreeMap<String, u32>")]
pub struct CapacityMap(BTreeMap<String, u32>);

impl CapacityMap {
    /// The units of one type; 0 if the map does not name it.
    #[must_use]
    pub fn units(&self, name: &str) -> u32 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The types and their units, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, units)| (name.as_str(), *units))
    }

    /// The types with at least one unit, and their units.
    pub fn units_by_type(&self) -> impl Iterator<Item = (String, u32)> + use<> {
        self.0.clone().into_iter().filter(|(_, units)| *units > 0)
    }

    /// Returns how many times `need` fits into this map, considering every type.
    #[must_use]
    pub fn fits(&self, need: &CapacityMap) -> u32 {
        let times = need.iter().filter(|(_, units)| *units > 0);
        times.map(|(name, units)| self.units(name) / units).min().unwrap_or(u32::MAX)
    }

    /// Subtracts `need` `times` times. Returns false and changes nothing if it does not fit.
    pub fn take(&mut self, need: &CapacityMap, times: u32) -> bool {
        if times > 0 && self.fits(need) < times {
            return false;
        }
        for (name, units) in need.iter() {
            if let Some(have) = self.0.get_mut(name) {
                *have -= units * times;
            }
        }
        true
    }

    /// Adds `need` `times` times.
    pub fn give(&mut self, need: &CapacityMap, times: u32) {
        for (name, units) in need.iter() {
            *self.0.entry(name.to_owned()).or_default() += units * times;
        }
    }

    /// Returns this map less `reserved`, with a minimum of 0 per type.
    #[must_use]
    pub fn without(&self, reserved: &CapacityMap) -> CapacityMap {
        let left = self
            .iter()
            .map(|(name, units)| (name.to_owned(), units.saturating_sub(reserved.units(name))));
        CapacityMap(left.collect())
    }

    /// Returns true if both maps have units of the same type.
    #[must_use]
    pub fn shares_a_type_with(&self, other: &CapacityMap) -> bool {
        self.iter().any(|(name, units)| units > 0 && other.units(name) > 0)
    }

    /// Returns this map with the units of `changes` in place of its own. A type with 0 units is
    /// left out.
    pub fn changed(&self, changes: &CapacityMap) -> Result<CapacityMap, CapacityError> {
        let mut map = self.0.clone();
        map.extend(changes.0.clone());
        map.retain(|name, units| *units > 0 || name == DEFAULT_TYPE);
        if map.len() > MAX_TYPES {
            return Err(CapacityError::TooMany);
        }
        Ok(CapacityMap(map))
    }

    /// Adds the `default` type, which every worker offers, if the map does not name it.
    #[must_use]
    pub fn with_default(mut self) -> CapacityMap {
        self.0.entry(DEFAULT_TYPE.to_owned()).or_insert(DEFAULT_UNITS);
        self
    }
}

impl TryFrom<BTreeMap<String, i64>> for CapacityMap {
    type Error = CapacityError;

    fn try_from(raw: BTreeMap<String, i64>) -> Result<Self, CapacityError> {
        if raw.len() > MAX_TYPES {
            return Err(CapacityError::TooMany);
        }
        let mut map = BTreeMap::new();
        for (name, units) in raw {
            let units = u32::try_from(units).ok().filter(|units| *units <= MAX_UNITS);
            let units = units.ok_or_else(|| CapacityError::Units(excerpt(&name)))?;
            map.insert(valid_type(&name)?, units);
        }
        Ok(CapacityMap(map))
    }
}

impl From<CapacityMap> for BTreeMap<String, u32> {
    fn from(map: CapacityMap) -> Self {
        map.0
    }
}

/// Parses `scan=1,cpu=2`, the form of settings. The empty text is the empty map.
impl FromStr for CapacityMap {
    type Err = CapacityError;

    fn from_str(text: &str) -> Result<Self, CapacityError> {
        parse(text, ',')
    }
}

impl fmt::Display for CapacityMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, units)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{name}={units}")?;
        }
        Ok(())
    }
}

/// Parses entries of the form `type=units`.
pub(super) fn parse(text: &str, separator: char) -> Result<CapacityMap, CapacityError> {
    let mut raw = BTreeMap::new();
    for entry in text.split(separator).map(str::trim).filter(|entry| !entry.is_empty()) {
        let pair = entry.split_once('=').ok_or_else(|| CapacityError::Entry(excerpt(entry)))?;
        let (name, units) = (pair.0.trim().to_owned(), pair.1.trim());
        let units: u32 = units.parse().map_err(|_| CapacityError::Units(excerpt(&name)))?;
        if raw.insert(name.clone(), i64::from(units)).is_some() {
            return Err(CapacityError::Twice(excerpt(&name)));
        }
    }
    CapacityMap::try_from(raw)
}

fn valid_type(name: &str) -> Result<String, CapacityError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || name.len() > MAX_TYPE_LENGTH || !name.chars().all(plain) {
        return Err(CapacityError::Type(excerpt(name)));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn map(text: &str) -> CapacityMap {
        text.parse().unwrap()
    }

    fn check_refused(text: &str, expected: &Expect) {
        expected.assert_eq(&text.parse::<CapacityMap>().unwrap_err().to_string());
    }

    #[test]
    fn an_error_names_the_type_and_the_rule() {
        check_refused("scan", &expect![[r#""scan" is not of the form type=units"#]]);
        check_refused(
            "s c=1",
            &expect![[r#"capacity type "s c" must be 1 to 32 characters of A-Z a-z 0-9 _ . -"#]],
        );
        check_refused(
            "scan=-1",
            &expect![[r#"units of "scan" must be a whole number from 0 to 1000000"#]],
        );
        check_refused(
            "scan=1000001",
            &expect![[r#"units of "scan" must be a whole number from 0 to 1000000"#]],
        );
        check_refused("a=1,a=2", &expect![[r#"capacity type "a" is given twice"#]]);
        let json = serde_json::from_str::<CapacityMap>(r#"{"a":1.5}"#);
        assert!(json.is_err());
    }

    #[test]
    fn a_need_fits_as_often_as_its_scarcest_type_allows() {
        let cases = [
            ("cpu=4,scan=1", "cpu=2", 2),
            ("cpu=4,scan=1", "cpu=1,scan=1", 1),
            ("cpu=4", "gpu=1", 0),
            ("cpu=4", "cpu=5", 0),
        ];
        for (have, need, times) in cases {
            assert_eq!(map(have).fits(&map(need)), times, "{need} in {have}");
        }
    }

    proptest! {
        #[test]
        fn taking_and_giving_back_leaves_the_map_unchanged(
            have in prop::collection::btree_map("[a-d]", 0i64..20, 0..4),
            need in prop::collection::btree_map("[a-d]", 0i64..5, 0..3),
            times in 0u32..5,
        ) {
            let before = CapacityMap::try_from(have).unwrap();
            let need = CapacityMap::try_from(need).unwrap();
            let mut after = before.clone();
            if after.take(&need, times) {
                prop_assert!(times == 0 || before.fits(&need) >= times);
                after.give(&need, times);
                for (name, units) in before.iter() {
                    prop_assert_eq!(after.units(name), units);
                }
            } else {
                prop_assert_eq!(after, before);
            }
        }
    }
}
