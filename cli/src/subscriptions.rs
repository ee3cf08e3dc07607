//! `capstan subscriptions`: listing, changing, pausing and testing webhook subscriptions.

mod set;

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, table};
use domain::subscription::SubscriptionName;
use serde_json::{Map, Value};

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
    List {
        /// Print the API's answer as JSON
        #[arg(long)]
        json: bool,
    },
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

    /// Print the API's answer as JSON
    #[arg(long)]
    json: bool,
}

impl OneSubscription {
    fn path(&self, rest: &str) -> String {
        format!("/subscriptions/{}{rest}", self.name)
    }
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: SubscriptionsCommand) -> CommandResult {
    match command {
        SubscriptionsCommand::List { json } => {
            let subscriptions = List { path: "/subscriptions", key: "subscriptions" };
            print_list(api, subscriptions, &[], json, subscription_table).await?;
        }
        SubscriptionsCommand::Set(arguments) => {
            show(&api.post("/subscriptions", &arguments.body()?).await?, arguments.json)?;
        }
        SubscriptionsCommand::Show(one) => show(&api.get(&one.path("")).await?, one.json)?,
        SubscriptionsCommand::Delete(one) => api.delete(&one.path("")).await?,
        SubscriptionsCommand::Pause(one) => {
            show(&api.post_query(&one.path("/pause"), &[]).await?, one.json)?;
        }
        SubscriptionsCommand::Resume(one) => {
            show(&api.post_query(&one.path("/resume"), &[]).await?, one.json)?;
        }
        SubscriptionsCommand::Test(one) => {
            let job: Value = api.post_query(&one.path("/test"), &[]).await?;
            print_new_job(&job, one.json)?;
        }
    }
    Ok(CommandOutcome::Success)
}

fn show(subscription: &Map<String, Value>, json: bool) -> Result<(), CommandError> {
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
    print_record(subscription, &FIRST_FIELDS, json)
}

fn subscription_table(subscriptions: &[Value]) -> String {
    const COUNTS: [&str; 5] = ["waiting", "delivered", "failed", "dropped", "gaps"];
    let rows = subscriptions.iter().map(|one| {
        let events: Vec<String> =
            one["events"].as_array().into_iter().flatten().map(plain).collect();
        let mut row = vec![
            plain(&one["name"]),
            plain(&one["url"]),
            if events.is_empty() { "all".to_owned() } else { events.join(",") },
            if one["paused"] == true { "paused" } else { "" }.to_owned(),
        ];
        row.extend(COUNTS.iter().map(|field| plain(&one[*field])));
        row.push(plain(&one["lastFailure"]["message"]));
        row
    });
    let header = [
        "NAME",
        "URL",
        "EVENTS",
        "PAUSED",
        "WAITING",
        "DELIVERED",
        "FAILED",
        "DROPPED",
        "CUTS",
        "LAST FAILURE",
    ];
    table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            NAME  URL                       EVENTS      PAUSED  WAITING  DELIVERED  FAILED  DROPPED  CUTS  LAST FAILURE
            ops   https://ops.example.org/  job,worker          1        512        7       0        0     the receiver answered 503
            b     http://b/                 all         paused  0        0          0       0        0
        "#]].assert_eq(&(subscription_table(&subscriptions) + "\n"));
    }
}
