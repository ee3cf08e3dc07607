//! `capstan subscriptions`: listing, changing, pausing and testing webhook subscriptions.

mod set;

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult};
use domain::subscription::SubscriptionName;
use serde_json::Value;

use crate::columns::{Column, columns_help};
use crate::flags::OutputFlags;
use crate::record::{plain, print_new_job, print_record};
use crate::requests::{List, print_list};

const SET_EXAMPLES: &str = "\
Examples:
  capstan subscriptions set ops https://ops.example.org/capstan
  capstan subscriptions set failures https://ops.example.org/capstan --event job \\
      --action scan --status error,worker_dead";

/// The commands on subscriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    /// List subscriptions by name, with delivery counts
    #[command(after_help = columns_help(SUBSCRIPTIONS.columns))]
    List(OutputFlags),
    /// Create a subscription, or change the one of that name
    ///
    /// Each subscription receives one signed POST per matching event. A generated
    /// signing secret is printed only once.
    #[command(after_help = SET_EXAMPLES)]
    Set(Box<set::SetArguments>),
    /// Show a subscription
    Show(OneSubscription),
    /// Delete a subscription; undelivered messages are dropped
    Delete(OneSubscription),
    /// Stop delivering events to a subscription
    ///
    /// Events that occur while a subscription is paused are not delivered later.
    Pause(OneSubscription),
    /// Deliver events to a paused subscription again
    Resume(OneSubscription),
    /// Send a test message and print the ID of the job that delivers it
    Test(OneSubscription),
}

/// The arguments of a command on one subscription.
#[derive(Debug, Args)]
pub(crate) struct OneSubscription {
    /// Name of the subscription
    name: SubscriptionName,

    #[command(flatten)]
    output: OutputFlags,
}

impl OneSubscription {
    fn path(&self, rest: &str) -> String {
        format!("/subscriptions/{}{rest}", self.name)
    }
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: SubscriptionsCommand) -> CommandResult {
    match command {
        SubscriptionsCommand::List(output) => {
            print_list(api, &SUBSCRIPTIONS, &[], output).await?;
        }
        SubscriptionsCommand::Set(arguments) => {
            let body = arguments.body(api).await?;
            show(&api.post("/subscriptions", &body).await?, arguments.output)?;
        }
        SubscriptionsCommand::Show(one) => show(&api.get(&one.path("")).await?, one.output)?,
        SubscriptionsCommand::Delete(one) => api.delete(&one.path("")).await?,
        SubscriptionsCommand::Pause(one) => {
            show(&api.post_query(&one.path("/pause"), &[]).await?, one.output)?;
        }
        SubscriptionsCommand::Resume(one) => {
            show(&api.post_query(&one.path("/resume"), &[]).await?, one.output)?;
        }
        SubscriptionsCommand::Test(one) => {
            let job: Value = api.post_query(&one.path("/test"), &[]).await?;
            print_new_job(&job, one.output)?;
        }
    }
    Ok(CommandOutcome::Success)
}

fn show(subscription: &Value, output: OutputFlags) -> Result<(), CommandError> {
    const FIRST_FIELDS: [&str; 10] = [
        "name",
        "secret",
        "url",
        "events",
        "filter",
        "paused",
        "waiting",
        "lastDelivered",
        "lastFailure",
        "lastGap",
    ];
    print_record(subscription, &FIRST_FIELDS, output)
}

const SUBSCRIPTIONS: List<Value> = List {
    path: "/subscriptions",
    key: "subscriptions",
    name: "name",
    columns: &[
        Column::whole("NAME", "name of the subscription", |one: &Value| plain(&one["name"])),
        Column::new("URL", "address that receives messages", |one| plain(&one["url"])),
        Column::new("EVENTS", "kinds of events that are delivered", events),
        Column::new("PAUSED", "`paused` while nothing is delivered", |one| {
            if one["paused"] == true { "paused" } else { "" }.to_owned()
        }),
        Column::new("WAITING", "messages that wait for delivery", |one| plain(&one["waiting"])),
        Column::new("DELIVERED", "messages that arrived", |one| plain(&one["delivered"])),
        Column::new("FAILED", "messages that were given up", |one| plain(&one["failed"])),
        Column::new("DROPPED", "messages that had no room", |one| plain(&one["dropped"])),
        Column::new("GAPS", "times that events were lost", |one| plain(&one["gaps"])),
        Column::new("LAST FAILURE", "why the last delivery failed", |one| {
            plain(&one["lastFailure"]["message"])
        }),
    ],
};

fn events(subscription: &Value) -> String {
    let events: Vec<String> =
        subscription["events"].as_array().into_iter().flatten().map(plain).collect();
    if events.is_empty() { "all".to_owned() } else { events.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn each_subscription_is_one_row() {
        let subscriptions = [
            json!({"name": "ops", "url": "https://ops.example.org/", "events": ["job", "worker"],
                "paused": false, "waiting": 1, "delivered": 512, "failed": 7, "dropped": 0,
                "gaps": 0, "lastFailure": {"message": "the receiver answered 503"}}),
            json!({"name": "b", "url": "http://b/", "events": [], "paused": true, "waiting": 0,
                "delivered": 0, "failed": 0, "dropped": 0, "gaps": 0, "lastFailure": null}),
        ];
        expect![[r#"
            NAME  URL                       EVENTS      PAUSED  WAITING  DELIVERED  FAILED  DROPPED  GAPS  LAST FAILURE
            ops   https://ops.example.org/  job,worker          1        512        7       0        0     the receiver answered 503
            b     http://b/                 all         paused  0        0          0       0        0
        "#]].assert_eq(&(lay_out(SUBSCRIPTIONS.columns, &subscriptions, false, None) + "\n"));
    }
}
