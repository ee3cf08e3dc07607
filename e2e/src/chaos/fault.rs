//! What is done to a fleet, one kind of fault at a time. Everything here heals what it broke before it returns.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use broker::Broker;
use broker::{BrokerConfig, QueueType};
use domain::queue::QueueName;
use e2e::Proxy;
use futures_util::future::join_all;
use store::Store;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use crate::fleet::{Fleet, Member, Places, Role};
use crate::history::History;
use crate::mix;
use crate::operator::{Operator, other_map};

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9, and started again after a while.
    Kill { who: &'static str, down_ms: u64 },
    /// SIGSTOP, and SIGCONT after a while.
    Freeze { who: &'static str, ms: u64 },
    /// SIGTERM and started again, one after the other.
    Roll { who: Vec<&'static str> },
    /// Every message of every queue is thrown away.
    Purge,
    /// Every queue is deleted.
    Delete,
    /// RabbitMQ is killed and loses all that it has, the queues too.
    Wipe { down_ms: u64 },
    /// It is asked to take no more jobs, and to take them again.
    Drain { who: &'static str, ms: u64 },
    /// It is asked to offer something else, and to offer what it did.
    Offer { who: &'static str, dice: u32, ms: u64 },
    /// An action or a class is paused, and resumed.
    Pause { what: &'static str, ms: u64 },
    /// A job kills its worker, and the next one, until nobody carries it on.
    Killer,
    /// The line of one process, or of all, to a server.
    Line { who: Option<&'static str>, to: Server, how: How, ms: u64 },
}

/// A server behind lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Redis,
    RabbitMq,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Cut,
    /// 200 ms in each direction.
    Slow,
    /// Connections stay open and are dead, also after the fault; new ones work then.
    Hang,
}

const SLOW: Duration = Duration::from_millis(200);

/// What a fault needs to be carried out.
pub(crate) struct Hand<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) places: &'a Places,
    pub(crate) history: &'a History,
    /// Straight to Redis, past every line.
    pub(crate) store: &'a Store,
    pub(crate) namespace: &'a str,
    /// Taken while something is done to lines: to one at a time, or mending one fault would mend another.
    pub(crate) lines: Mutex<()>,
    /// What the load is to submit next.
    pub(crate) wishes: UnboundedSender<&'static str>,
}

impl Fault {
    /// The kind, for the table.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { who: "redis", .. } => "kill -9 of Redis",
            Fault::Kill { who: "rabbitmq", .. } => "kill -9 of RabbitMQ",
            Fault::Kill { .. } => "kill -9 of a service",
            Fault::Freeze { .. } => "SIGSTOP … SIGCONT",
            Fault::Roll { .. } => "SIGTERM and restart",
            Fault::Purge => "all queues purged",
            Fault::Delete => "all queues deleted",
            Fault::Wipe { .. } => "RabbitMQ's data wiped",
            Fault::Drain { .. } => "a worker drained",
            Fault::Offer { .. } => "a worker's capacity changed",
            Fault::Pause { .. } => "an action or class paused",
            Fault::Killer => "a job that kills its workers",
            Fault::Line { how: How::Cut, .. } => "lines cut",
            Fault::Line { how: How::Slow, .. } => "lines slow",
            Fault::Line { how: How::Hang, .. } => "lines half-open",
        }
    }

    /// How long it lasts at least.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_millis(match self {
            Fault::Kill { down_ms, .. } | Fault::Wipe { down_ms } => *down_ms,
            Fault::Freeze { ms, .. }
            | Fault::Line { ms, .. }
            | Fault::Drain { ms, .. }
            | Fault::Pause { ms, .. }
            | Fault::Offer { ms, .. } => *ms,
            Fault::Roll { who } => 1_000 * who.len() as u64,
            Fault::Purge | Fault::Delete | Fault::Killer => 0,
        })
    }

    /// Whether it breaks one worker at most, so that what that one ran can go on elsewhere at once.
    pub(crate) fn is_of_a_worker(&self) -> bool {
        match self {
            Fault::Kill { who, .. } | Fault::Freeze { who, .. } => who.starts_with("worker"),
            Fault::Line { who, .. } => who.is_some_and(|who| who.starts_with("worker")),
            Fault::Drain { .. } | Fault::Offer { .. } | Fault::Killer => true,
            Fault::Pause { .. }
            | Fault::Roll { .. }
            | Fault::Purge
            | Fault::Delete
            | Fault::Wipe { .. } => false,
        }
    }

    /// Whether it breaks something, or only asks for something.
    pub(crate) fn is_trouble(&self) -> bool {
        !matches!(self, Fault::Drain { .. } | Fault::Offer { .. } | Fault::Pause { .. })
    }

    /// Does it and undoes it.
    pub(crate) async fn carry_out(&self, hand: &Hand<'_>) -> anyhow::Result<()> {
        let (fleet, history) = (hand.fleet, hand.history);
        match self {
            Fault::Kill { who, down_ms } => {
                let down = Duration::from_millis(*down_ms);
                fleet.kill(fleet.named(who)?, down, async { Ok(()) }, history).await
            }
            Fault::Freeze { who, ms } => {
                fleet.freeze(fleet.named(who)?, Duration::from_millis(*ms), history).await
            }
            Fault::Roll { who } => {
                for who in who {
                    fleet.restart(fleet.named(who)?, history).await?;
                }
                Ok(())
            }
            Fault::Purge => each_queue(hand, async |broker, queue| broker.purge(queue).await).await,
            Fault::Delete => {
                each_queue(hand, async |broker, queue| broker.delete(queue).await).await
            }
            Fault::Wipe { down_ms } => {
                let down = Duration::from_millis(*down_ms);
                let wiping = wipe(&hand.places.run);
                fleet.kill(fleet.named("rabbitmq")?, down, wiping, history).await
            }
            Fault::Drain { who, ms } => {
                Operator::new(fleet, history)?.drain(who, Duration::from_millis(*ms)).await
            }
            Fault::Offer { who, dice, ms } => {
                let (map, time) = (other_map(who, *dice), Duration::from_millis(*ms));
                Operator::new(fleet, history)?.offer(who, &map, time).await
            }
            Fault::Pause { what, ms } => {
                Operator::new(fleet, history)?.pause(what, Duration::from_millis(*ms)).await
            }
            Fault::Killer => {
                // Nobody waits for it when the load has ended.
                let _ = hand.wishes.send(mix::KILLER);
                Ok(())
            }
            Fault::Line { who, to, how, ms } => {
                let _alone = hand.lines.lock().await;
                let of_whom = |member: &&Member| who.is_none_or(|who| who == member.name);
                let lines = fleet.all().filter(of_whom).filter_map(|member| to.line_of(member));
                let lines: Vec<&Proxy> = lines.collect();
                for line in &lines {
                    match how {
                        How::Cut => line.cut(),
                        How::Slow => line.slow(SLOW),
                        How::Hang => line.hang(),
                    }
                }
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                lines.iter().for_each(|line| line.mend());
                Ok(())
            }
        }
    }
}

