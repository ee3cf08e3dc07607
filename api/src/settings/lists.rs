//! Settings that are lists, separated by commas: networks of proxies, origins of pages and names of
//! this host.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderValue;
use ipnet::IpNet;

/// IP addresses and networks such as 10.0.0.0/8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// Origins of web pages such as `https://ops.example.org`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<HeaderValue>);

/// Names of this host such as `capstan.example.org`, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Networks {
    /// Returns true if the address is in one of the networks.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Origins {
    /// Returns the origins as values of the header `Origin`.
    pub(crate) fn as_headers(&self) -> &[HeaderValue] {
        &self.0
    }
}

impl Hosts {
    /// Returns true if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the name is one of them.
    pub(crate) fn contain(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Networks, String> {
        items(text).map(network).collect::<Result<_, _>>().map(Networks)
    }
}

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Origins, String> {
        items(text).map(origin).collect::<Result<_, _>>().map(Origins)
    }
}

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Hosts, String> {
        items(text).map(host).collect::<Result<_, _>>().map(Hosts)
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn network(item: &str) -> Result<IpNet, String> {
    let address = || item.parse::<IpAddr>().map(|address| address.to_canonical().into());
    let network = item.parse().or_else(|_| address());
    network.map_err(|_| format!("{item:?} is neither an address nor a network like 10.0.0.0/8"))
}

fn origin(item: &str) -> Result<HeaderValue, String> {
    let host = item.strip_prefix("https://").or_else(|| item.strip_prefix("http://"));
    let is_host = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '@']));
    let value = HeaderValue::from_str(item).ok().filter(|_| is_host);
    value.ok_or_else(|| format!("{item:?} is not an origin like https://ops.example.org"))
}

fn host(item: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = item.chars().all(plain).then(|| item.to_ascii_lowercase());
    name.ok_or_else(|| format!("{item:?} is not a host name like capstan.example.org"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_network_is_named() {
        assert_eq!("".parse(), Ok(Networks::default()));
        let networks: Networks = "10.0.0.0/8, ::1".parse().unwrap();
        assert!(networks.contain("10.1.2.3".parse().unwrap()));
        let error = "10.0.0.1,10.0.0.0/33".parse::<Networks>().unwrap_err();
        assert!(error.starts_with("\"10.0.0.0/33\" is neither"), "{error}");
    }

    #[test]
    fn a_host_is_a_name_without_a_scheme_or_a_port() {
        let hosts: Hosts = "Capstan.example.org, jobs".parse().unwrap();
        assert!(hosts.contain("capstan.example.ORG") && hosts.contain("jobs"));
        assert!(!hosts.contain("example.org"));
        for bad in ["http://a", "a:80", "a/b", "x@a", "*", "a b"] {
            assert!(bad.parse::<Hosts>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_nothing_else() {
        for good in ["", "https://a.example", "http://localhost:3000, https://b.example"] {
            assert!(good.parse::<Origins>().is_ok(), "{good}");
        }
        for bad in ["*", "a.example", "https://", "https://a.example/", "https://*.example"] {
            assert!(bad.parse::<Origins>().is_err(), "{bad}");
        }
    }
}
