//! A group of waiting jobs as a sentence. Pure.

use domain::job::Timestamp;

use super::facts::Holder;
use crate::waiting::Group;
use crate::words::{count, rough};

/// Returns a sentence about a group of waiting jobs, without its full stop.
pub(super) fn group_sentence(group: &Group) -> String {
    let jobs = count(group.count, "job");
    let one = group.count == 1;
    let (wait, need) = if one { ("waits", "needs") } else { ("wait", "need") };
    let subject = &group.subject;
    match group.code {
        "outage" => format!("{jobs} {wait}: {}", group.message),
        "capacity" => format!("{jobs} {need} {subject}, which no live worker offers"),
        "action" => format!("{jobs} {wait} for action {subject}: {}", group.message),
        "draining" => format!("{jobs} {wait}, and every worker that offers {subject} is draining"),
        "paused" => format!("{jobs} {wait}: {subject} is paused"),
        "lock" if subject.is_empty() => format!("{jobs} {wait} for locks"),
        "lock" => format!("{jobs} {wait} for {}", lock(subject)),
        "rate" => format!("{jobs} {wait} for the rate limit of {subject}: {}", group.message),
        "gathering" => format!("{jobs} {wait} for {subject} on one worker: {}", group.message),
        "fairness" => {
            format!("{jobs} {wait} behind other jobs of the same fairness group in queue {subject}")
        }
        "queue" => format!("{jobs} {wait} for a worker in queue {subject}"),
        "children" => format!("{jobs} {wait} for children that have not finished"),
        "dependency" => format!("{jobs} {wait} for jobs that have not finished"),
        "due" => format!("{jobs} {wait} until a later time"),
        _ => format!("{jobs} {wait}: {}", group.message),
    }
}

/// Returns the sentence about jobs that wait for a lock, with its holder.
pub(super) fn lock_sentence(group: &Group, holder: Option<&Holder>, now: Timestamp) -> String {
    let mut text = group_sentence(group);
    if let Some(holder) = holder {
        text.push_str(&format!(", held by job {} ({})", holder.number, holder.id));
        if let Some(since) = holder.since {
            text.push_str(&format!(" for {}", age(now.ms() - since.ms())));
        }
    }
    text
}

/// Returns a span for a sentence.
pub(super) fn age(ms: i64) -> String {
    rough(ms.max(0))
}

fn lock(name: &str) -> String {
    match name.split_once(':') {
        Some((kind @ ("action" | "class"), of)) => format!("the limit of {kind} {of}"),
        _ => format!("lock {name}"),
    }
}
