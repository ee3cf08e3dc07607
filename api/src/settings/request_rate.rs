//! How many requests a token may send.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::job::GoDuration;

/// How many requests a token may send in a time, written as `600/1m`; an empty text is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestRate {
    text: String,
    /// The number of requests and the time; `None` is no limit.
    pub(crate) rate: Option<(u32, Duration)>,
}

/// The text is not such a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be a number of requests and a duration of at least 1s, like 600/1m")]
pub struct InvalidRequestRate;

impl FromStr for RequestRate {
    type Err = InvalidRequestRate;

    fn from_str(text: &str) -> Result<RequestRate, InvalidRequestRate> {
        if text.is_empty() {
            return Ok(RequestRate::default());
        }
        let (count, per) = text.split_once('/').ok_or(InvalidRequestRate)?;
        let count = count.parse().ok().filter(|count| (1..=1_000_000).contains(count));
        let per: Option<GoDuration> = per.parse().ok();
        let per = per.and_then(|per| per.duration()).filter(|per| *per >= Duration::from_secs(1));
        let rate = Some(count.zip(per).ok_or(InvalidRequestRate)?);
        Ok(RequestRate { text: text.to_owned(), rate })
    }
}

impl fmt::Display for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_time() {
        assert_eq!("600/1m".parse::<RequestRate>().unwrap().to_string(), "600/1m");
        assert_eq!("".parse(), Ok(RequestRate::default()));
        for text in
            ["600", "0/1m", "1000001/1m", "600/", "600/soon", "600/500ms", "600/0s", "-1/1m"]
        {
            assert_eq!(text.parse::<RequestRate>(), Err(InvalidRequestRate), "{text}");
        }
    }
}
