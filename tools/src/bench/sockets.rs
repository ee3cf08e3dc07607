//! The TCP sockets of this machine, from `/proc`: which process has which.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A TCP socket that listens or is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: SocketAddr,
    /// `None` if it listens.
    pub(crate) remote: Option<SocketAddr>,
}

/// The sockets of each process whose files this user may see, by process id. Empty without `/proc`.
pub(crate) fn by_process() -> HashMap<u32, Vec<Socket>> {
    let mut sockets = HashMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        sockets.extend(text.lines().filter_map(parse));
    }
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = folders.filter_map(|folder| {
        let pid: u32 = folder.file_name().to_str()?.parse().ok()?;
        let files = fs::read_dir(folder.path().join("fd")).ok()?.flatten();
        let open = files.filter_map(|file| inode(fs::read_link(file.path()).ok()?.to_str()?));
        Some((pid, open.filter_map(|inode| sockets.get(&inode).cloned()).collect()))
    });
    processes.collect()
}

/// The number in `socket:[123]`.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Reads a line of `/proc/net/tcp`: `0: 0100007F:1F90 00000000:0000 0A … inode …`.
fn parse(line: &str) -> Option<(u64, Socket)> {
    const ESTABLISHED: &str = "01";
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[_, local, remote, state, _, _, _, _, _, inode, ..] = &fields[..] else { return None };
    let remote = match state {
        ESTABLISHED => Some(address(remote)?),
        LISTEN => None,
        _ => return None,
    };
    Some((inode.parse().ok()?, Socket { local: address(local)?, remote }))
}

/// Reads an address: the kernel prints each 32-bit word of the IP in the byte order of the machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok();
    let ip = if ip.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes()))
    } else {
        let mut bytes = [0; 16];
        for (at, part) in bytes.chunks_mut(4).enumerate() {
            part.copy_from_slice(&word(at)?.to_ne_bytes());
        }
        Ipv6Addr::from(bytes).to_canonical()
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_sockets_of_this_process_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let all = by_process();
        let own = &all[&std::process::id()];
        assert!(own.contains(&Socket { local: address, remote: None }), "{own:?}");
        let connected = Socket { local: stream.local_addr().unwrap(), remote: Some(address) };
        assert!(own.contains(&connected), "{own:?}");
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_line_that_is_neither_listening_nor_connected_is_left_out() {
        let line = |state: &str| {
            format!("  5: 0100007F:1F90 00000000:0000 {state} 0:0 0:0 0 0 0 4711 1 0 100 0 0 10 0")
        };
        let listening = Socket { local: "127.0.0.1:8080".parse().unwrap(), remote: None };
        assert_eq!(parse(&line("0A")), Some((4711, listening)));
        assert_eq!(parse(&line("06")), None);
        assert_eq!(parse("  sl  local_address rem_address   st"), None);
        let mapped = address("0000000000000000FFFF00000100007F:1F90");
        assert_eq!(mapped, Some("127.0.0.1:8080".parse().unwrap()));
    }
}
