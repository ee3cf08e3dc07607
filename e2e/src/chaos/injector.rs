//! Injects faults into the fleet. Each fault is undone before its injection returns.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use broker::{Broker, BrokerConfig, BrokerError, QueueType};
use devserver::Redis;
use domain::queue::QueueName;
use futures_util::future::join_all;
use scheduler::retire_unused_queues;
use store::Store;
use testkit::Proxy;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;

use crate::fault::{DELAY, Fault, Impairment, Server, changed_capacity};
use crate::fleet::{Fleet, FleetProcess};
use crate::history::History;
use crate::operator::Operator;
use crate::workload::KILLS_ITS_WORKER;

/// Redis or RabbitMQ may be down because of another fault: then there is no queue to change.
const QUEUES_WITHIN: Duration = Duration::from_secs(5);
/// How long one retirement may take: RabbitMQ deletes one queue after the other.
const RETIRED_WITHIN: Duration = Duration::from_secs(15);
/// How long Redis is down before it starts with an earlier state.
const RESTORED_AFTER: Duration = Duration::from_millis(300);
/// The pause between two tries to make Redis a primary again.
const PROMOTION_PERIOD: Duration = Duration::from_millis(100);
/// The pause between two retirements of queues.
const RETIREMENT_PERIOD: Duration = Duration::from_millis(300);

/// What is needed to inject faults.
pub(crate) struct Injector<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) history: &'a History,
    /// The store, reached without a proxy.
    pub(crate) store: &'a Store,
    pub(crate) namespace: &'a str,
    /// Held during a network fault: undoing one would also undo another.
    pub(crate) network: Mutex<()>,
    /// Held while the clock is wrong, and while Redis is a replica, for the same reason.
    pub(crate) redis: Mutex<()>,
    /// The kinds that the workload is to submit next.
    pub(crate) kinds: UnboundedSender<&'static str>,
}

