//! A worker, given by its id, its name or a prefix of its id.

use std::str::FromStr;

use client::ApiClient;
use client::command::CommandError;
use client::wire::Worker;
use domain::job::WorkerId;

use super::{SHORTEST_PREFIX, ambiguous};

/// A worker as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerReference(String);

impl FromStr for WorkerReference {
    type Err = String;

    fn from_str(text: &str) -> Result<WorkerReference, String> {
        let text = text.strip_suffix('…').unwrap_or(text).trim();
        if text.is_empty() {
            return Err("it must be the id of a worker, a prefix of its id, or a name".to_owned());
        }
        Ok(WorkerReference(text.to_owned()))
    }
}

impl WorkerReference {
    /// Returns the id. A full id is accepted even if the API does not list its worker, because old
    /// jobs may refer to it.
    pub(crate) async fn resolve(&self, api: &ApiClient) -> Result<WorkerId, CommandError> {
        let workers: Vec<Worker> = api.page("/workers", &[]).await?.items("workers")?;
        let id = find(&self.0, &workers).map_err(CommandError::Usage)?;
        let id = id.unwrap_or(&self.0).to_owned();
        let missing = format!("there is no worker {:?}; `capstan workers` lists them", self.0);
        WorkerId::try_from(id).map_err(|_| CommandError::Usage(missing))
    }
}

/// Returns the ids of workers, in the same order.
pub(crate) async fn resolve_workers(
    api: &ApiClient,
    workers: &[WorkerReference],
) -> Result<Vec<WorkerId>, CommandError> {
    let mut ids = Vec::with_capacity(workers.len());
    for worker in workers {
        ids.push(worker.resolve(api).await?);
    }
    Ok(ids)
}

/// Returns the id of the worker with this id, name or id prefix, in this order. A live worker is
/// preferred: one that restarts has the same name and another id.
fn find<'a>(text: &str, workers: &'a [Worker]) -> Result<Option<&'a str>, String> {
    let is_prefix = text.len() >= SHORTEST_PREFIX;
    let fits: [&dyn Fn(&Worker) -> bool; 3] =
        [&|worker| worker.id == text, &|worker| worker.name == text, &|worker| {
            is_prefix && worker.id.starts_with(text)
        }];
    for fits in fits {
        let all: Vec<&Worker> = workers.iter().filter(|worker| fits(worker)).collect();
        let live: Vec<&Worker> = all.iter().copied().filter(|worker| worker.is_live()).collect();
        let found = if live.is_empty() { all } else { live };
        match found.as_slice() {
            [] => {}
            [worker] => return Ok(Some(&worker.id)),
            several => {
                let name = |worker: &&Worker| format!("{} ({})", worker.id, worker.name);
                let names: Vec<String> = several.iter().map(name).collect();
                return Err(ambiguous(text, "workers", &names));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_worker_is_found_by_id_name_or_id_prefix() {
        let workers = json!([
            {"id": "0000000000aa", "name": "host-1", "status": "dead"},
            {"id": "0000000000bb", "name": "host-1", "status": "running"},
            {"id": "12340000000c", "name": "host-2", "status": "draining"},
            {"id": "12340000000d", "name": "0000000000aa", "status": "running"},
            {"id": "abcd0000000e", "name": "host-3", "status": "dead"},
        ]);
        let workers: Vec<Worker> = serde_json::from_value(workers).unwrap();
        let cases = [
            ("0000000000aa", Some("0000000000aa")),
            ("host-1", Some("0000000000bb")),
            ("host-3", Some("abcd0000000e")),
            ("0000", Some("0000000000bb")),
            ("12340000000c", Some("12340000000c")),
            ("abcd", Some("abcd0000000e")),
            ("abc", None),
            ("host", None),
        ];
        for (text, expected) in cases {
            assert_eq!(find(text, &workers), Ok(expected), "{text}");
        }
        let error = find("1234", &workers).unwrap_err();
        let expected = r#""1234" could be several workers: 12340000000c (host-2), 12340000000d (0000000000aa); type more characters"#;
        assert_eq!(error, expected);
    }
}
