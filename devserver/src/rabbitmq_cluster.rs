//! A private RabbitMQ cluster: several nodes on this machine, each with a name server (epmd) of its
//! own. A node looks up the others in its own name server, where each may be registered with the
//! port of a proxy: so one node can be cut off from the others.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rabbitmq::Node;
use crate::{Error, RabbitMq, Run, free_port};

/// How nodes prove to each other that they belong together.
const COOKIE: &str = "capstan-development-server";

/// Several RabbitMQ nodes that form a cluster when they are started.
#[derive(Debug)]
pub struct RabbitMqCluster {
    /// The URL that names all nodes.
    pub url: String,
    /// The nodes. Each can be killed and started again.
    pub nodes: Vec<RabbitMq>,
    /// What the nodes need to find each other; keep it as long as they run.
    pub registrations: Registrations,
}

/// The connections by which each name server knows the other nodes: it forgets a node when its
/// connection closes.
#[derive(Debug)]
pub struct Registrations {
    _connections: Vec<TcpStream>,
}

impl RabbitMqCluster {
    /// Describes the nodes that listen for each other on these ports; they are not started yet.
    /// `port_between` gives the port at which one node reaches another: that of the other, or of a
    /// proxy in front of it.
    pub async fn new(
        run: &Run,
        ports: &[u16],
        port_between: impl Fn(usize, usize) -> u16,
    ) -> Result<RabbitMqCluster, Error> {
        let (mut nodes, mut connections, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
        for (index, port) in ports.iter().enumerate() {
            let node = node(index, *port, ports.len());
            let epmd_port = free_port()?;
            let rabbitmq = RabbitMq::of(run, &node, epmd_port).await?;
            write_cookie(&run.folder().join(&node.name))?;
            for other in (0..ports.len()).filter(|other| *other != index) {
                let (name, port) = (short_name(other), port_between(index, other));
                let failed = Error::io(format!("register {name} with epmd"));
                connections.push(register(epmd_port, &name, port).await.map_err(failed)?);
            }
            let host = rabbitmq.url.split(['@', '/']).nth(3).unwrap_or_default();
            hosts.push(host.to_owned());
            nodes.push(rabbitmq);
        }
        let url = format!("amqp://guest:guest@{}/%2f", hosts.join(","));
        let registrations = Registrations { _connections: connections };
        Ok(RabbitMqCluster { url, nodes, registrations })
    }
}

/// The name of a node without its host.
fn short_name(index: usize) -> String {
    format!("capstan-{}", index + 1)
}

/// Describes a node of a cluster of so many.
fn node(index: usize, distribution_port: u16, count: usize) -> Node {
    // A node that is cut off from the majority stops until it is back, and queues are spread. One
    // that does not answer is taken to be down after 10 s; the default is a minute.
    let mut configuration = "cluster_formation.peer_discovery_backend = classic_config\n\
                             cluster_partition_handling = pause_minority\n\
                             queue_leader_locator = balanced\n\
                             net_ticktime = 10\n"
        .to_owned();
    for index in 0..count {
        let name = short_name(index);
        let key = format!("cluster_formation.classic_config.nodes.{}", index + 1);
        configuration.push_str(&format!("{key} = {name}@localhost\n"));
    }
    let name = format!("rabbitmq-{}", index + 1);
    let erlang_name = format!("{}@localhost", short_name(index));
    Node { name, erlang_name, distribution_port, configuration }
}

/// Registers a node with a name server until the connection is closed.
async fn register(epmd_port: u16, name: &str, port: u16) -> std::io::Result<TcpStream> {
    /// The request, its success, and the type, protocol and versions of an ordinary node.
    const ALIVE2_REQ: u8 = 120;
    const ALIVE2_X_RESP: u8 = 118;
    const ORDINARY_NODE: [u8; 6] = [77, 0, 0, 6, 0, 5];

    let length = |text: &str| u16::try_from(text.len()).map(u16::to_be_bytes).unwrap_or_default();
    let mut request = vec![ALIVE2_REQ];
    request.extend(port.to_be_bytes());
    request.extend(ORDINARY_NODE);
    request.extend(length(name));
    request.extend(name.as_bytes());
    request.extend([0, 0]);
    let mut stream = TcpStream::connect(("127.0.0.1", epmd_port)).await?;
    stream.write_u16(request.len().try_into().unwrap_or_default()).await?;
    stream.write_all(&request).await?;
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await?;
    if answer[..2] == [ALIVE2_X_RESP, 0] {
        Ok(stream)
    } else {
        Err(std::io::Error::other(format!("epmd answered {answer:?}")))
    }
}

fn write_cookie(home: &Path) -> Result<(), Error> {
    let path = home.join(".erlang.cookie");
    let failed = || Error::io(format!("write {}", path.display()));
    // The file of an earlier run is not writable.
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, COOKIE).map_err(failed())?;
    let readable = std::fs::Permissions::from_mode(0o400);
    std::fs::set_permissions(&path, readable).map_err(failed())
}
