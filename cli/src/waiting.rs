//! `capstan waiting`: the waiting jobs, grouped by the reason for which they wait.

use client::command::{CommandOutcome, CommandResult, note};
use client::wire::{Waiting, WaitingGroup};
use client::{ApiClient, ClientError};
use serde::Deserialize;

use crate::columns::Column;
use crate::flags::OutputFlags;
use crate::requests::{List, print_table};

/// The groups as a table.
pub(crate) const GROUPS: List<WaitingGroup> = List {
    path: "/waiting",
    key: "groups",
    name: "subject",
    columns: &[
        Column::new("JOBS", "jobs in the group", |one: &WaitingGroup| one.count.to_string()),
        Column::new("REASON", "code of the reason; capstan explain says more", |one| {
            one.code.clone()
        }),
        Column::whole("SUBJECT", "lock, capacity, action or queue that they wait for", |one| {
            one.subject.clone()
        }),
        Column::new("OLDEST", "when the first of them was or is due", |one| one.oldest.clone()),
        Column::new("FIRST", "number of the first of them", |one| one.sample_number.to_string()),
        Column::new("MESSAGE", "why that one waits", |one| one.message.clone()),
    ],
};

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, output: OutputFlags) -> CommandResult {
    let page = api.page(GROUPS.path, &[]).await?;
    if output.print_list(&page.body, &page.body[GROUPS.key], GROUPS.name)? {
        return Ok(CommandOutcome::Success);
    }
    let waiting =
        Waiting::deserialize(&page.body).map_err(|error| ClientError::unreadable(&error))?;
    print_table(&GROUPS, &waiting.groups, None, output)?;
    for held in &waiting.long_held {
        note(format!(
            "lock {} is held by job {} since {}; {} waiting",
            held.name, held.job_number, held.since, held.waiting
        ));
    }
    if waiting.truncated {
        note("jobs wait in more places than are looked at; some are in none of these groups");
    }
    Ok(CommandOutcome::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn each_group_is_one_row() {
        let waiting = json!({"total": 16, "groups": [
            {"code": "capacity", "subject": "gpu=4", "count": 3, "sampleNumber": 7,
             "oldest": "2026-11-20T16:54:34Z", "message": "no live worker offers gpu=4"},
            {"code": "lock", "subject": "sw1", "count": 13, "sampleNumber": 8,
             "oldest": "2026-11-20T16:54:34Z", "message": "lock sw1 is held by job 6"},
        ]});
        let waiting: Waiting = serde_json::from_value(waiting).unwrap();
        expect![[r#"
            JOBS  REASON    SUBJECT  OLDEST                FIRST  MESSAGE
            3     capacity  gpu=4    2026-11-20T16:54:34Z  7      no live worker offers gpu=4
            13    lock      sw1      2026-11-20T16:54:34Z  8      lock sw1 is held by job 6
        "#]]
        .assert_eq(&(lay_out(GROUPS.columns, &waiting.groups, false, None) + "\n"));
    }
}
