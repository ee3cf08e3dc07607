//! Where a request comes from: the peer of its connection, or, where that is a proxy that we trust,
//! whoever the proxy says. Nobody else is believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

const FORWARDED: &str = "x-forwarded-for";

/// The other end of the connection; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Networks, as a setting names them: addresses, or like 10.0.0.0/8, with commas between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// True when the address is in one of them.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Networks, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let network = |word: &str| {
            let alone = || word.parse::<IpAddr>().map(|address| address.to_canonical().into());
            word.parse().or_else(|_| alone()).map_err(|_| {
                format!("{word:?} is neither an address nor a network like 10.0.0.0/8")
            })
        };
        words.map(network).collect::<Result<_, _>>().map(Networks)
    }
}

/// Who sent a request. Proxies add whom they heard of at the right end of the header: the first
/// from there that is not a proxy of ours is the one.
pub(crate) fn remote(extensions: &Extensions, headers: &HeaderMap, proxies: &Networks) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let mut found = peer;
    let said = headers.get_all(FORWARDED).iter().rev();
    let said = said.filter_map(|value| value.to_str().ok()).flat_map(|text| text.rsplit(','));
    for word in said {
        if !proxies.contain(found) {
            break;
        }
        let Some(address) = address(word.trim()) else { break };
        found = address;
    }
    found
}

/// Some proxies add the port.
fn address(word: &str) -> Option<IpAddr> {
    let with_port = || word.parse::<SocketAddr>().map(|address| address.ip());
    word.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, said: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for one in said {
            headers.append(FORWARDED, one.parse().unwrap());
        }
        let proxies = "10.0.0.0/8, ::1".parse().unwrap();
        remote(&extensions, &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let cases: [(&str, &[&str], &str); 10] = [
            ("192.0.2.1", &[], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.7"], "198.51.100.7"),
            ("::1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("10.1.2.3", &["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", &["6.6.6.6, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            ("10.1.2.3", &["6.6.6.6, 198.51.100.7", "10.9.9.9"], "198.51.100.7"),
            ("10.1.2.3", &["198.51.100.7, nonsense"], "10.1.2.3"),
            ("10.1.2.3", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ];
        for (peer, said, expected) in cases {
            assert_eq!(found(peer, said), expected, "{peer} {said:?}");
        }
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        assert_eq!("".parse(), Ok(Networks::default()));
        let error = "10.0.0.1,10.0.0.0/33".parse::<Networks>().unwrap_err();
        assert!(error.starts_with("\"10.0.0.0/33\" is neither"), "{error}");
    }
}
