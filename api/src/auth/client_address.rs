//! The address of a client: the peer of the connection, or the address that a trusted proxy reports
//! in `X-Forwarded-For`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap};

use crate::settings::Networks;

const FORWARDED: &str = "x-forwarded-for";
const SCHEME: &str = "x-forwarded-proto";

/// The peer of the connection; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The client of a request; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// Its address.
    pub(crate) address: IpAddr,
    /// True if a trusted proxy reports that the client uses HTTPS.
    pub(crate) uses_https: bool,
}

/// Returns the client of a request.
pub(crate) fn client(extensions: &Extensions, headers: &HeaderMap, proxies: &Networks) -> Client {
    let trusted = extensions.get::<Peer>().is_some_and(|peer| proxies.contain(peer.0));
    let uses_https = trusted && headers.get(SCHEME).is_some_and(|scheme| scheme == "https");
    Client { address: client_address(extensions, headers, proxies), uses_https }
}

/// Returns the address of the client.
///
/// Each proxy appends the address of its peer to the header, so the client is the last address that
/// is not a trusted proxy.
pub(crate) fn client_address(
    extensions: &Extensions,
    headers: &HeaderMap,
    proxies: &Networks,
) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let mut client = peer;
    let values = headers.get_all(FORWARDED).iter().rev();
    let values = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.rsplit(','));
    for value in values {
        if !proxies.contain(client) {
            break;
        }
        let Some(address) = parse(value.trim()) else { break };
        client = address;
    }
    client
}

/// Parses an address, with or without a port: some proxies add it.
fn parse(value: &str) -> Option<IpAddr> {
    let with_port = || value.parse::<SocketAddr>().map(|address| address.ip());
    value.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for one in forwarded {
            headers.append(FORWARDED, one.parse().unwrap());
        }
        let proxies = "10.0.0.0/8, ::1".parse().unwrap();
        client_address(&extensions, &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_can_report_a_client() {
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
        for (peer, forwarded, expected) in cases {
            assert_eq!(client(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
