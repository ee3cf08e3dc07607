//! The clients of webhooks. Each connects only to addresses that it has checked itself, so a name
//! cannot resolve to another address between the check and the connection.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::job::Exception;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

use crate::networks::{AllowedNetworks, ReachableAddresses};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for each port on which other addresses may be reached, because a resolver sees only the
/// name of a host.
pub(super) struct CheckedClients {
    of_port: BTreeMap<u16, CheckedClient>,
    of_other_ports: CheckedClient,
}

/// A client that connects only to these addresses.
struct CheckedClient {
    reachable: Arc<ReachableAddresses>,
    // Created when it is first needed, because that reads the machine's certificates.
    http: OnceLock<Result<reqwest::Client, String>>,
}

/// The error of a host at an address that webhooks must not reach.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} has no address that webhooks may reach on this port (CAPSTAN_WEBHOOK_ALLOW, or for \
     subscriptions CAPSTAN_SUBSCRIPTION_ALLOW, can allow more)"
)]
struct ForbiddenHost(String);

impl From<&ForbiddenHost> for Exception {
    fn from(host: &ForbiddenHost) -> Exception {
        Exception::new("ForbiddenAddress", host.to_string())
    }
}

impl CheckedClients {
    /// Creates clients that reach public addresses and the `allowed` networks.
    pub(super) fn new(allowed: &AllowedNetworks) -> CheckedClients {
        let client = |port| CheckedClient {
            reachable: Arc::new(allowed.on_port(port)),
            http: OnceLock::new(),
        };
        CheckedClients {
            of_port: allowed.ports().map(|port| (port, client(Some(port)))).collect(),
            of_other_ports: client(None),
        }
    }

    /// Returns the client for the port of a URL, unless its host is a forbidden address.
    pub(super) fn for_url(&self, url: &Url) -> Result<&reqwest::Client, Exception> {
        let port = url.port_or_known_default();
        let client = port.and_then(|port| self.of_port.get(&port)).unwrap_or(&self.of_other_ports);
        // A host that is an address is not resolved, so it is checked here.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address: Option<IpAddr> = host.parse().ok();
        if address.is_some_and(|address| !client.reachable.contain(address)) {
            return Err(Exception::from(&ForbiddenHost(host.to_owned())));
        }
        let http = client.http.get_or_init(|| client.build()).as_ref();
        http.map_err(|why| Exception::new("NoClient", why.clone()))
    }
}

impl CheckedClient {
    fn build(&self) -> Result<reqwest::Client, String> {
        let client = reqwest::Client::builder()
            // A proxy would connect to addresses that are not checked.
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(CheckedResolver(Arc::clone(&self.reachable))))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("capstan/", env!("CARGO_PKG_VERSION")));
        client.build().map_err(|error| format!("cannot create an HTTP client: {}", causes(&error)))
    }
}

/// Resolves names to those of their addresses that webhooks may reach.
struct CheckedResolver(Arc<ReachableAddresses>);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reachable = Arc::clone(&self.0);
        Box::pin(async move {
            // Port 0 stands for the port of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> =
                found.filter(|found| reachable.contain(found.ip())).collect();
            if found.is_empty() {
                return Err(ForbiddenHost(name.as_str().to_owned()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Returns the exception of a request that failed because the name of its host leads to no address
/// that may be reached.
pub(super) fn forbidden_address(error: &reqwest::Error) -> Option<Exception> {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(inner) = cause {
        // Some layers wrap the cause in an I/O error that does not return it as its source.
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped = wrapped.and_then(|wrapped| wrapped.downcast_ref::<ForbiddenHost>());
        if let Some(host) = inner.downcast_ref::<ForbiddenHost>().or(wrapped) {
            return Some(Exception::from(host));
        }
        cause = inner.source();
    }
    None
}

/// Returns an error's chain of causes, without the URL, which may contain a credential.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.ends_with(&message) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&message);
        }
        cause = inner.source();
    }
    if text.is_empty() { "the receiver did not answer in time".to_owned() } else { text }
}
