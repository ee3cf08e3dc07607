//! `capstan jobs delete`.

use client::ApiClient;
use client::command::CommandResult;

use crate::bulk::{Selection, Verb, change_all};
use crate::requests::each;

/// Deletes jobs.
pub(super) async fn run(api: &ApiClient, selection: &Selection) -> CommandResult {
    match selection.ids(api).await? {
        Some(ids) => each(&ids, async |id| Ok(api.delete(&format!("/jobs/{id}")).await?)).await,
        None => change_all(api, Verb::Delete, &selection.bulk).await,
    }
}
