//! Which jobs a command changes: those that are named, or those that match filters.

use clap::Args;
use client::ApiClient;
use client::command::CommandError;
use domain::job::JobId;

use crate::filters::Filters;
use crate::flags::OutputFlags;
use crate::references::{JobReference, resolve_jobs};

/// Jobs by filter, and how they are changed.
#[derive(Debug, Args)]
pub(crate) struct BulkFlags {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// Select every job
    #[arg(long)]
    pub(super) all: bool,

    /// Only count the jobs
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not ask for a confirmation
    #[arg(short = 'y', long)]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

impl BulkFlags {
    /// True if neither filters nor --all are given.
    pub(super) fn selects_nothing(&self) -> bool {
        self.filters.is_empty() && !self.all
    }
}

/// The jobs of `jobs cancel`, `jobs retry` and `jobs delete`.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Jobs, by number or ID; without any, the jobs that match the filters
    #[arg(value_name = "JOB")]
    jobs: Vec<JobReference>,

    #[command(flatten)]
    pub(crate) bulk: BulkFlags,
}

impl Selection {
    /// Returns the ids of the named jobs; `None` if the jobs are selected by filters.
    pub(crate) async fn ids(&self, api: &ApiClient) -> Result<Option<Vec<JobId>>, CommandError> {
        if self.has_filters()? {
            return Ok(None);
        }
        Ok(Some(resolve_jobs(api, &self.jobs).await?))
    }

    fn has_filters(&self) -> Result<bool, CommandError> {
        let error = match (self.jobs.is_empty(), self.bulk.selects_nothing()) {
            (false, true) if self.bulk.dry_run => "--dry-run requires a filter or --all",
            (false, true) => return Ok(false),
            (true, false) => return Ok(true),
            (false, false) => "pass either jobs or filters, not both",
            (true, true) => "pass jobs, a filter such as --action, or --all",
        };
        Err(CommandError::Usage(error.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    fn parsed(line: &str) -> Result<Selection, clap::Error> {
        arguments(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn jobs_are_given_by_id_or_by_filter_and_all_of_them_only_with_all() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        for line in [id, "7 1fcf 8", "7 --yes"] {
            assert!(!parsed(line).unwrap().has_filters().unwrap(), "{line}");
        }
        for line in ["--all", "--action gc --status waiting", "--running=false --all -y"] {
            assert!(parsed(line).unwrap().has_filters().unwrap(), "{line}");
        }
        for line in ["", "7 --action gc", "--json", "7 --all", "7 --dry-run", "--yes"] {
            assert_eq!(parsed(line).unwrap().has_filters().unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["no-id", "--limit 5", "--status finished", "--parent me"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
