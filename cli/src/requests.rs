//! Requests that several commands make: one list, or the same request for each of several items.

use std::fmt::Display;

use client::command::{CommandError, CommandOutcome, CommandResult, note, print, print_json};
use client::{ApiClient, ClientError, Query};
use serde::de::DeserializeOwned;

/// A list of the API: its path, and the key of its items.
pub(crate) struct List<'a> {
    pub(crate) path: &'a str,
    pub(crate) key: &'a str,
}

/// Prints a page of a list, as JSON or as the table that `layout` makes of its items.
pub(crate) async fn print_list<T: DeserializeOwned>(
    api: &ApiClient,
    list: List<'_>,
    query: &Query<'_>,
    json: bool,
    layout: impl FnOnce(&[T]) -> String,
) -> Result<(), CommandError> {
    let page = api.page(list.path, query).await?;
    if json {
        return print_json(&page.body);
    }
    let items = page.items(list.key)?;
    print(layout(&items))?;
    if let Some(total) = page.total.filter(|total| *total > items.len() as u64) {
        note(format!("{} of {total} shown; use --start and --limit for more", items.len()));
    }
    Ok(())
}

/// Posts a command, for example `pause`, to each of several items of a collection.
pub(crate) async fn command_each<T: Display>(
    api: &ApiClient,
    collection: &str,
    items: &[T],
    command: &str,
) -> CommandResult {
    each(items, async |item| Ok(api.command(&format!("{collection}/{item}/{command}")).await?))
        .await
}

/// Makes a request for each item. A refusal does not stop the others; the last one is returned. Any
/// other error would repeat for the rest and is returned at once.
pub(crate) async fn each<T: Display>(
    items: &[T],
    mut request: impl AsyncFnMut(&T) -> Result<(), CommandError>,
) -> CommandResult {
    let mut last: Option<(&T, CommandError)> = None;
    for item in items {
        match request(item).await {
            Ok(()) => {}
            Err(refusal @ CommandError::Api(ClientError::Refused(_))) => {
                if let Some((earlier, refusal)) = last.replace((item, refusal)) {
                    note(format!("{earlier}: {refusal}"));
                }
            }
            Err(error) => return Err(error),
        }
    }
    last.map_or(Ok(CommandOutcome::Success), |(_, refusal)| Err(refusal))
}
