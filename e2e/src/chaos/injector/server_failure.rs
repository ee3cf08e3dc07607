//! Lets one server of a cluster fail, repairs it, and waits until the cluster is whole again.

use std::time::Duration;

use anyhow::Context;

use super::Injector;
use crate::fault::{FailureKind, Server, ServerFailure};
use crate::fleet::{Cluster, Role};
use crate::history::now_us;

const INVARIANT: &str = "everything resumes by itself";
/// How long a new member of a cluster may need to catch up, before another one fails.
const CATCH_UP: Duration = Duration::from_secs(2);

impl Injector<'_> {
    /// Injects the failure, when all servers of the cluster are there.
    pub(super) async fn fail_server(&self, failure: &ServerFailure) -> anyhow::Result<()> {
        let cluster = self.fleet.cluster().context("the servers are no clusters")?;
        let server = failure.kind.server();
        let _alone = match server {
            Server::Redis => self.redis.lock().await,
            Server::RabbitMq => self.brokers.lock().await,
        };
        let (node, role) = match server {
            Server::Redis => (cluster.primary().await?, Role::Redis),
            Server::RabbitMq => (failure.node, Role::RabbitMq),
        };
        let process = self.fleet.of(role).nth(node).context("no such server")?;
        let (began_us, time) = (now_us(), failure.duration());
        self.history.log(format!("  {} fails", process.name));
        match failure.kind {
            FailureKind::KillPrimary | FailureKind::KillBroker => {
                self.fleet.kill(process, time, async { Ok(()) }, self.history).await?;
            }
            FailureKind::FreezePrimary | FailureKind::FreezeBroker => {
                self.fleet.freeze(process, time, self.history).await?;
            }
            FailureKind::IsolatePrimary => {
                cluster.redis_proxy(node).stall();
                tokio::time::sleep(time).await;
                cluster.redis_proxy(node).restore();
            }
            FailureKind::SplitPrimary => {
                cluster.redis_proxy(node).stall_peers();
                tokio::time::sleep(time).await;
                cluster.redis_proxy(node).restore();
            }
            FailureKind::SplitBroker => {
                cluster.cut_off_broker(node);
                tokio::time::sleep(time).await;
                cluster.restore_broker(node);
            }
        }
        self.until_whole(cluster, server).await;
        if server == Server::Redis {
            self.history.add_lost_writes(began_us);
        }
        self.history.add_server_failure(failure.kind.name(), began_us);
        tokio::time::sleep(CATCH_UP).await;
        Ok(())
    }

    async fn until_whole(&self, cluster: &Cluster, server: Server) {
        let is_whole = match server {
            Server::Redis => cluster.redis_is_whole().await,
            Server::RabbitMq => cluster.rabbitmq_is_whole().await,
        };
        if is_whole {
            self.history.log(format!("  all servers of {server} are back"));
        } else {
            self.history.add_violation(INVARIANT, format!("a server of {server} is missing"));
        }
    }
}
