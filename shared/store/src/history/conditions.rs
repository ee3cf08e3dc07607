//! Conditions of a filter that no index serves: a walk reads the record of each job.

use serde::Deserialize;

use super::JobFilter;
use crate::error::StoreError;
use crate::store::Store;
use domain::failure::FailureKind;
use domain::job::{JobId, Labels};

/// The parts of a spec that filters compare.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Part {
    labels: Labels,
    cron: Option<Firing>,
    scheduled_by: Option<String>,
    fairness_key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Firing {
    cron: String,
}

impl JobFilter {
    /// True if a walk has to read the records of jobs.
    pub(super) fn reads_records(&self) -> bool {
        self.compares_specs() || self.fingerprint.is_some()
    }

    fn compares_specs(&self) -> bool {
        let JobFilter { labels, cron, scheduled_by, fairness_key, .. } = self;
        !labels.is_empty() || cron.is_some() || scheduled_by.is_some() || fairness_key.is_some()
    }

    fn matches(&self, part: &Part) -> bool {
        let is =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let cron = part.cron.as_ref().map(|firing| firing.cron.as_str());
        self.labels.iter().all(|label| part.labels.has(label))
            && self.cron.as_ref().is_none_or(|wanted| cron == Some(wanted.as_str()))
            && is(&self.scheduled_by, &part.scheduled_by)
            && is(&self.fairness_key, &part.fairness_key)
    }
}

impl Store {
    /// Those of these jobs that meet the conditions. One that cannot be read meets none.
    pub(super) async fn with_conditions(
        &self,
        filter: &JobFilter,
        ids: Vec<JobId>,
    ) -> Result<Vec<JobId>, StoreError> {
        let ids = self.with_specs(filter, ids).await?;
        let Some(wanted) = filter.fingerprint else { return Ok(ids) };
        let kinds = self.failure_kinds(&ids).await?;
        let has_it =
            |kind: Option<FailureKind>| kind.is_some_and(|kind| kind.fingerprint() == wanted);
        let found = ids.into_iter().zip(kinds).filter_map(|(id, kind)| has_it(kind).then_some(id));
        Ok(found.collect())
    }

    async fn with_specs(
        &self,
        filter: &JobFilter,
        mut ids: Vec<JobId>,
    ) -> Result<Vec<JobId>, StoreError> {
        if ids.is_empty() || !filter.compares_specs() {
            return Ok(ids);
        }
        let (mut connection, _turn) = self.walking().await;
        let mut pipe = redis::pipe();
        for id in &ids {
            pipe.cmd("HGET").arg(self.keys.job(*id)).arg("spec");
        }
        let specs: Vec<Option<String>> = pipe.query_async(&mut connection).await?;
        let mut specs = specs.into_iter();
        ids.retain(|_| {
            let part = specs.next().flatten().and_then(|spec| serde_json::from_str(&spec).ok());
            part.is_some_and(|part| filter.matches(&part))
        });
        Ok(ids)
    }
}
