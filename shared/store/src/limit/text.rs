//! Limits as Redis keeps them: `interval burst rate per`, or `calendar quota window zone ends…`.

use std::time::Duration;

use crate::error::StoreError;
use domain::job::Timestamp;
use domain::limit::{CalendarQuota, LimitName, RateLimit};

/// How many ends of windows a calendar limit has.
const ENDS: usize = 48;

/// The text of a limit that is set now.
pub(super) fn limit_text(limit: &RateLimit, now: Timestamp) -> String {
    match limit {
        RateLimit::Spaced(spaced) => {
            let (burst, rate, per) = (spaced.burst, spaced.rate, spaced.per.as_millis());
            format!("{} {burst} {rate} {per}", spaced.interval_ms())
        }
        RateLimit::Calendar(calendar) => {
            let ends: Vec<String> = next_ends(calendar, now).map(|at| at.to_string()).collect();
            format!("calendar {} {} {}", calendar.quota, calendar.window_text(), ends.join(" "))
        }
    }
}

/// The text of a limit with the ends of its next windows. `None` if it has them: at least half of
/// them, each where this process expects it, whose rules of time zones may be newer.
pub(super) fn renewed_text(limit: &RateLimit, known: &str, now: Timestamp) -> Option<String> {
    let RateLimit::Calendar(calendar) = limit else { return None };
    let ends = known.split(' ').skip(4).filter_map(|word| word.parse().ok());
    let ahead: Vec<i64> = ends.filter(|at| *at > now.ms()).collect();
    let is_fresh =
        ahead.len() >= ENDS / 2 && next_ends(calendar, now).zip(&ahead).all(|(a, b)| a == *b);
    (!is_fresh).then(|| limit_text(limit, now))
}

fn next_ends(calendar: &CalendarQuota, now: Timestamp) -> impl Iterator<Item = i64> {
    calendar.ends(now).take(ENDS).map(Timestamp::ms)
}

/// The text of a limit in events.
pub(super) fn shown_text(limit: &RateLimit) -> String {
    match limit {
        RateLimit::Spaced(spaced) => {
            format!("{} {} {}", spaced.burst, spaced.rate, spaced.per.as_millis())
        }
        RateLimit::Calendar(calendar) => format!("{} {}", calendar.quota, calendar.window_text()),
    }
}

pub(super) fn read_limit(name: &str, text: &str) -> Result<(LimitName, RateLimit), StoreError> {
    let wrong = |why: String| StoreError::unreadable(format!("rate limit {name}"), why);
    let words: Vec<&str> = text.split(' ').collect();
    let number = |word: &str| {
        word.parse::<i64>().map_err(|_| wrong(format!("{word:?} is not a whole number")))
    };
    let limit = match words[..] {
        ["calendar", quota, window, zone, ..] => {
            let window = window.parse().map_err(|error| wrong(format!("window: {error}")))?;
            let zone = zone.parse().map_err(|error| wrong(format!("time zone: {error}")))?;
            let calendar = CalendarQuota::new(number(quota)?, window, zone);
            RateLimit::Calendar(calendar.map_err(|error| wrong(format!("quota: {error}")))?)
        }
        [_, burst, rate, per] => {
            let per = Duration::from_millis(u64::try_from(number(per)?).unwrap_or_default());
            let limit = RateLimit::new(number(rate)?, per, number(burst)?);
            limit.map_err(|(field, error)| wrong(format!("{field}: {error}")))?
        }
        _ => return Err(wrong("it has not four words".to_owned())),
    };
    let name = name.parse().map_err(|_| wrong("its name is not valid".to_owned()))?;
    Ok((name, limit))
}
