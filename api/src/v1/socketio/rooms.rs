//! The rooms of Socket.IO clients: what a client can subscribe to.

use serde_json::Value;

/// The one event, in both directions.
pub(super) const EVENT: &str = "events";
/// The room of clients that follow jobs.
pub(super) const JOBS: &str = "update_job";
/// Log levels in ascending order; a client that subscribes to one receives it and those above.
pub(super) const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// Returns the room of a subscription: an object with one of three keys and one of its values.
pub(super) fn room(wanted: &Value) -> Option<&'static str> {
    let fields = wanted.as_object().filter(|fields| fields.len() == 1)?;
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
    fn a_subscription_is_for_one_thing() {
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
        for (wanted, expected) in cases {
            assert_eq!(room(&wanted), expected, "{wanted}");
        }
    }
}
