//! What must hold for any text at all that the parsers here are given. `./dev fuzz` looks for one for which it does not;
//! the tests below give them the seeds and what was found before. No service calls it.

use std::fmt::Display;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::access_tokens::AccessTokens;
use crate::capacity::{CapacityMap, Class};
use crate::cron::{CronName, Schedule, TimeZone};
use crate::job::{ActionName, GoDuration, JobId, Timestamp, WorkerId};
use crate::lock::{LockName, LockTemplates, Locks, MAX_LOCKS, MAX_PERMITS};

/// What is said of a text that is refused repeats only so much of it.
pub const MAX_ERROR_BYTES: usize = 1024;

/// A check and its name, which is that of its program and of the folder of its seeds.
pub type Check = (&'static str, fn(&[u8]));

/// All of them here.
pub const CHECKS: [Check; 5] = [
    ("cron_line", cron_line),
    ("capacity", capacity),
    ("locks", locks),
    ("names", names),
    ("tokens", tokens),
];

/// What was refused, checked to be told in few words.
pub fn accepted<T, E: Display>(read: Result<T, E>) -> Option<T> {
    let refused = |error: E| assert!(error.to_string().len() <= MAX_ERROR_BYTES, "{error}");
    read.map_err(refused).ok()
}

/// Writes and reads back as itself, and is written the same again.
pub fn assert_json_round_trip<
    T: serde::Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
>(
    value: &T,
) {
    let json = serde_json::to_string(value).expect("it can be written");
    let read: T = serde_json::from_str(&json).expect("it can be read back");
    assert_eq!(read, *value);
    assert_eq!(serde_json::to_string(&read).ok(), Some(json));
}

/// A line of a cron; behind it, if there are more lines, a time zone and a moment in milliseconds.
pub fn cron_line(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let Some(line) = accepted(lines.next().unwrap_or_default().parse::<Schedule>()) else { return };
    assert_json_round_trip(&line);
    assert!(line.in_words().len() <= 8 * MAX_ERROR_BYTES, "{}", line.in_words());
    let zone = lines.next().and_then(|text| text.parse::<TimeZone>().ok()).unwrap_or_default();
    let given = lines.next().and_then(|text| text.parse().ok()).map(Timestamp::from_ms);
    // Before clocks are put forward and back, and the last day of an engine that ends.
    let some = [1_774_744_199_999, 1_792_890_000_000, 4_133_894_400_000].map(Timestamp::from_ms);
    for after in given.into_iter().chain(some) {
        let Some(next) = line.next(after, zone) else { continue };
        assert!(next > after && next.ms() % 1000 == 0, "{next} after {after}");
        for between in [next.ms() - 1, (after.ms() + next.ms()) / 2] {
            assert_eq!(line.next(Timestamp::from_ms(between), zone), Some(next), "{between}");
        }
    }
}

/// A capacity map as settings and JSON write it, and the class that follows from it.
pub fn capacity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(class) = accepted(Class::try_from(text.to_owned())) {
        assert_eq!(class.as_str(), text);
        assert_eq!(Class::of(Some(&class.need())), Ok(class));
    }
    let written = accepted(text.parse::<CapacityMap>());
    // What is no map at all is told by whoever reads the JSON.
    let json = serde_json::from_str::<CapacityMap>(text).ok();
    for map in written.into_iter().chain(json) {
        assert_eq!(map.to_string().parse(), Ok(map.clone()));
        assert_json_round_trip(&map);
        if let Some(class) = accepted(Class::of(Some(&map))) {
            assert_eq!(Class::try_from(class.as_str().to_owned()), Ok(class));
        }
        let (mut left, all) = (map.clone(), map.iter().all(|(_, units)| units == 0));
        assert!(map.fits(&map) == if all { u32::MAX } else { 1 });
        assert!(left.take(&map, 1) && left.iter().all(|(_, units)| units == 0));
        left.give(&map, 1);
        assert_eq!(left, map);
    }
}

/// What a job says of its locks: `{"locks": …, "parameters": …}`; or one name.
pub fn locks(bytes: &[u8]) {
    #[derive(Deserialize)]
    struct Asked {
        locks: LockTemplates,
        parameters: Option<Map<String, Value>>,
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = accepted(text.parse::<LockName>()) {
        assert_eq!(name.as_str(), text);
    }
    let Ok(Asked { locks, parameters }) = serde_json::from_str(text) else { return };
    let Some(locks) = accepted(locks.render(parameters.as_ref())) else { return };
    assert!(locks.iter().count() <= MAX_LOCKS);
    for (name, permits) in locks.iter() {
        assert!((1..=MAX_PERMITS).contains(&permits) && name.as_str().len() <= 128);
        assert!(!name.is_reserved() && name.as_str().parse().as_ref() == Ok(name), "{name}");
    }
    assert_eq!(locks.to_string().parse::<Locks>(), Ok(locks.clone()));
    assert_json_round_trip(&locks);
}

/// Ids, names, moments, lengths of time.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(span) = accepted(text.parse::<GoDuration>()) {
        assert!(text.len() <= MAX_ERROR_BYTES && (span.is_none() || span.to_string() == text));
        assert!(span.duration().is_none_or(|span| span.as_secs() <= 8760 * 3600));
        assert_json_round_trip(&span);
    }
    if let Some(at) = accepted(text.parse::<Timestamp>()) {
        assert_eq!(at.to_string().parse(), Ok(at));
    }
    if let Some(id) = accepted(text.parse::<JobId>()) {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Some(worker) = accepted(text.parse::<WorkerId>()) {
        assert_eq!(worker.as_str(), text);
    }
    if let Some(action) = accepted(text.parse::<ActionName>()) {
        let cron = text.parse::<CronName>();
        assert!(action.as_str() == text && cron.is_ok_and(|cron| cron.as_str() == text));
    }
}

/// The tokens file.
pub fn tokens(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(tokens) = accepted(text.parse::<AccessTokens>()) else { return };
    let lines: Vec<String> = tokens.entries().iter().map(ToString::to_string).collect();
    assert_eq!(lines.join("\n").parse(), Ok(tokens));
}

/// Checks the seeds, and what was found before, once more.
pub fn run_seeds(checks: &[Check]) {
    for (name, check) in checks {
        let folder = format!("{}/../../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
        for seed in std::fs::read_dir(folder).expect("every check has seeds") {
            check(&std::fs::read(seed.expect("it is there").path()).expect("it can be read"));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_and_what_was_found_before_hold() {
        super::run_seeds(&super::CHECKS);
    }
}
