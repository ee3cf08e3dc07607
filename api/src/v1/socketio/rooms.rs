//! The rooms of Socket.IO clients, which are the subjects of subscriptions.

use serde_json::Value;

/// The name of all events, in both directions.
pub(super) const EVENT: &str = "events";
/// The room of clients that follow jobs.
pub(super) const JOBS: &str = "update_job";
/// The log levels in ascending order. A client that subscribes to one also receives those above.
pub(super) const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// Returns the room of a subscription: an object with one of three keys and one of its values.
pub(super) fn room(subscription: &Value) -> Option<&'static str> {
    let fields = subscription.as_object().filter(|fields| fields.len() == 1)?;
    let (key, value) = fields.iter().next()?;
    match (key.as_str(), value.as_str()?) {
        ("loglevel", level) => LEVELS.into_iter().find(|known| *known == level),
        ("update", "job") => Some(JOBS),
        ("update", "device") => Some("update_device"),
        ("sync", "all") => Some("sync"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subscription_has_one_subject() {
        let cases = [
            (json!({"update": "job"}), Some("update_job")),
            (json!({"update": "device"}), Some("update_device")),
            (json!({"sync": "all"}), Some("sync")),
            (json!({"loglevel": "DEBUG"}), Some("DEBUG")),
            (json!({"loglevel": "debug"}), None),
            (json!({"update": "jobs"}), None),
            (json!({"update": "job", "sync": "all"}), None),
            (json!({"update": 7}), None),
            (json!({}), None),
            (json!("job"), None),
            (json!(null), None),
        ];
        for (subscription, expected) in cases {
            assert_eq!(room(&subscription), expected, "{subscription}");
        }
    }
}
