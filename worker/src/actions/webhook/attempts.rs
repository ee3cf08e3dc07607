//! Tries of one message: until it is taken, refused for good, or the tries are used up.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::json;
use domain::job::Exception;
use store::Source;

use super::Message;
use super::client::{Client, Trouble};
use crate::actions::{Context, Ended, Log};
use crate::board::asked_to_stop;

/// Before the second try; it doubles with each, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A receiver that wants to be left alone for longer gets its next message from a retry of the job, if it has any.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How much of an answer is logged.
const BODY_BYTES: usize = 8 * 1024;

/// What an exception is of that was not the receiver's doing.
pub(super) const STOPPED: &str = "Stopped";

/// What the receiver answered, if that is what went wrong.
pub(super) fn status_of(exception: &Exception) -> Option<u16> {
    exception.detail.as_ref()?.get("status")?.as_u64()?.try_into().ok()
}

/// Sends a message until it is taken.
pub(super) async fn deliver(client: &Client, message: &Message, mut context: Context) -> Ended {
    let log = context.log.clone();
    let trying = async {
        let mut wait = FIRST_WAIT;
        for number in 1.. {
            let (exception, after) = match one(client, message, &log).await {
                Ok(status) => return Ok(Some(json!({"status": status, "tries": number}))),
                Err((exception, None)) => return Err(exception),
                Err((exception, Some(after))) => (exception, after),
            };
            if number >= message.tries || after > LONGEST_WAIT {
                return Err(exception);
            }
            let pause = after.max(wait);
            let told = format!("try {number}: {}; again in {pause:?}", exception.message);
            log.line(Source::Capstan, told).await;
            tokio::time::sleep(pause).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
        Ok(None)
    };
    tokio::select! {
        ended = trying => ended,
        () = asked_to_stop(&mut context.signal) => {
            Err(Exception::new(STOPPED, "the webhook was ended early"))
        }
    }
}

/// One try: the status of an answer that takes the message, or why it was not taken, and when it may be tried again.
async fn one(
    client: &Client,
    message: &Message,
    log: &Log,
) -> Result<u16, (Exception, Option<Duration>)> {
    let sent = client.send(message, chrono::Utc::now().timestamp()).await;
    let answer = sent.map_err(|trouble| match trouble {
        Trouble::Later(exception) => (exception, Some(Duration::ZERO)),
        Trouble::Never(exception) => (exception, None),
    })?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    write_down(answer, log).await;
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let mut exception = Exception::new("HttpStatus", format!("the receiver answered {status}"));
    exception.detail = Some(json!({"status": status.as_u16()}));
    let later = status.as_u16() == 429 || status.is_server_error();
    Err((exception, later.then(|| retry_after(&headers))))
}

/// Puts head and body of an answer into the log; what is long is cut.
async fn write_down(mut answer: Response, log: &Log) {
    log.line(Source::Stdout, format!("{:?} {}", answer.version(), answer.status())).await;
    for (name, value) in answer.headers() {
        // What a receiver sets for a browser's next visit may be a key.
        let value = if name == "set-cookie" { "***".into() } else { value.as_bytes().to_owned() };
        let value = String::from_utf8_lossy(&value).into_owned();
        log.line(Source::Stdout, format!("{name}: {value}")).await;
    }
    let mut body = Vec::new();
    while body.len() <= BODY_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let cut = body.len() > BODY_BYTES;
    body.truncate(BODY_BYTES);
    for line in String::from_utf8_lossy(&body).lines() {
        log.line(Source::Stdout, line).await;
    }
    if cut {
        let told = format!("the answer is cut here: {BODY_BYTES} bytes of it are kept");
        log.line(Source::Capstan, told).await;
    }
}

/// How long the receiver wants to be left alone: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Duration {
    let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let date = || {
        let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        (date.to_utc() - chrono::Utc::now()).to_std().ok()
    };
    let seconds = text.trim().parse().ok().map(Duration::from_secs);
    seconds.or_else(date).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_be_left_alone_is_seconds_or_a_date() {
        let after =
            |text: &str| retry_after(&[(RETRY_AFTER, text.parse().unwrap())].into_iter().collect());
        assert_eq!(after("7"), Duration::from_secs(7));
        assert_eq!(after("soon"), Duration::ZERO);
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), Duration::ZERO);
        assert!(after("Tue, 31 Dec 2999 23:59:59 GMT") > Duration::from_secs(1));
    }
}
