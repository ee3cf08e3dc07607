//! Which addresses webhooks may reach. A job chooses the host, so it must not reach what only the
//! worker can: its own machine, private networks, the metadata service of its cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Private networks that an operator allows webhooks to reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedNetworks(Vec<IpNet>);

impl FromStr for AllowedNetworks {
    type Err = String;

    fn from_str(text: &str) -> Result<AllowedNetworks, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let networks = parts.map(|part| {
            let network =
                part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                format!("{part:?} is not a network; expected 10.1.0.0/16 or 127.0.0.1")
            })
        });
        networks.collect::<Result<_, _>>().map(AllowedNetworks)
    }
}

impl AllowedNetworks {
    /// Returns true when webhooks may connect to `address`.
    pub(crate) fn allow(&self, address: IpAddr) -> bool {
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
        let none = AllowedNetworks::default();
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
            assert!(none.allow(address.parse().unwrap()), "{address}");
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
            assert!(!none.allow(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_operator_can_allow_private_networks() {
        let some: AllowedNetworks = "10.1.0.0/16, 127.0.0.1,fd00::/8".parse().unwrap();
        for (address, allowed) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::ffff:127.0.0.1", true),
            ("fd12::1", true),
        ] {
            assert_eq!(some.allow(address.parse().unwrap()), allowed, "{address}");
        }
        assert_eq!("".parse(), Ok(AllowedNetworks::default()));
        assert!("10.0.0.0/33".parse::<AllowedNetworks>().unwrap_err().contains("is not a network"));
    }
}
