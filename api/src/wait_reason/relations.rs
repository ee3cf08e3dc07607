//! Why a job waits for other jobs: its dependencies or its children.

use domain::job::{DependencyCondition, Job, Status};
use store::{RelatedJob, Store, StoreError};

use super::reason::Reason;

/// How many jobs a message names.
const MAX_NAMED: usize = 3;

/// Returns the reason of a job that waits for its children.
pub(super) fn children(open: u64) -> Reason {
    let message = match open {
        0 => "all its children have finished, and it will finish in a moment".to_owned(),
        1 => "1 of its children has not finished".to_owned(),
        open => format!("{open} of its children have not finished"),
    };
    Reason::new("children", message)
}

/// Returns the reason of a job that waits for its dependencies.
pub(super) async fn dependencies(store: &Store, job: &Job, on: u32) -> Result<Reason, StoreError> {
    let related = store.related(&job.spec.depends_on).await?;
    let all = job.spec.depends_on.iter().filter_map(|id| related.get(id));
    let open: Vec<&RelatedJob> =
        all.filter(|one| !is_met(one.last.status, job.spec.when)).collect();
    Ok(Reason::new("dependency", message(&open, on)))
}

/// Returns true if a dependency in this status is met.
fn is_met(status: Status, when: DependencyCondition) -> bool {
    match when {
        DependencyCondition::Done => status == Status::Done,
        DependencyCondition::Finished => status.is_final(),
    }
}

fn message(open: &[&RelatedJob], on: u32) -> String {
    if open.is_empty() {
        let dependencies = if on == 1 { "dependency has" } else { "dependencies have" };
        return format!("its {on} {dependencies} finished, and it will continue in a moment");
    }
    let name = |one: &&RelatedJob| {
        let last = one.last;
        match last.id == one.named.id {
            true => format!("job {} ({}), which is {}", last.number, last.id, last.status),
            false => format!(
                "job {} ({}), which retries job {} and is {}",
                last.number, last.id, one.named.number, last.status
            ),
        }
    };
    let named: Vec<String> = open.iter().take(MAX_NAMED).map(name).collect();
    let more = match open.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("it depends on {}{more}", named.join("; "))
}
