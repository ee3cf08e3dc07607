//! References to other jobs in a submission: by id, or as `#0`, `#1`, … for jobs of the same batch.

use std::collections::HashSet;

use domain::bounds;
use domain::job::JobId;

use crate::error::{Error, at_field};

/// The jobs that a submission may reference besides existing ones.
#[derive(Debug, Clone, Copy)]
pub(super) enum References<'a> {
    /// None, because the job is not in a batch.
    None,
    /// The earlier jobs of its batch.
    Batch(&'a [JobId]),
}

impl References<'_> {
    /// Returns the ids of the dependencies, without duplicates.
    pub(super) fn dependencies(self, names: Vec<String>) -> Result<Vec<JobId>, Error> {
        let (mut ids, mut seen) = (Vec::new(), HashSet::new());
        for name in names {
            let id = self.id("dependsOn", &name)?;
            if seen.insert(id) {
                ids.push(id);
            }
        }
        at_field("dependsOn", bounds::dependencies(ids.len()))?;
        Ok(ids)
    }

    /// Returns the id of the parent.
    pub(super) fn parent(self, name: Option<String>) -> Result<Option<JobId>, Error> {
        name.map(|name| self.id("parent", &name)).transpose()
    }

    fn id(self, field: &str, name: &str) -> Result<JobId, Error> {
        let Some(index) = name.strip_prefix('#') else {
            return name.parse().map_err(|error| Error::invalid(field, error));
        };
        let short: String = name.chars().take(32).collect();
        let References::Batch(earlier) = self else {
            let why = format!("{short:?} references a job of a batch, but this job is not in one");
            return Err(Error::invalid(field, why));
        };
        let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        let index: Option<usize> = index.parse().ok().filter(|_| digits);
        index.and_then(|index| earlier.get(index).copied()).ok_or_else(|| {
            let why = format!(
                "{short:?} must reference an earlier job of the batch; the first one is #0"
            );
            Error::invalid(field, why)
        })
    }
}
