//! Finds the primary of Redis through sentinels. All of them are asked at once, and the address
//! that most of them name is used, so that a sentinel that is cut off from the others does not lead
//! back to an old primary. The server there must say that it is the primary.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use domain::host_list::HostList;
use domain::settings::InvalidSetting;
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult,
};

use crate::client::client;
use crate::config::StoreConfig;
use crate::error::StoreError;

/// How long a sentinel, or the server that they name, may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(700);

/// The port of a sentinel without one.
const DEFAULT_PORT: u16 = 26_379;

/// The most sentinels of a list.
const MAX_SENTINELS: usize = 16;

/// The sentinels that watch one primary.
pub(super) struct Sentinels {
    /// The name by which the sentinels know the primary.
    name: String,
    sentinels: Vec<Client>,
    /// How to connect to the primary; its address is replaced.
    primary: ConnectionInfo,
    authorities: Option<String>,
}

impl Sentinels {
    /// Parses the settings. Returns `None` if the URL does not name sentinels.
    pub(super) fn new(config: &StoreConfig) -> Result<Option<Sentinels>, StoreError> {
        let Some(list) = HostList::of(&config.redis_url) else { return Ok(None) };
        let scheme = match list.scheme() {
            "redis+sentinel" => "redis",
            "rediss+sentinel" => "rediss",
            _ => return Ok(None),
        };
        let parts = || {
            let (name, database) = name_and_database(list.rest())?;
            let infos = list.hosts().map(|host| {
                let host = (!host.is_empty()).then(|| with_port(host))?;
                list.url_of(&host, scheme, &database).into_connection_info().ok()
            });
            let infos: Vec<ConnectionInfo> = infos.collect::<Option<_>>()?;
            (infos.len() <= MAX_SENTINELS).then_some((name, infos))
        };
        let (name, infos) = parts().ok_or_else(|| {
            let why = "it must have the form redis+sentinel://user@host:port/name/database, with \
                       up to 16 hosts separated by commas";
            InvalidSetting::new("CAPSTAN_REDIS_URL", why)
        })?;
        let mut primary = infos[0].clone();
        if let Some(password) = &config.password {
            let known = primary.redis_settings().clone().set_password(password);
            primary = primary.set_redis_settings(known);
        }
        let mut access = RedisConnectionInfo::default();
        if let Some(password) = &config.sentinel_password {
            access = access.set_password(password);
        }
        let authorities = config.authorities.clone();
        let clients = infos
            .into_iter()
            .map(|info| client(info.set_redis_settings(access.clone()), authorities.as_deref()));
        let sentinels = clients.collect::<Result<_, _>>()?;
        Ok(Some(Sentinels { name, sentinels, primary, authorities }))
    }

    /// The number of the database.
    pub(super) fn database(&self) -> i64 {
        self.primary.redis_settings().db()
    }

    /// Finds the primary, and checks that it is one.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        let answers = join_all(self.sentinels.iter().map(|sentinel| self.ask(sentinel))).await;
        let (host, port) = most_named(answers, &self.name)?;
        let mut address = ConnectionAddr::Tcp(host.clone(), port);
        if let ConnectionAddr::TcpTls { insecure, tls_params, .. } = self.primary.addr() {
            let (insecure, tls_params) = (*insecure, tls_params.clone());
            address = ConnectionAddr::TcpTls { host: host.clone(), port, insecure, tls_params };
        }
        let info = self.primary.clone().set_addr(address);
        let client =
            client(info, self.authorities.as_deref()).map_err(|error| failed(error.to_string()))?;
        let mut connection = connect(&client).await?;
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
        let role: String =
            role.into_iter().next().map_or(Ok(String::new()), redis::from_redis_value)?;
        if role != "master" {
            return Err(failed(format!(
                "{host}:{port}, which the sentinels name, is not a primary (role {role:?})"
            )));
        }
        Ok(client)
    }

    /// Asks one sentinel. Returns `None` if it does not know the name.
    async fn ask(&self, sentinel: &Client) -> RedisResult<Option<(String, u16)>> {
        let mut connection = connect(sentinel).await?;
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        command.query_async(&mut connection).await
    }
}

/// Connects within the limit, which is also that of each answer.
async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Returns the address that more sentinels name than any other.
fn most_named(
    answers: Vec<RedisResult<Option<(String, u16)>>>,
    name: &str,
) -> RedisResult<(String, u16)> {
    let (mut votes, mut error) = (BTreeMap::<(String, u16), usize>::new(), None);
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
        (Some(_), Some(_)) => Err(failed("the sentinels disagree about the primary".to_owned())),
        (None, _) if unknown => Err(failed(format!("the sentinels know no primary {name:?}"))),
        (None, _) => {
            let why = error.map_or_else(String::new, |error| format!(": {error}"));
            Err(failed(format!("no sentinel answers{why}")))
        }
    }
}

fn failed(why: String) -> RedisError {
    io::Error::other(why).into()
}

/// Splits `/name` or `/name/database`. The database is returned with the slash before it.
fn name_and_database(rest: &str) -> Option<(String, String)> {
    let mut parts = rest.strip_prefix('/')?.splitn(2, '/');
    let name = parts.next().filter(|name| !name.is_empty() && !name.contains(['?', '#']))?;
    let database = parts.next().unwrap_or_default();
    let valid = database.is_empty() || database.parse::<u16>().is_ok();
    valid.then(|| (name.to_owned(), format!("/{database}")))
}

/// Adds the default port to a host that has none.
fn with_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port && !host.ends_with(']') {
        host.to_owned()
    } else {
        format!("{host}:{DEFAULT_PORT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Option<Sentinels>, String> {
        Sentinels::new(&StoreConfig::new(url, "test")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_names_the_sentinels_the_primary_and_its_database() {
        let url = "redis+sentinel://user:secret@a,b:1,[::1]/jobs/3";
        let found = parsed(url).unwrap().unwrap();
        let addresses = found.sentinels.iter().map(|client| {
            let info = client.get_connection_info();
            assert_eq!(info.redis_settings().password(), None, "the password is that of Redis");
            info.addr().to_string()
        });
        assert_eq!(addresses.collect::<Vec<_>>(), ["a:26379", "b:1", "::1:26379"]);
        let known = found.primary.redis_settings();
        assert_eq!((known.username(), known.password()), (Some("user"), Some("secret")));
        assert_eq!((found.name.as_str(), found.database()), ("jobs", 3));
        assert!(parsed("redis://a/0").unwrap().is_none(), "it names a server");
        for url in
            ["redis+sentinel://secret@a", "redis+sentinel://secret@a,/x", "redis+sentinel://a/x/y"]
        {
            let error = parsed(url).err().unwrap();
            assert!(error.starts_with("invalid CAPSTAN_REDIS_URL: it must have"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_address_that_most_sentinels_name_is_used() {
        let a = || Ok(Some(("a".to_owned(), 1)));
        let b = || Ok(Some(("b".to_owned(), 1)));
        let down = || Err(failed("down".to_owned()));
        let cases = [
            (vec![a(), b(), b()], "b"),
            (vec![a(), down(), down()], "a"),
            (vec![a(), Ok(None), down()], "a"),
            (vec![a(), b(), down()], "the sentinels disagree about the primary"),
            (vec![Ok(None), down()], "the sentinels know no primary \"jobs\""),
            (vec![down()], "no sentinel answers: down"),
        ];
        for (answers, expected) in cases {
            let found = most_named(answers, "jobs").map(|(host, _)| host);
            let found = found.unwrap_or_else(|error| error.to_string());
            assert!(found.contains(expected), "{found}, not {expected}");
        }
    }
}
