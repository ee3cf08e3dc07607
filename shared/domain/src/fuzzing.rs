//! Properties that the parsers of this crate have for every input. `./dev fuzz` searches for inputs
//! that violate them; the test below checks the seeds and earlier findings. No service calls this
//! module.

use std::fmt::Display;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::access_tokens::AccessTokens;
use crate::capacity::{CapacityMap, Class};
use crate::cron::{Schedule, TimeZone};
use crate::failure::mask;
use crate::limit::LimitName;
use crate::lock::{LockName, LockTemplates, Locks, MAX_LOCKS, MAX_PERMITS};
use crate::names::{ActionName, CronName, JobId, WorkerId};
use crate::search::{MAX_TERMS, Search};
use crate::time::{GoDuration, Timestamp};

/// An error repeats only a part of the input, so its text has at most this length.
pub const MAX_ERROR_BYTES: usize = 1024;

/// A check with its name, which is also the name of the fuzz target and of the folder of its seeds.
pub type Check = (&'static str, fn(&[u8]));

/// The checks of this crate.
pub const CHECKS: [Check; 7] = [
    ("cron_line", cron_line),
    ("capacity", capacity),
    ("failure_message", failure_message),
    ("locks", locks),
    ("names", names),
    ("tokens", tokens),
    ("search", search),
];

/// Returns the value if the input was accepted; otherwise checks the length of the error.
pub fn accepted<T, E: Display>(read: Result<T, E>) -> Option<T> {
    let refused = |error: E| assert!(error.to_string().len() <= MAX_ERROR_BYTES, "{error}");
    read.map_err(refused).ok()
}

/// Checks that a value can be written as JSON and read back unchanged.
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

/// A message of an exception, which is masked.
pub fn failure_message(bytes: &[u8]) {
    let message = String::from_utf8_lossy(bytes);
    let masked = mask(&message);
    assert!(masked.chars().count() <= 200, "{masked}");
    assert!(!masked.contains(|c: char| c.is_control() || c.is_ascii_digit()), "{masked}");
}

/// A schedule; on the following lines, optionally, a time zone and a moment in milliseconds.
pub fn cron_line(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let Some(line) = accepted(lines.next().unwrap_or_default().parse::<Schedule>()) else { return };
    assert_json_round_trip(&line);
    assert!(line.describe().len() <= 8 * MAX_ERROR_BYTES, "{}", line.describe());
    let zone = lines.next().and_then(|text| text.parse::<TimeZone>().ok()).unwrap_or_default();
    let given = lines.next().and_then(|text| text.parse().ok()).map(Timestamp::from_ms);
    // Before the clock changes in spring and autumn, and on the last day that the engine knows.
    let moments = [1_774_744_199_999, 1_792_890_000_000, 4_133_894_400_000].map(Timestamp::from_ms);
    for after in given.into_iter().chain(moments) {
        let Some(next) = line.next(after, zone) else { continue };
        assert!(next > after && next.ms() % 1000 == 0, "{next} after {after}");
        for between in [next.ms() - 1, (after.ms() + next.ms()) / 2] {
            assert_eq!(line.next(Timestamp::from_ms(between), zone), Some(next), "{between}");
        }
    }
}

/// A capacity map in the forms of settings and JSON, and its class.
pub fn capacity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(class) = accepted(Class::try_from(text.to_owned())) {
        assert_eq!(class.as_str(), text);
        assert_eq!(Class::of(Some(&class.need())), Ok(class));
    }
    let written = accepted(text.parse::<CapacityMap>());
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

/// The locks of a job, `{"locks": …, "parameters": …}`, or a single name.
pub fn locks(bytes: &[u8]) {
    #[derive(Deserialize)]
    struct Input {
        locks: LockTemplates,
        parameters: Option<Map<String, Value>>,
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = accepted(text.parse::<LockName>()) {
        assert_eq!(name.as_str(), text);
    }
    let Ok(Input { locks, parameters }) = serde_json::from_str(text) else { return };
    let Some(locks) = accepted(locks.render(parameters.as_ref())) else { return };
    assert!(locks.iter().count() <= MAX_LOCKS);
    for (name, permits) in locks.iter() {
        assert!((1..=MAX_PERMITS).contains(&permits) && name.as_str().len() <= 128);
        assert!(!name.is_reserved() && name.as_str().parse().as_ref() == Ok(name), "{name}");
    }
    assert_eq!(locks.to_string().parse::<Locks>(), Ok(locks.clone()));
    assert_json_round_trip(&locks);
}

/// Ids, names, moments and durations.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(duration) = accepted(text.parse::<GoDuration>()) {
        assert!(
            text.len() <= MAX_ERROR_BYTES && (duration.is_none() || duration.to_string() == text)
        );
        assert!(duration.duration().is_none_or(|length| length.as_secs() <= 8760 * 3600));
        assert_json_round_trip(&duration);
    }
    if let Some(at) = accepted(text.parse::<Timestamp>()) {
        assert_eq!(at.to_string().parse(), Ok(at));
    }
    if let Some(id) = accepted(text.parse::<JobId>()) {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Some(limit) = accepted(text.parse::<LimitName>()) {
        let is_same = |lock: LockName| lock.rate_key() == Some(text);
        assert!(limit.as_str() == text && limit.lock().is_none_or(is_same));
        assert_json_round_trip(&limit);
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

/// A search for jobs.
pub fn search(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(search) = accepted(text.parse::<Search>()) else { return };
    assert!(search.terms().len() <= MAX_TERMS);
    let written = search.to_string();
    // Quotation marks may make it longer than a search may be.
    if written.chars().count() <= crate::search::MAX_CHARACTERS {
        assert_eq!(written.parse::<Search>(), Ok(search));
    }
}

/// Runs checks on their seeds, which include earlier findings.
pub fn run_seeds(checks: &[Check]) {
    for (name, check) in checks {
        let folder = format!("{}/../../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
        for seed in std::fs::read_dir(folder).expect("the check has a folder of seeds") {
            check(&std::fs::read(seed.expect("it is there").path()).expect("it can be read"));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_seeds_pass() {
        super::run_seeds(&super::CHECKS);
    }
}