impl Server {
    fn line_of(self, member: &Member) -> Option<&Proxy> {
        match self {
            Server::Redis => member.redis.as_ref(),
            Server::RabbitMq => member.amqp.as_ref(),
        }
    }

    /// Whether processes of this role have a line to it.
    pub(crate) fn is_behind_a_line_of(self, role: Role) -> bool {
        match role {
            Role::Scheduler | Role::Worker => true,
            Role::Api => self == Server::Redis,
            Role::Redis | Role::RabbitMq => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill { who, down_ms } => write!(out, "kill -9 {who}, back after {down_ms} ms"),
            Fault::Freeze { who, ms } => write!(out, "SIGSTOP {who} for {ms} ms"),
            Fault::Roll { who } => write!(out, "SIGTERM and restart {}", who.join(", then ")),
            Fault::Purge => write!(out, "purge all queues"),
            Fault::Delete => write!(out, "delete all queues"),
            Fault::Wipe { down_ms } => {
                write!(out, "kill -9 rabbitmq, wipe its data, back after {down_ms} ms")
            }
            Fault::Drain { who, ms } => write!(out, "drain {who} for {ms} ms"),
            Fault::Offer { who, dice, ms } => {
                write!(out, "have {who} offer {} for {ms} ms", other_map(who, *dice))
            }
            Fault::Pause { what, ms } => write!(out, "pause {what} for {ms} ms"),
            Fault::Killer => write!(out, "submit a job that kills its workers"),
            Fault::Line { who, to, how, ms } => {
                let who = who.unwrap_or("everyone");
                let how = match how {
                    How::Cut => "cut",
                    How::Slow => "slow by 200 ms",
                    How::Hang => "half-open",
                };
                write!(out, "{how}: the line from {who} to {to:?} for {ms} ms")
            }
        }
    }
}

async fn wipe(run: &Path) -> anyhow::Result<()> {
    Ok(tokio::fs::remove_dir_all(run.join("rabbitmq/data")).await?)
}

/// Does something to each queue, if RabbitMQ and Redis are there: when another fault has taken them away, this one
/// finds nothing to break.
async fn each_queue(
    hand: &Hand<'_>,
    change: impl AsyncFn(&Broker, &QueueName) -> Result<(), broker::BrokerError>,
) -> anyhow::Result<()> {
    let config = BrokerConfig::new(&hand.places.amqp_url, QueueType::Quorum);
    let changing = async {
        let broker = Broker::connect(&config, hand.namespace, "chaos").await?;
        let queues = hand.store.queue_names().await?;
        let changed = join_all(queues.iter().map(|queue| change(&broker, queue))).await;
        let count = changed.iter().filter(|changed| changed.is_ok()).count();
        broker.close().await;
        anyhow::Ok(count)
    };
    match tokio::time::timeout(Duration::from_secs(5), changing).await {
        Ok(Ok(count)) => hand.history.note(format!("  {count} queues")),
        Ok(Err(error)) => hand.history.note(format!("  no queue could be changed: {error}")),
        Err(_) => hand.history.note("  no queue could be changed in time"),
    }
    Ok(())
}
