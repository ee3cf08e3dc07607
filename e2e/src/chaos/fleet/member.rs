//! One process: where it is, what it is told, and how it is asked to stop.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::capacity::CapacityMap;
use e2e::Proxy;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::Mutex;

use super::{Places, Role};
use crate::history::History;
use crate::trace;

/// How long a process may take to stop when it is asked to: its grace, and what it may wait for a store that is away.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LISTENS_WITHIN_MS: u32 = 2_000;

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
    pub(super) program: PathBuf,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) log: PathBuf,
    // Held while something is done to it, so that the watch knows what ended by itself.
    pub(super) child: Mutex<Option<Child>>,
}

impl Member {
    pub(super) async fn describe(
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

/// Asks a process to stop, and waits until it has.
pub(super) async fn stop(
    member: &Member,
    child: &mut Option<Child>,
    (history, traced): (&History, &Path),
) -> anyhow::Result<()> {
    let Some(mut process) = child.take() else { return Ok(()) };
    let pid = process.id().unwrap_or_default();
    if pid != 0 {
        until_it_listens(pid).await;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
    }
    match tokio::time::timeout(STOP_LIMIT, process.wait()).await {
        Ok(status) => {
            let status = status?;
            if !status.success() && trace::killed_at(traced, pid).is_none() {
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

/// Waits until a process catches SIGTERM: one that has just been started would die of it.
async fn until_it_listens(pid: u32) {
    for _ in 0..LISTENS_WITHIN_MS / 10 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        if mask.is_none_or(|mask| mask & (1 << (Signal::SIGTERM as u32 - 1)) != 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a process has open, so many of each sort.
pub(crate) fn files_of(pid: u32) -> String {
    let mut sorts: BTreeMap<String, usize> = BTreeMap::new();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    for file in files.filter_map(|file| std::fs::read_link(file.path()).ok()) {
        let name = file.display().to_string();
        *sorts.entry(name.split(":[").next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    format!("{sorts:?}")
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
