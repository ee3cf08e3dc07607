//! A time that is given as such, or as how long ago it was.

use std::fmt;
use std::str::FromStr;

use chrono::Utc;
use domain::job::{GoDuration, Timestamp};

/// `2026-11-20T16:30:00Z`, or `90m` for one and a half hours ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeOrAge(Timestamp);

impl FromStr for TimeOrAge {
    type Err = String;

    fn from_str(text: &str) -> Result<TimeOrAge, String> {
        let ago = text.parse::<GoDuration>().ok().and_then(|ago| ago.duration());
        if let Some(ago) = ago {
            let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            let now_ms = Utc::now().timestamp_millis();
            return Ok(TimeOrAge(Timestamp::from_ms(now_ms.saturating_sub(ago_ms).max(0))));
        }
        text.parse().map(TimeOrAge).map_err(|_| {
            "it must be a time in RFC 3339, like 2026-11-20T16:30:00Z, or how long ago it was, \
             like 90m or 1h30m"
                .to_owned()
        })
    }
}

impl fmt::Display for TimeOrAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_as_such_or_as_an_age() {
        let text = "2026-11-20T16:30:00Z";
        assert_eq!(text.parse::<TimeOrAge>().unwrap().to_string(), text);
        let (day, hour): (TimeOrAge, TimeOrAge) = ("24h".parse().unwrap(), "1h".parse().unwrap());
        assert!(day.0 < hour.0 && hour.0.ms() < Utc::now().timestamp_millis());
        for text in ["", "1d", "yesterday", "-1h", "2026-11-20"] {
            assert!(text.parse::<TimeOrAge>().is_err(), "{text}");
        }
    }
}
