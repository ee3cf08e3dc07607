//! Query parameters. An unknown, repeated or invalid one is refused by name. An empty value counts
//! as absent, because generated clients send `?action=&worker=`.

use std::fmt::Display;
use std::str::FromStr;

use domain::job::{GoDuration, Timestamp};

use crate::error::{Error, unknown_name};

/// Redis counts positions in a list with signed 32-bit numbers.
pub(crate) const MAX_START: u32 = i32::MAX as u32;

/// The parameters that may be given several times.
const REPEATABLE: [&str; 1] = ["label"];

/// The parameters of a request: each is known, and given once unless it is repeatable.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the query of a URL; only the parameters in `known` are accepted.
    pub(crate) fn read(raw: Option<&str>, known: &[&str]) -> Result<Query, Error> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let why = unknown_name("query parameter", &name, known);
                return Err(Error::invalid(name.chars().take(64).collect::<String>(), why));
            }
            let is_repeatable = REPEATABLE.contains(&name.as_ref());
            if !is_repeatable && found.iter().any(|(before, _)| *before == name) {
                return Err(Error::invalid(name, "it must not be given twice"));
            }
            found.push((name.into_owned(), value.into_owned()));
        }
        Ok(Query(found))
    }

    /// Returns a query of these parameters, each of which is known.
    pub(crate) fn of(given: impl IntoIterator<Item = (&'static str, String)>) -> Query {
        Query(given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Returns a parameter as text; `None` if it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Parses a parameter.
    pub(crate) fn value<T>(&self, name: &str) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: Display>,
    {
        let value = self.text(name).map(str::parse).transpose();
        value.map_err(|error| Error::invalid(name, error))
    }

    /// Parses each value of a parameter that may be given several times.
    pub(crate) fn values<T>(&self, name: &str) -> Result<Vec<T>, Error>
    where
        T: FromStr<Err: Display>,
    {
        let given = self.0.iter().filter(|(given, value)| given == name && !value.is_empty());
        let values = given.map(|(_, value)| value.parse());
        values.map(|value| value.map_err(|error| Error::invalid(name, error))).collect()
    }

    /// Parses a parameter for which `any` means absent.
    pub(crate) fn value_unless_any<T>(&self, name: &str) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: Display>,
    {
        if self.text(name) == Some("any") { Ok(None) } else { self.value(name) }
    }

    /// Parses a whole number from 0 to `max`.
    pub(crate) fn number(&self, name: &str, max: u32) -> Result<Option<u32>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| *number <= max);
        let short: String = text.chars().take(32).collect();
        let why = || format!("{short:?} is not a whole number from 0 to {max}");
        number.map(Some).ok_or_else(|| Error::invalid(name, why()))
    }

    /// Reads `start`, which defaults to 0, and `limit`, which defaults to `default` and is at most
    /// `max`.
    pub(crate) fn page(&self, default: u32, max: u32) -> Result<(usize, usize), Error> {
        let start = self.number("start", MAX_START)?.unwrap_or(0);
        let limit = self.number("limit", max)?.unwrap_or(default);
        Ok((start as usize, limit as usize))
    }

    /// Parses a boolean, with the spellings of Go's `strconv.ParseBool`.
    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.text(name) {
            None => Ok(None),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Some(true)),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Some(false)),
            Some(text) => {
                let short: String = text.chars().take(32).collect();
                Err(Error::invalid(name, format!("{short:?} is not a boolean: use true or false")))
            }
        }
    }
}

/// Parses a parameter that is a time, or how long ago it was.
pub(crate) fn moment(
    query: &Query,
    name: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let Some(text) = query.text(name) else { return Ok(None) };
    let age = || Some(text.parse::<GoDuration>().ok()?.duration()?.as_millis());
    let ago = |ms: u128| Timestamp::from_ms(now.ms() - i64::try_from(ms).unwrap_or(i64::MAX));
    let time = text.parse().ok().or_else(|| age().map(ago));
    time.map(Some).ok_or_else(|| {
        let short: String = text.chars().take(64).collect();
        let why = "it must be RFC 3339, like 2026-11-20T16:30:00Z, or how long ago, like 90m";
        Error::invalid(name, format!("{short:?} is not a valid time: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["start", "running"];

    fn read(raw: &str) -> Result<Query, String> {
        Query::read(Some(raw), &KNOWN).map_err(|error| error.to_string())
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused_by_name() {
        let cases = [
            (
                "strat=1",
                "strat: unknown query parameter; did you mean start? \
                 expected one of: start, running",
            ),
            ("x%79=1", "xy: unknown query parameter; expected one of: start, running"),
            ("start=1&start=1", "start: it must not be given twice"),
            ("=1", ": unknown query parameter; expected one of: start, running"),
        ];
        for (raw, message) in cases {
            assert_eq!(read(raw).unwrap_err(), message, "{raw}");
        }
        assert!(read("").is_ok());
        assert!(read("&&start=1&").is_ok());
    }

    #[test]
    fn a_number_is_whole_and_within_its_bounds() {
        let cases = [
            ("", Ok(None)),
            ("start=", Ok(None)),
            ("start=0", Ok(Some(0))),
            ("start=7", Ok(Some(7))),
            ("start=8", Err(())),
            ("start=-1", Err(())),
            ("start=1.0", Err(())),
            ("start=99999999999999999999999999", Err(())),
            ("start=%ff", Err(())),
            ("start=%zz", Err(())),
        ];
        for (raw, expected) in cases {
            assert_eq!(read(raw).unwrap().number("start", 7).map_err(drop), expected, "{raw}");
        }
    }

    #[test]
    fn a_boolean_has_the_spellings_of_go() {
        for word in ["1", "t", "T", "true", "TRUE", "True"] {
            let query = read(&format!("running={word}")).unwrap();
            assert_eq!(query.switch("running"), Ok(Some(true)), "{word}");
        }
        for word in ["0", "f", "F", "false", "FALSE", "False"] {
            let query = read(&format!("running={word}")).unwrap();
            assert_eq!(query.switch("running"), Ok(Some(false)), "{word}");
        }
        assert!(read("running=yes").unwrap().switch("running").is_err());
        assert_eq!(read("running=").unwrap().switch("running"), Ok(None));
    }
}
