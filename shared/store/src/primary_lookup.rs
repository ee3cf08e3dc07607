//! Finds the primary of Redis by asking servers that know it: sentinels, or the nodes of a Redis
//! Cluster. All of them are asked at once, and the address that most of them name is used, so that
//! one that is cut off from the others does not lead back to an old primary. The server there must
//! say that it is a primary.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError, RedisResult, Value,
    from_redis_value,
};

use crate::client::client;

/// How long a server that is asked, or the one that they name, may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(700);

/// The servers that know the primary.
pub(super) struct PrimaryLookup {
    /// What they are asked.
    pub(super) question: Question,
    /// The servers that are asked.
    pub(super) servers: Vec<Client>,
    /// How to connect to the primary; its address is replaced.
    pub(super) primary: ConnectionInfo,
    /// The certificate authorities to trust.
    pub(super) authorities: Option<String>,
}

/// What the servers are asked.
pub(super) enum Question {
    /// Of sentinels: which server is the primary of this name?
    Sentinels(String),
    /// Of the nodes of a Redis Cluster: which one holds this slot?
    Cluster(u16),
}

type Address = (String, u16);

impl PrimaryLookup {
    /// The number of the database.
    pub(super) fn database(&self) -> i64 {
        self.primary.redis_settings().db()
    }

    /// Finds the primary, and checks that it is one.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        let (host, port) = most_named(self.ask_all().await, &self.question)?;
        let info = self.primary.clone().set_addr(self.address_of(host.clone(), port));
        let client =
            client(info, self.authorities.as_deref()).map_err(|error| failed(error.to_string()))?;
        let mut connection = connect(&client).await?;
        let role: Vec<Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
        let role: String = role.into_iter().next().map_or(Ok(String::new()), from_redis_value)?;
        if role != "master" {
            let named_by = &self.question;
            return Err(failed(format!(
                "{host}:{port}, which the {named_by} name, is not a primary (role {role:?})"
            )));
        }
        Ok(client)
    }

    /// The address of the primary that more than half of all servers name.
    pub(super) async fn named_by_majority(&self) -> Option<String> {
        let answers = self.ask_all().await;
        let (host, port) = majority(&answers, self.servers.len())?;
        Some(self.address_of(host, port).to_string())
    }

    /// Asks all servers at once, until more than half of them name the same address.
    async fn ask_all(&self) -> Vec<RedisResult<Option<Address>>> {
        let mut asked: FuturesUnordered<_> =
            self.servers.iter().map(|server| self.ask(server)).collect();
        let mut answers = Vec::new();
        while let Some(answer) = asked.next().await {
            answers.push(answer);
            if majority(&answers, self.servers.len()).is_some() {
                break;
            }
        }
        answers
    }

    fn address_of(&self, host: String, port: u16) -> ConnectionAddr {
        match self.primary.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                let (insecure, tls_params) = (*insecure, tls_params.clone());
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        }
    }

    /// Asks one server. Returns `None` if it does not know a primary.
    async fn ask(&self, server: &Client) -> RedisResult<Option<Address>> {
        let mut connection = connect(server).await?;
        match &self.question {
            Question::Sentinels(name) => {
                let mut command = redis::cmd("SENTINEL");
                command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
                command.query_async(&mut connection).await
            }
            Question::Cluster(slot) => {
                let mut command = redis::cmd("CLUSTER");
                let ranges: Vec<Vec<Value>> =
                    command.arg("SLOTS").query_async(&mut connection).await?;
                let holder = ranges.into_iter().find_map(|range| holder_in(range, *slot));
                // A node that does not know its own address leaves it out.
                Ok(holder.map(|(host, port)| match server.get_connection_info().addr() {
                    ConnectionAddr::Tcp(own, _) | ConnectionAddr::TcpTls { host: own, .. }
                        if host.is_empty() =>
                    {
                        (own.clone(), port)
                    }
                    _ => (host, port),
                }))
            }
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Question::Sentinels(_) => "sentinels",
            Question::Cluster(_) => "nodes of the cluster",
        })
    }
}

/// The address of the primary of a range of slots, if the slot is in it. A range is its first slot,
/// its last one, the primary and the replicas.
fn holder_in(range: Vec<Value>, slot: u16) -> Option<Address> {
    let mut parts = range.into_iter();
    let mut bound = || from_redis_value::<u16>(parts.next()?).ok();
    let slots = bound()?..=bound()?;
    let primary: Vec<Value> = from_redis_value(parts.next()?).ok()?;
    let mut primary = primary.into_iter();
    let host: Option<String> = from_redis_value(primary.next()?).ok()?;
    let port: u16 = from_redis_value(primary.next()?).ok()?;
    slots.contains(&slot).then(|| (host.unwrap_or_default(), port))
}

