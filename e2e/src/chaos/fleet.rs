//! The processes: how each is started, and what can be done to it. Only what is done here may end one.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex as PlainMutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use e2e::Proxy;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shared::capacity::CapacityMap;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::history::History;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Scheduler,
    Worker,
    Api,
    Redis,
    RabbitMq,
}

/// Every process, in the order in which they are started.
pub(crate) const MEMBERS: [(&str, Role, &str); 13] = [
    ("redis", Role::Redis, ""),
    ("rabbitmq", Role::RabbitMq, ""),
    ("scheduler-1", Role::Scheduler, ""),
    ("scheduler-2", Role::Scheduler, ""),
    ("scheduler-3", Role::Scheduler, ""),
    ("worker-1", Role::Worker, "cpu=4,scan=2"),
    ("worker-2", Role::Worker, "cpu=4,gpu=1"),
    ("worker-3", Role::Worker, "cpu=2,scan=2,net=3"),
    ("worker-4", Role::Worker, "scan=1,gpu=2,default=4"),
    ("worker-5", Role::Worker, "cpu=3,net=2,default=8"),
    ("worker-6", Role::Worker, "cpu=1,scan=3,gpu=1,net=1"),
    ("api-1", Role::Api, ""),
    ("api-2", Role::Api, ""),
];

/// How long a process may take to stop when it is asked to: its grace, and what it may wait for a store that is away.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Where things are.
pub(crate) struct Places {
    /// The folder of the run, as `dev` made it.
    pub(crate) run: PathBuf,
    /// Where the programs are.
    pub(crate) programs: PathBuf,
    pub(crate) redis_url: String,
    pub(crate) amqp_url: String,
}

impl Places {
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.run.join("log").join(name)
    }
}

/// A process, whichever of its lives it is in.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// What it offers, if it is a worker.
    pub(crate) capacity: CapacityMap,
    /// Its own line to Redis.
    pub(crate) redis: Option<Proxy>,
    /// Its own line to RabbitMQ.
    pub(crate) amqp: Option<Proxy>,
    /// Where it answers what it is there for.
    pub(crate) url: String,
    /// Where it answers how it is.
    pub(crate) admin: String,
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    // Held while something is done to it, so that the watch knows what ended by itself.
    child: Mutex<Option<Child>>,
}

/// All of them.
pub(crate) struct Fleet {
    members: Vec<Member>,
    /// Which process was a life of which worker.
    lives: PlainMutex<BTreeMap<u32, &'static str>>,
}

impl Fleet {
    pub(crate) async fn describe(places: &Places) -> anyhow::Result<Fleet> {
        let mut port = 20_000 + (std::process::id() % 10_000) as u16;
        let mut members = Vec::new();
        for (name, role, capacity) in MEMBERS {
            members.push(Member::describe(places, name, role, capacity, &mut port).await?);
        }
        Ok(Fleet { members, lives: PlainMutex::default() })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.role == role)
    }

    pub(crate) fn named(&self, name: &str) -> anyhow::Result<&Member> {
        self.all().find(|member| member.name == name).context("there is no such process")
    }

    /// What the worker offered that this process was.
    pub(crate) fn capacity_of(&self, pid: u32) -> Option<(&'static str, &CapacityMap)> {
        let name = *self.lives().get(&pid)?;
        let member = self.all().find(|member| member.name == name)?;
        Some((name, &member.capacity))
    }

    pub(crate) async fn start(&self, member: &Member) -> anyhow::Result<()> {
        let mut child = member.child.lock().await;
        self.start_in(member, &mut child)
    }

    /// Kills it, and starts it again after `down`; meanwhile `between` is done.
    pub(crate) async fn kill(
        &self,
        member: &Member,
        down: Duration,
        between: impl Future<Output = anyhow::Result<()>>,
        history: &History,
    ) -> anyhow::Result<()> {
        let mut child = member.child.lock().await;
        if let Some(child) = child.as_mut() {
            if let (Role::Worker, Some(pid)) = (member.role, child.id()) {
                history.loss(pid);
            }
            child.kill().await?;
        }
        between.await?;
        tokio::time::sleep(down).await;
        self.start_in(member, &mut child)
    }

    /// Asks it to stop, and starts it again when it has.
    pub(crate) async fn restart(&self, member: &Member, history: &History) -> anyhow::Result<()> {
        let mut child = member.child.lock().await;
        stop(member, &mut child, history).await?;
        self.start_in(member, &mut child)
    }

    /// Asks all of a kind to stop; returns when they have.
    pub(crate) async fn stop(&self, role: Role, history: &History) -> anyhow::Result<()> {
        let asked = self.of(role).map(|member| async move {
            let mut child = member.child.lock().await;
            stop(member, &mut child, history).await
        });
        futures_util::future::try_join_all(asked).await.map(|_| ())
    }

    /// Stops it as it is, and lets it go on.
    pub(crate) async fn freeze(
        &self,
        member: &Member,
        time: Duration,
        history: &History,
    ) -> anyhow::Result<()> {
        let child = member.child.lock().await;
        let Some(pid) = child.as_ref().and_then(Child::id) else { return Ok(()) };
        let process = Pid::from_raw(i32::try_from(pid)?);
        if member.role == Role::Worker {
            history.loss(pid);
        }
        kill(process, Signal::SIGSTOP)?;
        tokio::time::sleep(time).await;
        kill(process, Signal::SIGCONT)?;
        Ok(())
    }

    /// Looks whether any has ended by itself, and starts it again so that the storm can go on.
    pub(crate) fn look(&self, history: &History) -> anyhow::Result<()> {
        for member in &self.members {
            // Somebody does something to it now: what happens to it is that one's doing.
            let Ok(mut child) = member.child.try_lock() else { continue };
            if let Some(status) = child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                history
                    .violated("no restarts", format!("{} ended by itself: {status}", member.name));
                self.start_in(member, &mut child)?;
            }
        }
        Ok(())
    }

    /// The process ids of those that live.
    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        let pid = |member: &Member| member.child.try_lock().ok()?.as_ref()?.id();
        self.all().filter_map(|member| Some((member.name, pid(member)?))).collect()
    }

    fn start_in(&self, member: &Member, child: &mut Option<Child>) -> anyhow::Result<()> {
        let log = OpenOptions::new().append(true).create(true).open(&member.log)?;
        let started = Command::new(&member.program)
            .envs(member.environment.iter().map(|(name, value)| (name, value)))
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", member.program.display()))?;
        if let (Role::Worker, Some(pid)) = (member.role, started.id()) {
            self.lives().insert(pid, member.name);
        }
        *child = Some(started);
        Ok(())
    }

    fn lives(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, &'static str>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn stop(member: &Member, child: &mut Option<Child>, history: &History) -> anyhow::Result<()> {
    let Some(mut process) = child.take() else { return Ok(()) };
    if let Some(pid) = process.id() {
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
    }
    match tokio::time::timeout(STOP_LIMIT, process.wait()).await {
        Ok(status) => {
            let status = status?;
            if !status.success() {
                let what = format!("{} was asked to stop and ended as {status}", member.name);
                history.violated("stops when asked", what);
            }
        }
        Err(_) => {
            let what = format!("{} was asked to stop and did not in {STOP_LIMIT:?}", member.name);
            history.violated("stops when asked", what);
            process.kill().await?;
        }
    }
    Ok(())
}

