//! Requests that several commands make: one list, or the same request for each of several items.

use std::fmt::Display;

use client::command::{CommandError, CommandOutcome, CommandResult, note, print};
use client::{ApiClient, ClientError, Page, Query};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::columns::{Column, lay_out};
use crate::flags::OutputFlags;

/// A list of the API: its path, the key of its items, the field that names an item, and the columns
/// of its table.
pub(crate) struct List<T: 'static> {
    pub(crate) path: &'static str,
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column<T>],
}

/// Prints a page of a list.
pub(crate) async fn print_list<T: DeserializeOwned>(
    api: &ApiClient,
    list: &List<T>,
    query: &Query<'_>,
    output: OutputFlags,
) -> Result<(), CommandError> {
    let page = api.page(list.path, query).await?;
    if print_document(list, &page, output)? {
        return Ok(());
    }
    print_table(list, &page.items(list.key)?, page.total, output)
}

/// Prints a page, with the total, if a format for programs is selected. Returns false if none is.
pub(crate) fn print_document<T>(
    list: &List<T>,
    page: &Page,
    output: OutputFlags,
) -> Result<bool, CommandError> {
    let mut document = page.body.clone();
    let count = || document[list.key].as_array().map_or(0, Vec::len) as u64;
    let total = page.total.unwrap_or_else(count);
    if let Value::Object(fields) = &mut document {
        fields.insert("total".to_owned(), json!(total));
    }
    output.print_list(&document, &page.body[list.key], list.name)
}

/// Prints items as a table, and how many more there are.
pub(crate) fn print_table<T>(
    list: &List<T>,
    items: &[T],
    total: Option<u64>,
    output: OutputFlags,
) -> Result<(), CommandError> {
    print(lay_out(list.columns, items, output.is_wide(), output.table_width()))?;
    if let Some(total) = total.filter(|total| *total > items.len() as u64) {
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
