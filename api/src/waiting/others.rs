//! Why a job waits for other jobs: those that it depends on, and its children.

use shared::job::{Job, Status, When};
use shared::store::{Related, Store, StoreError};

use super::Reason;

/// How many jobs are named.
const MOST_NAMED: usize = 3;

/// A job that has done its part.
pub(super) fn of_children(open: u64) -> Reason {
    let message = match open {
        0 => "its children are over, and so is it in a moment".to_owned(),
        1 => "1 of its children is not over".to_owned(),
        open => format!("{open} of its children are not over"),
    };
    Reason::new("children", message)
}

/// A job that has to wait for so many others.
pub(super) async fn of_dependent(store: &Store, job: &Job, on: u32) -> Result<Reason, StoreError> {
    let related = store.related(&job.spec.depends_on).await?;
    let all = job.spec.depends_on.iter().filter_map(|id| related.get(id));
    let open: Vec<&Related> = all.filter(|one| !is_met(one.last.status, job.spec.when)).collect();
    Ok(Reason::new("dependency", message(&open, on)))
}

/// True when nobody has to wait for a job in this status.
fn is_met(status: Status, when: When) -> bool {
    match when {
        When::Done => status == Status::Done,
        When::Finished => status.is_final(),
    }
}

fn message(open: &[&Related], on: u32) -> String {
    if open.is_empty() {
        let jobs = if on == 1 { "job" } else { "jobs" };
        return format!("{on} {jobs} that it depends on: over, and it goes on in a moment");
    }
    let name = |one: &&Related| {
        let last = one.last;
        match last.id == one.named.id {
            true => format!("job {} ({}), which is {}", last.number, last.id, last.status),
            false => format!(
                "job {} ({}), which carries on job {} and is {}",
                last.number, last.id, one.named.number, last.status
            ),
        }
    };
    let named: Vec<String> = open.iter().take(MOST_NAMED).map(name).collect();
    let more = match open.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("it depends on {}{more}", named.join("; "))
}
