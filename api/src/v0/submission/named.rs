//! Other jobs that a submission names: by their id, or as `#0`, `#1`, … of the same batch.

use std::collections::HashSet;

use shared::bounds;
use shared::job::JobId;

use crate::error::{Error, within};

/// Whom a submission may name beside jobs that are there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named<'a> {
    /// Nobody: it is submitted by itself.
    Alone,
    /// Those that stand before it in its batch.
    InBatch(&'a [JobId]),
}

impl Named<'_> {
    /// The jobs that it depends on, each once.
    pub(super) fn dependencies(self, names: Vec<String>) -> Result<Vec<JobId>, Error> {
        let (mut ids, mut seen) = (Vec::new(), HashSet::new());
        for name in names {
            let id = self.id("dependsOn", &name)?;
            if seen.insert(id) {
                ids.push(id);
            }
        }
        within("dependsOn", bounds::dependencies(ids.len()))?;
        Ok(ids)
    }

    /// The job whose child it is.
    pub(super) fn parent(self, name: Option<String>) -> Result<Option<JobId>, Error> {
        name.map(|name| self.id("parent", &name)).transpose()
    }

    fn id(self, field: &str, name: &str) -> Result<JobId, Error> {
        let Some(place) = name.strip_prefix('#') else {
            return name.parse().map_err(|error| Error::invalid(field, error));
        };
        let short: String = name.chars().take(32).collect();
        let Named::InBatch(earlier) = self else {
            let why = format!("{short:?} names a job of a batch, and this is none");
            return Err(Error::invalid(field, why));
        };
        let digits = !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit());
        let place: Option<usize> = place.parse().ok().filter(|_| digits);
        place.and_then(|place| earlier.get(place).copied()).ok_or_else(|| {
            let why = format!("{short:?} must name an earlier job of the batch, from #0 on");
            Error::invalid(field, why)
        })
    }
}
