//! A job, given by its number, its id or a prefix of its id.

use std::str::FromStr;

use client::command::CommandError;
use client::wire::Job;
use client::{ApiClient, ClientError};
use domain::job::JobId;

use super::{SHORTEST_PREFIX, ambiguous};

/// How many jobs are searched for an id prefix, in pages as large as the API allows.
const SEARCHED: u32 = 10_000;
const PAGE: u32 = 1000;

/// A job as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobReference {
    /// Its id.
    Id(JobId),
    /// Its number, or an id prefix if it is long enough.
    Number(String),
    /// A prefix of its id, in lower case.
    Prefix(String),
}

impl FromStr for JobReference {
    type Err = String;

    /// Parses a reference. A trailing `…` is ignored: it marks where a table has cut an id.
    fn from_str(text: &str) -> Result<JobReference, String> {
        if let Ok(id) = text.parse() {
            return Ok(JobReference::Id(id));
        }
        let text = text.strip_suffix('…').unwrap_or(text);
        let is_number = text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
        if is_number {
            return Ok(JobReference::Number(text.to_owned()));
        }
        let of_id = |character: char| character.is_ascii_hexdigit() || character == '-';
        if text.len() >= SHORTEST_PREFIX && text.chars().all(of_id) {
            return Ok(JobReference::Prefix(text.to_ascii_lowercase()));
        }
        Err("it must be the number of a job, its id, or a prefix of its id with at least 4 \
             characters"
            .to_owned())
    }
}

impl JobReference {
    /// Returns the id. An id is not looked up.
    pub(crate) async fn resolve(&self, api: &ApiClient) -> Result<JobId, CommandError> {
        match self {
            JobReference::Id(id) => Ok(*id),
            JobReference::Number(number) => {
                match api.get::<Job>(&format!("/jobs/{number}")).await {
                    Ok(job) => Ok(job.id),
                    Err(ClientError::Refused(refusal))
                        if refusal.status == 404 && number.len() >= SHORTEST_PREFIX =>
                    {
                        let missing = || format!("there is no job {number}");
                        find(api, number).await?.ok_or_else(|| CommandError::Usage(missing()))
                    }
                    Err(error) => Err(error.into()),
                }
            }
            JobReference::Prefix(prefix) => {
                let missing =
                    || format!("no id of the latest {SEARCHED} jobs begins with {prefix}");
                find(api, prefix).await?.ok_or_else(|| CommandError::Usage(missing()))
            }
        }
    }
}

/// Returns the ids of jobs, in the same order.
pub(crate) async fn resolve_jobs(
    api: &ApiClient,
    jobs: &[JobReference],
) -> Result<Vec<JobId>, CommandError> {
    let mut ids = Vec::with_capacity(jobs.len());
    for job in jobs {
        ids.push(job.resolve(api).await?);
    }
    Ok(ids)
}

/// Returns the id with this prefix, if one of the latest jobs has it.
async fn find(api: &ApiClient, prefix: &str) -> Result<Option<JobId>, CommandError> {
    let mut found: Vec<Job> = Vec::new();
    for start in (0..SEARCHED).step_by(PAGE as usize) {
        let query = [("start", start.to_string()), ("limit", PAGE.to_string())];
        let jobs: Vec<Job> = api.page("/jobs", &query).await?.items("jobs")?;
        let is_last = jobs.len() < PAGE as usize;
        found.extend(jobs.into_iter().filter(|job| job.id.to_string().starts_with(prefix)));
        if is_last {
            break;
        }
    }
    // A page may repeat a job if others were submitted meanwhile.
    found.sort_by_key(|job| job.id);
    found.dedup_by_key(|job| job.id);
    match found.as_slice() {
        [] => Ok(None),
        [job] => Ok(Some(job.id)),
        several => {
            let name = |job: &Job| format!("{} ({} {})", job.id, job.action, job.status);
            let names: Vec<String> = several.iter().map(name).collect();
            Err(CommandError::Usage(ambiguous(prefix, "jobs", &names)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_given_by_number_id_or_id_prefix() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let prefix = |text: &str| JobReference::Prefix(text.to_owned());
        let number = |text: &str| JobReference::Number(text.to_owned());
        let cases = [
            (id, JobReference::Id(id.parse().unwrap())),
            ("7", number("7")),
            ("12345678", number("12345678")),
            ("00012", prefix("00012")),
            ("1fcf", prefix("1fcf")),
            ("1FCF4C0F-ff", prefix("1fcf4c0f-ff")),
            ("1fcf4c0f-ff…", prefix("1fcf4c0f-ff")),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "1fc", "me", "-1", "last", "1fcf4c0g", "1fcf 4c0f"] {
            assert!(text.parse::<JobReference>().is_err(), "{text}");
        }
    }
}
