//! `capstan jobs cancel`.

use client::ApiClient;
use client::command::CommandResult;

use crate::bulk::{Selection, Verb, change_all};
use crate::requests::command_each;

/// Cancels jobs.
pub(super) async fn run(api: &ApiClient, selection: &Selection) -> CommandResult {
    match selection.ids(api).await? {
        Some(ids) => command_each(api, "/jobs", &ids, "cancel").await,
        None => change_all(api, Verb::Cancel, &selection.bulk).await,
    }
}
