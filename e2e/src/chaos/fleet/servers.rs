//! The servers of the fleet: one Redis and one RabbitMQ, or a cluster of each.

use std::path::PathBuf;
use std::time::Duration;

use devserver::{Address, Process, RabbitMq, RabbitMqCluster, Redis, ReplicatedRedis, Run};
use testkit::{FakeClock, Proxy};

use super::cluster::{Cluster, Link};

/// The number of servers of a cluster.
const MEMBERS: usize = 3;
/// How long a Redis must not answer until the sentinels take it to be down.
const DOWN_AFTER: Duration = Duration::from_secs(2);

/// The servers, none of which is started yet.
pub(super) struct Servers {
    /// Their processes, by the names of the layout.
    pub(super) processes: Vec<(String, Process)>,
    /// Those that need no name.
    pub(super) name_servers: Vec<Process>,
    pub(super) redis_url: String,
    pub(super) redis_data: PathBuf,
    pub(super) redis_clock: Option<FakeClock>,
    pub(super) amqp_url: String,
    pub(super) broker_data: PathBuf,
    pub(super) rabbitmqctl: PathBuf,
    pub(super) cluster: Option<Cluster>,
}

impl Servers {
    /// One Redis, whose clock can be set if that is wanted, and one RabbitMQ.
    pub(super) async fn single(run: &Run, clock: bool) -> anyhow::Result<Servers> {
        let Redis { url: redis_url, process: mut redis, data: redis_data } = Redis::new(run)?;
        let redis_clock = clock.then(|| FakeClock::new(run.folder()));
        if let Some(clock) = &redis_clock {
            redis = clock.of(redis);
        }
        let RabbitMq { url: amqp_url, rabbitmqctl, data, process: rabbitmq, epmd } =
            RabbitMq::new(run).await?;
        Ok(Servers {
            processes: vec![named(redis), named(rabbitmq)],
            name_servers: vec![epmd],
            redis_url,
            redis_data,
            redis_clock,
            amqp_url,
            broker_data: data,
            rabbitmqctl,
            cluster: None,
        })
    }

    /// A cluster of each. Everyone reaches a Redis through a proxy, and so does each RabbitMQ each
    /// other one.
    pub(super) async fn clusters(run: &Run) -> anyhow::Result<Servers> {
        let (mut addresses, mut redis_proxies) = (Vec::new(), Vec::new());
        for _ in 0..MEMBERS {
            let port = devserver::free_port()?;
            let proxy = Proxy::new(format!("127.0.0.1:{port}")).await;
            addresses.push(Address { port, announced: proxy.address().port() });
            redis_proxies.push(proxy);
        }
        let redis = ReplicatedRedis::new(run, &addresses, DOWN_AFTER)?;

        let (mut ports, mut links) = (Vec::new(), Vec::new());
        for _ in 0..MEMBERS {
            ports.push(devserver::free_port()?);
        }
        for (from, to) in (0..MEMBERS).flat_map(|from| (0..MEMBERS).map(move |to| (from, to))) {
            let proxy = Proxy::new(format!("127.0.0.1:{}", ports[to])).await;
            links.push(Link { from, to, proxy });
        }
        let port_between = |from, to| {
            let link = links.iter().find(|link| (link.from, link.to) == (from, to));
            link.map_or(ports[to], |link| link.proxy.address().port())
        };
        let rabbitmq = RabbitMqCluster::new(run, &ports, port_between).await?;

        let mut processes: Vec<_> = redis.sentinels.into_iter().map(named).collect();
        let redis_data =
            redis.servers.first().map(|server| server.data.clone()).unwrap_or_default();
        processes.extend(redis.servers.into_iter().map(|server| named(server.process)));
        let (mut name_servers, mut folders, mut amqp_urls) = (Vec::new(), Vec::new(), Vec::new());
        for node in rabbitmq.nodes {
            processes.push(named(node.process));
            name_servers.push(node.epmd);
            folders.push((node.data, node.rabbitmqctl));
            amqp_urls.push(node.url);
        }
        let (broker_data, rabbitmqctl) = folders.into_iter().next().unwrap_or_default();
        Ok(Servers {
            processes,
            name_servers,
            redis_url: redis.url,
            redis_data,
            redis_clock: None,
            amqp_url: rabbitmq.url,
            broker_data,
            rabbitmqctl,
            cluster: Some(Cluster {
                members: redis.members,
                redis_proxies,
                amqp_urls,
                links,
                _registrations: rabbitmq.registrations,
            }),
        })
    }
}

fn named(process: Process) -> (String, Process) {
    (process.name().to_owned(), process)
}