impl Member {
    async fn describe(
        places: &Places,
        name: &'static str,
        role: Role,
        capacity: &str,
        port: &mut u16,
    ) -> anyhow::Result<Member> {
        let (program, needs_broker) = match role {
            Role::Scheduler => (places.programs.join("capstan-scheduler"), true),
            Role::Worker => (places.programs.join("capstan-worker"), true),
            Role::Api => (places.programs.join("capstan-api"), false),
            // Written by `dev`, which knows how to keep them apart from those of the system.
            Role::Redis | Role::RabbitMq => (places.run.join(format!("run-{name}")), false),
        };
        let (listen, admin) = (free_port(port)?, free_port(port)?);
        let mut environment = vec![
            ("CAPSTAN_ADMIN_LISTEN", format!("127.0.0.1:{admin}")),
            ("CAPSTAN_LOG", "info,worker=debug,scheduler=debug".to_owned()),
        ];
        let (mut redis, mut amqp) = (None, None);
        if !matches!(role, Role::Redis | Role::RabbitMq) {
            let (proxy, url) = Proxy::before(&places.redis_url).await;
            environment.push(("CAPSTAN_REDIS_URL", url));
            redis = Some(proxy);
        }
        if needs_broker {
            let (proxy, url) = Proxy::before(&places.amqp_url).await;
            environment.push(("CAPSTAN_AMQP_URL", url));
            amqp = Some(proxy);
        }
        match role {
            Role::Worker => {
                environment.push(("CAPSTAN_CAPACITY", capacity.to_owned()));
                environment.push(("CAPSTAN_NAME", name.to_owned()));
                environment.push(("CAPSTAN_SHUTDOWN_GRACE", "2s".to_owned()));
                let actions = places.run.join("actions.toml").display().to_string();
                environment.push(("CAPSTAN_ACTIONS", actions));
            }
            Role::Api => environment.push(("CAPSTAN_LISTEN", format!("127.0.0.1:{listen}"))),
            Role::Scheduler | Role::Redis | Role::RabbitMq => {}
        }
        Ok(Member {
            name,
            role,
            capacity: capacity.parse::<CapacityMap>()?.with_default(),
            redis,
            amqp,
            url: format!("http://127.0.0.1:{listen}"),
            admin: format!("http://127.0.0.1:{admin}"),
            program,
            environment,
            log: places.log(name),
            child: Mutex::new(None),
        })
    }
}

/// A port that nobody has, below the range that the kernel takes ports from: it stays ours while its owner is dead.
fn free_port(port: &mut u16) -> anyhow::Result<u16> {
    for _ in 0..1000 {
        *port += 1;
        if TcpListener::bind(("127.0.0.1", *port)).is_ok() {
            return Ok(*port);
        }
    }
    anyhow::bail!("no port is free")
}

/// How much memory a process has, and how many files open; `None` when it is gone.
pub(crate) fn size_of(pid: u32) -> Option<(u64, usize)> {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = resident.split_whitespace().next()?.parse().ok()?;
    let files = std::fs::read_dir(folder.join("fd")).ok()?.count();
    Some((kib, files))
}
