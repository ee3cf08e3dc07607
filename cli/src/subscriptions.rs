//! `capstan subscriptions`: who is told of events over HTTP, and how that goes.

mod set;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use shared::subscription::SubscriptionName;

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::jobs::show::lines;
use crate::out;

/// What `subscriptions` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    /// List subscriptions by name, and how they go
    List(ListArguments),
    /// Make a subscription, or change the one of that name; prints its secret if one was made for it, this once
    Set(Box<set::SetArguments>),
    /// Show all that is known of a subscription
    Show(OneSubscription),
    /// Delete a subscription; messages that are on their way are not sent any more
    Delete(OneSubscription),
    /// Tell a subscription of nothing until it is resumed; what happens meanwhile is not told later
    Pause(OneSubscription),
    /// Tell a paused subscription of what comes from now on
    Resume(OneSubscription),
    /// Send a message that tells of nothing, and print the id of the job that does it
    Test(OneSubscription),
}

/// What `subscriptions list` is told.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What names one subscription.
#[derive(Debug, Args)]
pub(crate) struct OneSubscription {
    /// The subscription
    name: SubscriptionName,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) async fn run(api: &Api, command: SubscriptionsCommand) -> Result<Ending, Failure> {
    match command {
        SubscriptionsCommand::List(arguments) => {
            let answer: Value = api.get("/subscriptions").await?;
            if arguments.json {
                out::say_json(&answer)?;
            } else {
                out::say(table(answer["subscriptions"].as_array().map_or(&[], Vec::as_slice)))?;
            }
        }
        SubscriptionsCommand::Set(arguments) => {
            show(&set::set(api, &arguments).await?, arguments.json)?;
        }
        SubscriptionsCommand::Show(one) => show(&api.get(&one.path("")).await?, one.json)?,
        SubscriptionsCommand::Delete(one) => api.delete(&one.path("")).await?,
        SubscriptionsCommand::Pause(one) => {
            show(&api.ask_for(&one.path("/pause"), &[]).await?, one.json)?;
        }
        SubscriptionsCommand::Resume(one) => {
            show(&api.ask_for(&one.path("/resume"), &[]).await?, one.json)?;
        }
        SubscriptionsCommand::Test(one) => {
            let job: Map<String, Value> = api.ask_for(&one.path("/test"), &[]).await?;
            if one.json {
                out::say_json(&job)?;
            } else {
                out::say(job.get("id").map(out::plain).unwrap_or_default())?;
            }
        }
    }
    Ok(Ending::Well)
}

impl OneSubscription {
    fn path(&self, rest: &str) -> String {
        format!("/subscriptions/{}{rest}", self.name)
    }
}

/// One field a line.
fn show(subscription: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    const ORDER: [&str; 10] = [
        "name",
        "secret",
        "url",
        "events",
        "filter",
        "paused",
        "waiting",
        "lastDelivered",
        "lastFailure",
        "lastCut",
    ];
    if json { out::say_json(subscription) } else { out::say(lines(subscription, &ORDER)) }
}

fn table(subscriptions: &[Value]) -> String {
    const COUNTS: [&str; 5] = ["waiting", "delivered", "failed", "dropped", "cuts"];
    let rows = subscriptions.iter().map(|one| {
        let events = one["events"].as_array().map_or(&[][..], Vec::as_slice);
        let events: Vec<String> = events.iter().map(out::plain).collect();
        let mut row = vec![
            out::plain(&one["name"]),
            out::plain(&one["url"]),
            if events.is_empty() { "all".to_owned() } else { events.join(",") },
            if one["paused"] == true { "paused" } else { "" }.to_owned(),
        ];
        row.extend(COUNTS.iter().map(|field| out::plain(&one[*field])));
        row.push(out::plain(&one["lastFailure"]["message"]));
        row
    });
    let header = [
        "NAME",
        "URL",
        "EVENTS",
        "",
        "WAITING",
        "DELIVERED",
        "FAILED",
        "DROPPED",
        "CUTS",
        "LAST FAILURE",
    ];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_subscription_is_one_row() {
        let subscriptions = [
            json!({"name": "ops", "url": "https://ops.example.org/", "events": ["job", "worker"],
                "paused": false, "waiting": 1, "delivered": 512, "failed": 7, "dropped": 0,
                "cuts": 0, "lastFailure": {"message": "the receiver answered 503"}}),
            json!({"name": "b", "url": "http://b/", "events": [], "paused": true, "waiting": 0,
                "delivered": 0, "failed": 0, "dropped": 0, "cuts": 0, "lastFailure": null}),
        ];
        expect![[r#"
            NAME  URL                       EVENTS              WAITING  DELIVERED  FAILED  DROPPED  CUTS  LAST FAILURE
            ops   https://ops.example.org/  job,worker          1        512        7       0        0     the receiver answered 503
            b     http://b/                 all         paused  0        0          0       0        0
        "#]].assert_eq(&(table(&subscriptions) + "\n"));
    }
}
