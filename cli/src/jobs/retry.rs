//! `capstan jobs retry`.

use client::ApiClient;
use client::command::CommandResult;
use serde_json::Value;

use crate::bulk::{Selection, Verb, change_all};
use crate::record::print_new_job;
use crate::requests::each;

/// Retries jobs.
pub(super) async fn run(api: &ApiClient, selection: &Selection) -> CommandResult {
    let Some(ids) = selection.ids(api).await? else {
        return change_all(api, Verb::Retry, &selection.bulk).await;
    };
    each(&ids, async |id| {
        let job: Value = api.post_query(&format!("/jobs/{id}/retry"), &[]).await?;
        print_new_job(&job, selection.bulk.output)
    })
    .await
}
