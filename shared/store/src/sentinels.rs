//! Redis under Sentinel: the URL names the sentinels, which know the primary.

use domain::host_list::HostList;
use domain::settings::InvalidSetting;
use redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use crate::client::client;
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::primary_lookup::{PrimaryLookup, Question};

/// The port of a sentinel without one.
const DEFAULT_PORT: u16 = 26_379;

/// The most sentinels of a list.
const MAX_SENTINELS: usize = 16;

/// Parses the settings. Returns `None` if the URL does not name sentinels.
pub(super) fn lookup(config: &StoreConfig) -> Result<Option<PrimaryLookup>, StoreError> {
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
        let why = "it must have the form redis+sentinel://user@host:port/name/database, with up \
                   to 16 hosts separated by commas";
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
    let servers = clients.collect::<Result<_, _>>()?;
    Ok(Some(PrimaryLookup { question: Question::Sentinels(name), servers, primary, authorities }))
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

    fn parsed(url: &str) -> Result<Option<PrimaryLookup>, String> {
        lookup(&StoreConfig::new(url, "test")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_names_the_sentinels_the_primary_and_its_database() {
        let url = "redis+sentinel://user:secret@a,b:1,[::1]/jobs/3";
        let found = parsed(url).unwrap().unwrap();
        let addresses = found.servers.iter().map(|client| {
            let info = client.get_connection_info();
            assert_eq!(info.redis_settings().password(), None, "the password is that of Redis");
            info.addr().to_string()
        });
        assert_eq!(addresses.collect::<Vec<_>>(), ["a:26379", "b:1", "::1:26379"]);
        let known = found.primary.redis_settings();
        assert_eq!((known.username(), known.password()), (Some("user"), Some("secret")));
        assert!(matches!(&found.question, Question::Sentinels(name) if name == "jobs"));
        assert_eq!(found.database(), 3);
        assert!(parsed("redis://a/0").unwrap().is_none(), "it names a server");
        for url in
            ["redis+sentinel://secret@a", "redis+sentinel://secret@a,/x", "redis+sentinel://a/x/y"]
        {
            let error = parsed(url).err().unwrap();
            assert!(error.starts_with("invalid CAPSTAN_REDIS_URL: it must have"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
