//! Which submissions can be batched.

use domain::bounds::BATCH_SIZES;
use domain::job::{ActionName, JobSpec, Timestamp};

use crate::error::Error;

/// Refuses incomplete fields of a batch, and fields that batched submissions cannot have.
pub(super) fn check_batching(
    spec: &JobSpec,
    size: Option<u32>,
    scheduled_at: Option<Timestamp>,
) -> Result<(), Error> {
    let refused = |field: &str, why: String| Err(Error::invalid(field, why));
    if spec.batch_key.is_none() {
        return match size {
            Some(_) => refused("batchSize", "it requires batchKey".to_owned()),
            None if spec.batch_wait.is_none() => Ok(()),
            None => refused("batchWait", "it requires batchKey".to_owned()),
        };
    }
    if !size.is_some_and(|size| BATCH_SIZES.contains(&size)) {
        let (least, most) = (BATCH_SIZES.start(), BATCH_SIZES.end());
        return refused("batchSize", format!("it must be a whole number from {least} to {most}"));
    }
    if spec.batch_wait.is_none() {
        return refused("batchWait", "it must be a duration of more than 0".to_owned());
    }
    if spec.action.as_str() == ActionName::WEBHOOK {
        return refused("batchKey", "a webhook has one set of parameters".to_owned());
    }
    let others = [
        ("uniqueKey", spec.unique_key.is_some()),
        ("scheduledAt", scheduled_at.is_some()),
        ("expiresAt", spec.expires_at.is_some()),
        ("dependsOn", !spec.depends_on.is_empty()),
        ("parent", spec.parent.is_some()),
    ];
    match others.iter().find(|(_, given)| *given) {
        Some((field, _)) => refused("batchKey", format!("it cannot be combined with {field}")),
        None => Ok(()),
    }
}
