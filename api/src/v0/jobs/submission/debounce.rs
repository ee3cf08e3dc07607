//! Which submissions can be debounced.

use domain::job::{JobSpec, Timestamp};

use crate::error::Error;

/// Refuses `debounce` without a `uniqueKey`, and together with fields that it contradicts.
pub(super) fn check_debounce(spec: &JobSpec, scheduled_at: Option<Timestamp>) -> Result<(), Error> {
    let refused = |field: &str, why: String| Err(Error::invalid(field, why));
    let Some(wait) = spec.debounce.duration() else {
        if spec.debounce_max.is_none() {
            return Ok(());
        }
        return refused("debounceMax", "it requires debounce".to_owned());
    };
    if spec.unique_key.is_none() {
        return refused("debounce", "it requires uniqueKey".to_owned());
    }
    if spec.debounce_max.duration().is_some_and(|max| max < wait) {
        return refused("debounceMax", "it must not be less than debounce".to_owned());
    }
    let others = [
        ("scheduledAt", scheduled_at.is_some()),
        ("expiresAt", spec.expires_at.is_some()),
        ("dependsOn", !spec.depends_on.is_empty()),
        ("parent", spec.parent.is_some()),
    ];
    match others.iter().find(|(_, given)| *given) {
        Some((field, _)) => refused("debounce", format!("it cannot be combined with {field}")),
        None => Ok(()),
    }
}
