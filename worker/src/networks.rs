//! Which addresses webhooks may reach. A job chooses the host, so it must not reach what only the
//! worker can: its own machine, private networks, the metadata service of its cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Private networks that the operator of a worker allows webhooks to reach, each on one port or on
/// every port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedNetworks(Vec<AllowedNetwork>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedNetwork {
    network: IpNet,
    /// `None` means every port.
    port: Option<NonZeroU16>,
}

/// The addresses that webhooks may reach on one port: public ones, and those of some networks.
#[derive(Debug)]
pub(crate) struct ReachableAddresses(Vec<IpNet>);

impl FromStr for AllowedNetworks {
    type Err = String;

    fn from_str(text: &str) -> Result<AllowedNetworks, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(AllowedNetworks)
    }
}

impl FromStr for AllowedNetwork {
    type Err = String;

    /// Parses a network or an address. A port may follow; the IPv6 address before it is in brackets.
    fn from_str(text: &str) -> Result<AllowedNetwork, String> {
        if let Some(network) = parse_network(text) {
            return Ok(AllowedNetwork { network, port: None });
        }
        let with_port = || {
            let (network, port) = text.rsplit_once(':')?;
            let inner = network.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let network = parse_network(inner.unwrap_or(network))?;
            Some(AllowedNetwork { network, port: Some(port.parse().ok()?) })
        };
        with_port().ok_or_else(|| {
            format!(
                "{text:?} is not a network; expected 10.1.0.0/16 or 127.0.0.1, and for one port \
                 10.1.0.0/16:8080 or [::1]:443"
            )
        })
    }
}

fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

impl AllowedNetworks {
    /// Returns these networks and `others`.
    #[must_use]
    pub(crate) fn with(mut self, others: &AllowedNetworks) -> AllowedNetworks {
        self.0.extend_from_slice(&others.0);
        self
    }

    /// Returns the ports that are named; what may be reached on all other ports is the same.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.0.iter().filter_map(|allowed| allowed.port).map(NonZeroU16::get)
    }

    /// Returns what webhooks may reach on a port; `None` stands for the ports that are not named.
    pub(crate) fn on_port(&self, port: Option<u16>) -> ReachableAddresses {
        let applies =
            |allowed: &&AllowedNetwork| allowed.port.is_none_or(|only| port == Some(only.get()));
        ReachableAddresses(self.0.iter().filter(applies).map(|allowed| allowed.network).collect())
    }
}

impl ReachableAddresses {
    /// Returns true when webhooks may connect to `address`.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

/// Returns false for IANA's special-purpose ranges of IPv4 and IPv6, and for multicast.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u8); 14] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 3),
    ];
    !SPECIAL.iter().any(|(network, length)| {
        Ipv4Net::new((*network).into(), *length).is_ok_and(|network| network.contains(&address))
    })
}

/// Only 2000::/3 is allocated; special ranges within it are excluded. An address that embeds an
/// IPv4 address is as public as that one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |network: [u16; 8], length: u8| {
        Ipv6Net::new(network.into(), length).is_ok_and(|network| network.contains(&address))
    };
    let [first, second, third, .., before_last, last] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    if within([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96) {
        return is_public_v4(v4(before_last, last));
    }
    if first == 0x2002 {
        return is_public_v4(v4(second, third));
    }
    within([0x2000, 0, 0, 0, 0, 0, 0, 0], 3)
        && !within([0x2001, 0, 0, 0, 0, 0, 0, 0], 23)
        && !within([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32)
        && !within([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_allowed_by_default() {
        let none = AllowedNetworks::default().on_port(None);
        let public = [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ];
        for address in public {
            assert!(none.contain(address.parse().unwrap()), "{address}");
        }
        let private = [
            "127.0.0.1",
            "127.255.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "fec0::1",
            "5f00::1",
        ];
        for address in private {
            assert!(!none.contain(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn private_networks_can_be_allowed_on_one_port_or_on_every_port() {
        let text = "10.1.0.0/16, 127.0.0.1,fd00::/8 , 10.2.0.0/16:8080,127.0.0.2:9000,[::1]:443";
        let some: AllowedNetworks = text.parse().unwrap();
        assert_eq!(some.ports().collect::<Vec<_>>(), [8080, 9000, 443]);
        for (address, port, allowed) in [
            ("10.1.2.3", None, true),
            ("10.1.2.3", Some(8080), true),
            ("10.3.0.1", None, false),
            ("127.0.0.1", None, true),
            ("::ffff:127.0.0.1", None, true),
            ("fd12::1", None, true),
            ("10.2.0.1", Some(8080), true),
            ("10.2.0.1", Some(9000), false),
            ("10.2.0.1", None, false),
            ("::ffff:10.2.0.1", Some(8080), true),
            ("::ffff:10.2.0.1", Some(443), false),
            ("127.0.0.2", Some(9000), true),
            ("127.0.0.2", None, false),
            ("::1", Some(443), true),
            ("::1", Some(8080), false),
        ] {
            let reachable = some.on_port(port);
            assert_eq!(reachable.contain(address.parse().unwrap()), allowed, "{address} {port:?}");
        }
        let both = AllowedNetworks::default().with(&some);
        assert!(both.on_port(Some(443)).contain("::1".parse().unwrap()));
        assert_eq!("".parse(), Ok(AllowedNetworks::default()));
    }

    #[test]
    fn an_invalid_network_is_named() {
        let invalid =
            ["10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "::1]:80", "a.org:80"];
        for text in invalid {
            let why = format!("127.0.0.1,{text}").parse::<AllowedNetworks>().unwrap_err();
            assert!(why.starts_with(&format!("{text:?} is not a network")), "{why}");
        }
    }
}