/// Connects within the limit, which is also that of each answer.
async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Returns the address that more servers name than any other.
fn most_named(
    answers: Vec<RedisResult<Option<Address>>>,
    question: &Question,
) -> RedisResult<Address> {
    let (mut votes, mut error) = (BTreeMap::<Address, usize>::new(), None);
    let mut unknown = false;
    for answer in answers {
        match answer {
            Ok(Some(address)) => *votes.entry(address).or_default() += 1,
            Ok(None) => unknown = true,
            Err(failure) => error = Some(failure),
        }
    }
    let most = votes.values().max().copied().unwrap_or_default();
    let mut named = votes.into_iter().filter(|(_, count)| *count == most);
    match (named.next(), named.next()) {
        (Some((address, _)), None) => Ok(address),
        (Some(_), Some(_)) => Err(failed(format!("the {question} disagree about the primary"))),
        (None, _) if unknown => Err(failed(match question {
            Question::Sentinels(name) => format!("the sentinels know no primary {name:?}"),
            Question::Cluster(slot) => format!("no node of the cluster holds slot {slot}"),
        })),
        (None, _) => {
            let why = error.map_or_else(String::new, |error| format!(": {error}"));
            Err(failed(format!("none of the {question} answers{why}")))
        }
    }
}

/// Returns the address that more than half of so many servers name.
fn majority(answers: &[RedisResult<Option<Address>>], servers: usize) -> Option<Address> {
    let mut votes = BTreeMap::<&Address, usize>::new();
    for address in answers.iter().filter_map(|answer| answer.as_ref().ok()?.as_ref()) {
        *votes.entry(address).or_default() += 1;
    }
    votes.into_iter().find(|(_, count)| count * 2 > servers).map(|(address, _)| address.clone())
}

fn failed(why: String) -> RedisError {
    io::Error::other(why).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_most_servers_name_is_used() {
        let a = || Ok(Some(("a".to_owned(), 1)));
        let b = || Ok(Some(("b".to_owned(), 1)));
        let down = || Err(failed("down".to_owned()));
        let cases = [
            (vec![a(), b(), b()], "b"),
            (vec![a(), down(), down()], "a"),
            (vec![a(), Ok(None), down()], "a"),
            (vec![a(), b(), down()], "the sentinels disagree about the primary"),
            (vec![Ok(None), down()], "the sentinels know no primary \"jobs\""),
            (vec![down()], "none of the sentinels answers: down"),
        ];
        let question = Question::Sentinels("jobs".to_owned());
        for (answers, expected) in cases {
            let found = most_named(answers, &question).map(|(host, _)| host);
            let found = found.unwrap_or_else(|error| error.to_string());
            assert!(found.contains(expected), "{found}, not {expected}");
        }
    }

    #[test]
    fn a_primary_is_left_only_if_more_than_half_of_all_servers_name_another() {
        let (a, b) = (|| Ok(Some(("a".to_owned(), 1))), || Ok(Some(("b".to_owned(), 1))));
        let down = || Err(failed("down".to_owned()));
        let named = |answers: Vec<_>| majority(&answers, answers.len()).map(|(host, _)| host);
        assert_eq!(named(vec![a(), b(), b()]), Some("b".to_owned()));
        assert_eq!(named(vec![b(), b(), down()]), Some("b".to_owned()));
        assert_eq!(named(vec![b(), down(), down()]), None);
        assert_eq!(named(vec![a(), b()]), None);
    }

    #[test]
    fn the_holder_of_a_slot_is_the_first_server_of_its_range() {
        let text = |text: &str| Value::BulkString(text.into());
        let range = || {
            let server = |host, port| Value::Array(vec![host, Value::Int(port), text("id")]);
            let servers = [server(text("a"), 1), server(text("b"), 2)];
            [Value::Int(10), Value::Int(20)].into_iter().chain(servers).collect::<Vec<_>>()
        };
        assert_eq!(holder_in(range(), 20), Some(("a".to_owned(), 1)));
        assert_eq!(holder_in(range(), 21), None);
        let mut unnamed = range();
        unnamed[2] = Value::Array(vec![Value::Nil, Value::Int(3)]);
        assert_eq!(holder_in(unnamed, 10), Some((String::new(), 3)));
    }
}
