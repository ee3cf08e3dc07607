//! The addresses of RabbitMQ, the certificate authorities to trust, and how a connection is opened.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use domain::host_list::HostList;
use domain::settings::InvalidSetting;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};

use crate::config::BrokerConfig;
use crate::error::{BrokerError, CALL_LIMIT, limited_to};

/// The period of AMQP heartbeats. A broken connection is noticed within twice this time.
const HEARTBEAT_S: u16 = 10;

/// How long a connection to one node may take if there are others to try.
const NODE_LIMIT: Duration = Duration::from_secs(3);

/// The most nodes of a list.
const MAX_NODES: usize = 16;

/// The addresses of the nodes of RabbitMQ.
pub(super) struct Endpoint {
    nodes: Vec<AMQPUri>,
    trusted: OwnedTLSConfig,
}

impl Endpoint {
    /// Parses the settings. The errors of the parser are dropped, because they may repeat the URL
    /// with its password.
    pub(super) fn new(config: &BrokerConfig) -> Result<Endpoint, InvalidSetting> {
        let urls = urls_of(&config.amqp_url);
        let nodes: Option<Vec<AMQPUri>> = urls.iter().map(|url| url.parse().ok()).collect();
        let invalid = || {
            let why = "it must have the form amqp://user@host:port/vhost, with up to 16 hosts \
                       separated by commas";
            InvalidSetting::new("CAPSTAN_AMQP_URL", why)
        };
        let mut nodes = nodes.filter(|nodes| nodes.len() <= MAX_NODES).ok_or_else(invalid)?;
        let limit = limit_of(nodes.len());
        for node in &mut nodes {
            if let Some(password) = config.password.clone() {
                node.authority.userinfo.password = password;
            }
            node.query.heartbeat.get_or_insert(HEARTBEAT_S);
            node.query.connection_timeout.get_or_insert(limit.as_millis() as u64);
        }
        let trusted = OwnedTLSConfig { identity: None, cert_chain: config.authorities.clone() };
        Ok(Endpoint { nodes, trusted })
    }

    /// Opens a connection that RabbitMQ shows with this name, to any node: they are tried in random
    /// order. Returns the error of the last one if none can be reached.
    pub(super) async fn open(&self, name: &str) -> Result<Connection, BrokerError> {
        let mut order: Vec<&AMQPUri> = self.nodes.iter().collect();
        loop {
            let node = order.swap_remove(random_below(order.len()));
            let opened = self.open_node(node, name).await;
            if opened.is_ok() || order.is_empty() {
                return opened;
            }
            if let Err(error) = opened {
                let host = &node.authority.host;
                tracing::warn!(host, %error, "cannot connect to a node of rabbitmq, trying another");
            }
        }
    }

    async fn open_node(&self, node: &AMQPUri, name: &str) -> Result<Connection, BrokerError> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = lapin::runtime::default_runtime()?;
        let (uri, trusted) = (node.clone(), self.trusted.clone());
        let connecting = Connection::connect_uri_with_config(uri, properties, trusted, runtime);
        limited_to(limit_of(self.nodes.len()), "connect", connecting).await
    }
}

/// Returns how long a connection to one of `nodes` nodes may take.
fn limit_of(nodes: usize) -> Duration {
    if nodes > 1 { NODE_LIMIT } else { CALL_LIMIT }
}

/// Returns the URL of each node: of each host of one URL, or of each of several whole URLs.
fn urls_of(text: &str) -> Vec<String> {
    let whole: Vec<&str> = text.split(',').map(str::trim).collect();
    if whole.len() > 1 && whole.iter().all(|url| url.contains("://")) {
        return whole.into_iter().map(str::to_owned).collect();
    }
    let Some(list) = HostList::of(text) else { return vec![text.to_owned()] };
    list.hosts().map(|host| list.url_of(host, list.scheme(), list.rest())).collect()
}

/// A random index below `count`, good enough to spread connections over the nodes.
fn random_below(count: usize) -> usize {
    let random = RandomState::new().build_hasher().finish();
    (random % (count.max(1) as u64)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QueueType;

    fn nodes(url: &str) -> Result<Vec<String>, String> {
        let endpoint = Endpoint::new(&BrokerConfig::new(url, QueueType::Quorum));
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let shown = endpoint.nodes.iter().map(|node| {
            let (user, at) = (&node.authority.userinfo, &node.authority);
            format!("{}:{}@{}:{}{}", user.username, user.password, at.host, at.port, node.vhost)
        });
        Ok(shown.collect())
    }

    #[test]
    fn a_list_of_hosts_or_of_urls_names_each_node() {
        let cases: [(&str, &[&str]); 3] = [
            ("amqp://u:p@a:1/%2f", &["u:p@a:1/"]),
            ("amqp://u:p@a,b:1,c/%2f", &["u:p@a:5672/", "u:p@b:1/", "u:p@c:5672/"]),
            ("amqp://u:p@a/v,amqp://w:q@b/v", &["u:p@a:5672v", "w:q@b:5672v"]),
        ];
        for (url, expected) in cases {
            assert_eq!(nodes(url).unwrap(), expected, "{url}");
        }
        let many = format!("amqp://secret@{}", vec!["a"; 17].join(","));
        for url in ["amqp://u:secret@a,/v,", "secret,secret", "a:secret", &many] {
            let error = nodes(url).unwrap_err();
            assert!(error.starts_with("invalid CAPSTAN_AMQP_URL: it must have"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
