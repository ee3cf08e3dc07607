//! Sends one message: tries until it is accepted, refused for good, or the tries are used up.

use std::time::Duration;

use domain::job::Exception;
use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::json;
use store::LogSource;

use super::client::{HttpClient, SendError};
use super::message::WebhookMessage;
use crate::action::ActionResult;
use crate::actions::exec::{SecretFinder, Secrets};
use crate::context::Context;
use crate::context::log_writer::JobLog;
use crate::context::rate_limits::RateLimits;
use crate::context::stop::stop_requested;

/// The pause before the second try; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause. If the receiver asks for a longer one, the try fails, and a retry of the job
/// sends the message again.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How much of a response body is logged.
const LOGGED_BODY_BYTES: usize = 8 * 1024;

/// The type of the exception of a message that was not sent because of a stop request.
pub(in crate::actions) const STOPPED: &str = "Stopped";

/// Returns the status code of the response, if it is the cause of the exception.
pub(in crate::actions) fn status_of(exception: &Exception) -> Option<u16> {
    exception.detail.as_ref()?.get("status")?.as_u64()?.try_into().ok()
}

/// Sends a message until it is accepted.
pub(in crate::actions) async fn send(
    http: &HttpClient,
    message: &WebhookMessage,
    mut context: Context,
) -> ActionResult {
    let (log, rate_limits) = (context.log.clone(), context.rate_limits.clone());
    tokio::select! {
        result = send_with_retries(http, message, &log, &rate_limits) => result,
        () = stop_requested(&mut context.stop) => {
            Err(Exception::new(STOPPED, "the webhook was interrupted"))
        }
    }
}

async fn send_with_retries(
    http: &HttpClient,
    message: &WebhookMessage,
    log: &JobLog,
    rate_limits: &RateLimits,
) -> ActionResult {
    let (mut number, mut pause) = (1, FIRST_PAUSE);
    loop {
        let (exception, retry_after) = match send_once(http, message, log).await {
            Ok(status) => return Ok(Some(json!({"status": status, "tries": number}))),
            Err((exception, None)) => return Err(exception),
            Err((exception, Some(retry_after))) => (exception, retry_after),
        };
        // No job under the same limits calls the receiver until then.
        if status_of(&exception) == Some(429) {
            rate_limits.hold_back_all(retry_after).await;
        }
        if number >= message.tries || retry_after > MAX_PAUSE {
            return Err(exception);
        }
        let next = retry_after.max(pause);
        let line = format!("try {number}: {}; next try in {next:?}", exception.message);
        log.line(LogSource::Capstan, line).await;
        tokio::time::sleep(next).await;
        number += 1;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

/// Makes one try. Returns the status code if the message was accepted. An error comes with the time
/// after which a retry makes sense, if it does.
async fn send_once(
    http: &HttpClient,
    message: &WebhookMessage,
    log: &JobLog,
) -> Result<u16, (Exception, Option<Duration>)> {
    let sent = http.send(message, chrono::Utc::now().timestamp()).await;
    let response = sent.map_err(|error| match error {
        SendError::Retryable(exception) => (exception, Some(Duration::ZERO)),
        SendError::Permanent(exception) => (exception, None),
    })?;
    let (status, headers) = (response.status(), response.headers().clone());
    match secrets(message).finder() {
        Ok(secrets) => log_response(response, &secrets, log).await,
        Err(error) => {
            let line =
                format!("the response is not logged, because secrets cannot be hidden: {error}");
            log.line(LogSource::Capstan, line).await;
        }
    }
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let mut exception = Exception::new("HttpStatus", format!("the receiver answered {status}"));
    exception.detail = Some(json!({"status": status.as_u16()}));
    let retryable = status.as_u16() == 429 || status.is_server_error();
    Err((exception, retryable.then(|| requested_pause(&headers))))
}

/// Returns the values of the headers that are sent; a receiver may repeat them in its response.
fn secrets(message: &WebhookMessage) -> Secrets {
    let mut secrets = Secrets::default();
    for value in message.headers.values().filter_map(|value| value.to_str().ok()) {
        secrets.add(value);
        // The scheme is no secret, and a receiver may repeat only what follows it.
        if let Some((_, credential)) = value.split_once(' ') {
            secrets.add(credential);
        }
    }
    secrets
}

/// Logs the head of a response and the beginning of its body, without the `secrets`.
async fn log_response(mut response: Response, secrets: &SecretFinder, log: &JobLog) {
    log.line(LogSource::Stdout, format!("{:?} {}", response.version(), response.status())).await;
    for (name, value) in response.headers() {
        // A cookie may be a credential.
        let value = if name == "set-cookie" { b"***" } else { value.as_bytes() };
        log.line(LogSource::Stdout, format!("{name}: {}", secrets.hide(value))).await;
    }
    // Read further than is logged, so that a secret is not cut before it is found.
    let mut body = Vec::new();
    while body.len() <= 2 * LOGGED_BODY_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let body = secrets.hide(&body).into_bytes();
    let cut = body.len() > LOGGED_BODY_BYTES;
    let logged = body.get(..LOGGED_BODY_BYTES).unwrap_or(&body);
    for line in String::from_utf8_lossy(logged).lines() {
        log.line(LogSource::Stdout, line).await;
    }
    if cut {
        let line = format!("response body cut after {LOGGED_BODY_BYTES} bytes");
        log.line(LogSource::Capstan, line).await;
    }
}

/// Returns the pause that the receiver asks for, given in seconds or as a date.
pub(crate) fn requested_pause(headers: &HeaderMap) -> Duration {
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
    fn retry_after_is_seconds_or_a_date() {
        let after = |text: &str| {
            requested_pause(&[(RETRY_AFTER, text.parse().unwrap())].into_iter().collect())
        };
        assert_eq!(after("7"), Duration::from_secs(7));
        assert_eq!(after("soon"), Duration::ZERO);
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), Duration::ZERO);
        assert!(after("Tue, 31 Dec 2999 23:59:59 GMT") > Duration::from_secs(1));
    }
}