impl Injector<'_> {
    /// Injects a fault, and undoes it after its duration.
    pub(crate) async fn inject(&self, fault: &Fault) -> anyhow::Result<()> {
        let (fleet, history) = (self.fleet, self.history);
        match fault {
            Fault::Kill { process, down_ms } => {
                let down = Duration::from_millis(*down_ms);
                fleet.kill(fleet.named(process)?, down, async { Ok(()) }, history).await
            }
            Fault::RollBack { behind_ms } => {
                self.roll_back(Duration::from_millis(*behind_ms)).await
            }
            Fault::Freeze { process, ms } => {
                fleet.freeze(fleet.named(process)?, Duration::from_millis(*ms), history).await
            }
            Fault::RollingRestart { processes } => {
                for process in processes {
                    fleet.restart(fleet.named(process)?, history).await?;
                }
                Ok(())
            }
            Fault::PurgeQueues => {
                self.change_queues(async |broker, queue| broker.purge(queue).await).await;
                Ok(())
            }
            Fault::DeleteQueues => {
                self.change_queues(async |broker, queue| broker.delete(queue).await).await;
                Ok(())
            }
            Fault::WipeBroker { down_ms } => {
                let down = Duration::from_millis(*down_ms);
                let wipe = async { delete_all(&fleet.broker_data).await };
                fleet.kill(fleet.named("rabbitmq")?, down, wipe, history).await
            }
            Fault::Drain { worker, ms } => {
                Operator::new(fleet, history)?.drain(worker, Duration::from_millis(*ms)).await
            }
            Fault::ChangeCapacity { worker, draw, ms } => {
                let (capacity, time) =
                    (changed_capacity(worker, *draw), Duration::from_millis(*ms));
                Operator::new(fleet, history)?.change_capacity(worker, &capacity, time).await
            }
            Fault::Pause { path, ms } => {
                Operator::new(fleet, history)?.pause(path, Duration::from_millis(*ms)).await
            }
            Fault::RollOut { action, workers } => fleet.roll_out(action, workers, history).await,
            Fault::RetireQueues { ms } => {
                self.retire_queues(Duration::from_millis(*ms)).await;
                Ok(())
            }
            Fault::PoisonJob => {
                // The workload may have ended.
                let _ = self.kinds.send(KILLS_ITS_WORKER);
                Ok(())
            }
            Fault::SetClock { seconds, ms } => {
                let _alone = self.redis.lock().await;
                let clock = fleet.redis_clock.as_ref().context("the clock cannot be set")?;
                clock.set(*seconds);
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                clock.set(0);
                Ok(())
            }
            Fault::Demote { ms } => self.demote(Duration::from_millis(*ms)).await,
            Fault::Network { process, server, impairment, ms } => {
                self.impair(*process, *server, *impairment, Duration::from_millis(*ms)).await;
                Ok(())
            }
        }
    }

    /// Restores the state that Redis had some time before, as a failover to a replica that was
    /// behind does.
    async fn roll_back(&self, behind: Duration) -> anyhow::Result<()> {
        let (data, copy) = (self.fleet.redis_data.clone(), self.fleet.folder().join("saved"));
        let saved = (data.clone(), copy.clone());
        spawn_blocking(move || Redis::save_data(&saved.0, &saved.1)).await??;
        tokio::time::sleep(behind).await;
        let restore = async {
            self.history.add_roll_back();
            Ok(spawn_blocking(move || Redis::restore_data(&data, &copy)).await??)
        };
        self.fleet.kill(self.fleet.named("redis")?, RESTORED_AFTER, restore, self.history).await
    }

    /// Impairs the connections of a process, or of all, to a server for some time.
    async fn impair(
        &self,
        process: Option<&str>,
        server: Server,
        impairment: Impairment,
        time: Duration,
    ) {
        let _alone = self.network.lock().await;
        let affected = |one: &&FleetProcess| process.is_none_or(|name| name == one.name);
        let proxies = self.fleet.all().filter(affected);
        let proxies = proxies.filter_map(|process| match server {
            Server::Redis => process.redis_proxy.as_ref(),
            Server::RabbitMq => process.amqp_proxy.as_ref(),
        });
        let proxies: Vec<&Proxy> = proxies.collect();
        for proxy in &proxies {
            match impairment {
                Impairment::Cut => proxy.cut(),
                Impairment::Delay => proxy.delay(DELAY),
                Impairment::Stall => proxy.stall(),
            }
        }
        tokio::time::sleep(time).await;
        proxies.iter().for_each(|proxy| proxy.restore());
    }

    /// Makes Redis a replica of a server that does not exist for some time. If it is down because of
    /// another fault, it comes back as a primary.
    async fn demote(&self, time: Duration) -> anyhow::Result<()> {
        let _alone = self.redis.lock().await;
        let call = async |arguments: [&str; 2]| {
            let mut command = tokio::process::Command::new("redis-cli");
            command.args(["-u", &self.fleet.redis_url, "replicaof"]).args(arguments);
            let output = tokio::time::timeout(QUEUES_WITHIN, command.kill_on_drop(true).output());
            let output = output.await.ok()?.ok()?;
            (output.stdout.trim_ascii() == b"OK").then_some(())
        };
        let demoted = call(["127.0.0.1", "1"]).await;
        if demoted.is_none() {
            self.history.log("  Redis does not answer");
        }
        tokio::time::sleep(time).await;
        while call(["no", "one"]).await.is_none() {
            tokio::time::sleep(PROMOTION_PERIOD).await;
        }
        Ok(())
    }

    /// Retires every queue in which no job waits, as schedulers do after a longer time, again and
    /// again for some time.
    async fn retire_queues(&self, time: Duration) {
        let config = BrokerConfig::new(&self.fleet.amqp_url, QueueType::Quorum);
        let retire = async || {
            let broker = Broker::connect(&config, self.namespace, "chaos").await?;
            let deleted = retire_unused_queues(self.store, &broker, Duration::ZERO).await;
            broker.close().await;
            deleted
        };
        let (until, mut count, mut failed) = (Instant::now() + time, 0, 0);
        while Instant::now() < until {
            match tokio::time::timeout(RETIRED_WITHIN, retire()).await {
                Ok(Ok(deleted)) => count += deleted,
                Ok(Err(_)) | Err(_) => failed += 1,
            }
            tokio::time::sleep(RETIREMENT_PERIOD).await;
        }
        self.history.log(format!("  {count} queues retired, {failed} tries failed"));
    }

    /// Changes each queue, if Redis and RabbitMQ answer.
    async fn change_queues(
        &self,
        change: impl AsyncFn(&Broker, &QueueName) -> Result<(), BrokerError>,
    ) {
        let config = BrokerConfig::new(&self.fleet.amqp_url, QueueType::Quorum);
        let changing = async {
            let broker = Broker::connect(&config, self.namespace, "chaos").await?;
            let queues = self.store.queue_names().await?;
            let results = join_all(queues.iter().map(|queue| change(&broker, queue))).await;
            broker.close().await;
            anyhow::Ok(results.iter().filter(|result| result.is_ok()).count())
        };
        match tokio::time::timeout(QUEUES_WITHIN, changing).await {
            Ok(Ok(count)) => self.history.log(format!("  {count} queues changed")),
            Ok(Err(error)) => self.history.log(format!("  no queue changed: {error}")),
            Err(_) => self.history.log(format!("  no queue changed within {QUEUES_WITHIN:?}")),
        }
    }
}

/// Deletes a folder, unless another fault has deleted it and its owner has not started since.
async fn delete_all(folder: &Path) -> anyhow::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => Ok(other?),
    }
}
