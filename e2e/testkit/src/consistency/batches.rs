//! Batched jobs: their lists of parameters, and the keys of those that submissions may join.

use std::collections::BTreeSet;

use domain::bounds::PARAMETERS_BYTES;
use domain::job::{JobSpec, LIST_MARGIN_BYTES};
use store::Dumped;

use super::state::{Fields, Jobs, World};

/// Returns what disagrees.
pub(super) fn disagreements(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, job) in jobs {
        let Some((batched, bytes, size)) = batch(job) else { continue };
        if batched == 0 || batched > size {
            wrong.push(format!("batch {id} has {batched} submissions of {size}"));
        }
        if batched > 1 && bytes + LIST_MARGIN_BYTES > PARAMETERS_BYTES {
            wrong.push(format!("batch {id} has {bytes} bytes of parameters"));
        }
    }
    let mut open = BTreeSet::new();
    for (key, value) in world {
        let (Some(_), Dumped::Text(state)) = (key.strip_prefix("batching:"), value) else {
            continue;
        };
        let id = state.split(' ').next().unwrap_or_default();
        if !open.insert(id) {
            wrong.push(format!("batch {id} is open twice"));
        }
        // A job that is removed or deleted is not joined, and neither is another one that has its id.
        let Some((batched, bytes, _)) = jobs.get(id).and_then(|job| batch(job)) else { continue };
        let found = format!("{id} {batched} {bytes}");
        if found != *state {
            wrong.push(format!("{key} is {state:?}, and the job has {found:?}"));
        }
    }
    wrong
}

/// The number of submissions of a batched job, the bytes of their parameters, and its size.
fn batch(job: &Fields) -> Option<(usize, usize, usize)> {
    let spec: JobSpec = serde_json::from_str(job.get("spec")?).ok()?;
    spec.batch_key.as_ref()?;
    let list = serde_json::to_string(&spec.parameters).ok()?;
    let bytes = list.len().saturating_sub(LIST_MARGIN_BYTES);
    Some((spec.batched(), bytes, spec.batch_size as usize))
}
