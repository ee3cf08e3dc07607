//! Reads the jobs around one: those that it depends on, the jobs that depend on it, its parent, its
//! children, and so on, nearest first.

use std::collections::HashMap;

use domain::job::{Job, JobId};
use store::{Store, StoreError};

/// How many jobs are drawn.
const MOST_JOBS: usize = 100;
/// How many steps from the job the others are at most.
const MOST_STEPS: usize = 12;

/// Jobs and how they relate.
pub(super) struct Relations {
    /// The jobs.
    pub(super) jobs: Vec<Job>,
    /// The relations, by the indexes of the jobs.
    pub(super) edges: Vec<Edge>,
    /// True if there are more jobs.
    pub(super) is_cut: bool,
}

/// A relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The job that goes first: a dependency, or the parent.
    pub(super) from: usize,
    /// The job that follows: a dependent, or a child.
    pub(super) to: usize,
    /// True for a child.
    pub(super) is_child: bool,
}

/// Reads the jobs around one.
pub(super) async fn read(store: &Store, job: &Job) -> Result<Relations, StoreError> {
    let mut jobs = vec![job.clone()];
    let mut known: HashMap<JobId, usize> = HashMap::from([(job.id, 0)]);
    let (mut open, mut is_cut) = (0, false);
    for _ in 0..MOST_STEPS {
        let (wanted, more) = neighbours(store, &jobs[open..]).await?;
        is_cut |= more;
        open = jobs.len();
        let mut wanted: Vec<JobId> =
            wanted.into_iter().filter(|id| !known.contains_key(id)).collect();
        wanted.sort();
        wanted.dedup();
        let room = MOST_JOBS.saturating_sub(jobs.len());
        is_cut |= wanted.len() > room;
        wanted.truncate(room);
        for found in store.jobs_by_id(&wanted).await? {
            known.insert(found.id, jobs.len());
            jobs.push(found);
        }
        if open == jobs.len() {
            break;
        }
    }
    let edges = edges(&jobs, &known);
    Ok(Relations { jobs, edges, is_cut })
}

/// Returns the jobs next to these, and whether there are more.
async fn neighbours(store: &Store, jobs: &[Job]) -> Result<(Vec<JobId>, bool), StoreError> {
    let (mut wanted, mut more) = (Vec::new(), false);
    for job in jobs {
        wanted.extend(job.spec.depends_on.iter().take(MOST_JOBS));
        more |= job.spec.depends_on.len() > MOST_JOBS;
        wanted.extend(job.spec.parent.iter().chain(&job.next));
        if job.child_group.is_some() && wanted.len() < MOST_JOBS {
            let (children, total) = store.children_of(job, MOST_JOBS).await?;
            more |= total > children.len() as u64;
            wanted.extend(children.iter().map(|child| child.id));
        }
    }
    Ok((wanted, more))
}

fn edges(jobs: &[Job], known: &HashMap<JobId, usize>) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (to, job) in jobs.iter().enumerate() {
        let before = job.spec.depends_on.iter().map(|id| (id, false));
        for (id, is_child) in before.chain(job.spec.parent.iter().map(|id| (id, true))) {
            let from = known.get(id).copied();
            edges.extend(from.map(|from| Edge { from, to, is_child }));
        }
    }
    edges
}
