//! Redis Cluster: all keys of a namespace have one hash tag, so one node holds all of them. Its
//! address is asked of the nodes in the URL, as that of a primary is asked of sentinels.

use domain::host_list::HostList;
use domain::settings::InvalidSetting;
use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::client::client;
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::primary_lookup::{PrimaryLookup, Question};

/// The most nodes of a list.
const MAX_NODES: usize = 16;
/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// Parses the settings. Returns `None` if the URL does not name nodes of a cluster.
pub(super) fn lookup(config: &StoreConfig) -> Result<Option<PrimaryLookup>, StoreError> {
    let Some(list) = HostList::of(&config.redis_url) else { return Ok(None) };
    let scheme = match list.scheme() {
        "redis+cluster" => "redis",
        "rediss+cluster" => "rediss",
        _ => return Ok(None),
    };
    let nodes = || {
        let infos = list.hosts().map(|host| {
            let host = Some(host).filter(|host| !host.is_empty())?;
            list.url_of(host, scheme, "/").into_connection_info().ok()
        });
        let infos: Vec<ConnectionInfo> = infos.collect::<Option<_>>()?;
        let valid = infos.len() <= MAX_NODES && ["", "/", "/0"].contains(&list.rest());
        valid.then_some(infos)
    };
    let mut infos = nodes().ok_or_else(|| {
        let why = "it must have the form redis+cluster://user@host:port, with up to 16 hosts \
                   separated by commas";
        InvalidSetting::new("CAPSTAN_REDIS_URL", why)
    })?;
    if let Some(password) = &config.password {
        infos = infos
            .into_iter()
            .map(|info| {
                let known = info.redis_settings().clone().set_password(password);
                info.set_redis_settings(known)
            })
            .collect();
    }
    let (primary, authorities) = (infos[0].clone(), config.authorities.clone());
    let clients = infos.into_iter().map(|info| client(info, authorities.as_deref()));
    let servers = clients.collect::<Result<_, _>>()?;
    let question = Question::Cluster(slot_of(&config.namespace));
    Ok(Some(PrimaryLookup { question, servers, primary, authorities }))
}

/// The slot of the keys with this hash tag: a CRC-16 (XMODEM).
fn slot_of(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_tag_is_that_which_redis_computes() {
        // The check value of this CRC.
        assert_eq!(slot_of("123456789"), 0x31C3);
        assert_eq!(slot_of("foo"), 12_182);
    }

    #[test]
    fn a_url_names_nodes_with_one_user_and_the_first_database() {
        let parsed = |url: &str| lookup(&StoreConfig::new(url, "test"));
        let found = parsed("redis+cluster://user:secret@a,b:1").unwrap().unwrap();
        let nodes = found.servers.iter().map(|client| {
            let info = client.get_connection_info();
            let known = info.redis_settings();
            assert_eq!((known.username(), known.password()), (Some("user"), Some("secret")));
            info.addr().to_string()
        });
        assert_eq!(nodes.collect::<Vec<_>>(), ["a:6379", "b:1"]);
        assert!(parsed("redis://a/0").unwrap().is_none(), "it names a server");
        for url in ["redis+cluster://secret@a,", "redis+cluster://secret@a/1"] {
            let error = parsed(url).err().unwrap().to_string();
            assert!(error.starts_with("invalid CAPSTAN_REDIS_URL: it must have"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
