//! One process of the fleet: its settings, its connections, and how it stops.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use devserver::{Process, Run, free_port};
use domain::capacity::CapacityMap;
use nix::sys::signal::Signal;
use testkit::Proxy;
use tokio::sync::Mutex;

use super::layout::{PlannedProcess, Role, initial_capacity};
use crate::history::History;
use crate::job_command;

/// How long a process may take to stop: its grace, and its patience with an unreachable store.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const HANDLES_SIGTERM_WITHIN: Duration = Duration::from_secs(2);
const PORT_IS_FREE_WITHIN: Duration = Duration::from_secs(2);
const POLL_PERIOD: Duration = Duration::from_millis(10);

/// A process that keeps its name, settings and ports when it is restarted.
pub(crate) struct FleetProcess {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The capacity that a worker starts with.
    pub(crate) capacity: CapacityMap,
    /// The proxy between this process and Redis.
    pub(crate) redis_proxy: Option<Proxy>,
    /// The proxy between this process and RabbitMQ.
    pub(crate) amqp_proxy: Option<Proxy>,
    /// The base URL of an API.
    pub(crate) url: String,
    /// The base URL of the health checks of a service.
    pub(crate) admin_url: String,
    /// Locked while a fault is injected into it, so that the monitor ignores it.
    pub(super) child: Mutex<Process>,
}

/// The folders of the service programs.
pub(super) struct Programs {
    /// Where the current ones are.
    pub(super) current: PathBuf,
    /// Where those of an earlier version are, which every second service of a role runs.
    pub(super) earlier: Option<PathBuf>,
}

impl Programs {
    /// The folder of the programs that a process runs. Names end with a number.
    fn of(&self, process: &str) -> &Path {
        let is_odd = process.ends_with(['1', '3', '5']);
        self.earlier.as_deref().filter(|_| is_odd).unwrap_or(&self.current)
    }

    /// Whether a program is in one of the folders.
    pub(super) fn contain(&self, program: &Path) -> bool {
        self.earlier.iter().chain([&self.current]).any(|folder| program.starts_with(folder))
    }
}

/// What the services of a fleet share.
pub(super) struct ServiceSettings<'a> {
    pub(super) run: &'a Run,
    pub(super) programs: &'a Programs,
    pub(super) redis_url: &'a str,
    pub(super) amqp_url: &'a str,
}

impl FleetProcess {
    /// Describes Redis or RabbitMQ.
    pub(super) fn server(planned: &PlannedProcess, process: Process) -> FleetProcess {
        FleetProcess {
            name: planned.name,
            role: planned.role,
            capacity: CapacityMap::default(),
            redis_proxy: None,
            amqp_proxy: None,
            url: String::new(),
            admin_url: String::new(),
            child: Mutex::new(process),
        }
    }

    /// Describes a service, which connects through proxies of its own.
    pub(super) async fn service(
        planned: &PlannedProcess,
        settings: &ServiceSettings<'_>,
    ) -> anyhow::Result<FleetProcess> {
        let program = match planned.role {
            Role::Scheduler => "capstan-scheduler",
            Role::Worker => "capstan-worker",
            Role::Api => "capstan-api",
            Role::Redis | Role::RabbitMq => anyhow::bail!("{} is no service", planned.name),
        };
        let (listen, admin) = (free_port()?, free_port()?);
        let mut command = settings.run.command(settings.programs.of(planned.name).join(program));
        command.env("CAPSTAN_ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
        command.env("CAPSTAN_LOG", "info,worker=debug,scheduler=debug");
        let (redis_proxy, redis_url) = Proxy::in_front_of(settings.redis_url).await;
        command.env("CAPSTAN_REDIS_URL", redis_url);
        let mut amqp_proxy = None;
        if planned.role != Role::Api {
            let (proxy, amqp_url) = Proxy::in_front_of(settings.amqp_url).await;
            command.env("CAPSTAN_AMQP_URL", amqp_url);
            amqp_proxy = Some(proxy);
        }
        match planned.role {
            Role::Worker => {
                command.env("CAPSTAN_CAPACITY", planned.capacity).env("CAPSTAN_NAME", planned.name);
                command.env("CAPSTAN_SHUTDOWN_GRACE", "2s");
                let actions_file = actions_file(settings.run.folder(), planned.name);
                command.env("CAPSTAN_ACTIONS", actions_file);
            }
            Role::Api => {
                command.env("CAPSTAN_LISTEN", format!("127.0.0.1:{listen}"));
            }
            Role::Scheduler | Role::Redis | Role::RabbitMq => {}
        }
        Ok(FleetProcess {
            name: planned.name,
            role: planned.role,
            capacity: initial_capacity(planned.name),
            redis_proxy: Some(redis_proxy),
            amqp_proxy,
            url: format!("http://127.0.0.1:{listen}"),
            admin_url: format!("http://127.0.0.1:{admin}"),
            child: Mutex::new(Process::new(planned.name, command, settings.run.log(planned.name))),
        })
    }

    /// Waits until the port of the health checks is free. A killed worker may leave a child behind
    /// that it has just forked, which holds its open files for a moment.
    pub(super) async fn until_port_is_free(&self) {
        let address = self.admin_url.trim_start_matches("http://");
        let free = async {
            while tokio::net::TcpListener::bind(address).await.is_err() {
                tokio::time::sleep(POLL_PERIOD).await;
            }
        };
        let _ = tokio::time::timeout(PORT_IS_FREE_WITHIN, free).await;
    }

    /// Stops the process gracefully. A failure or a timeout is a violation, unless a job killed the
    /// process.
    pub(super) async fn stop(
        &self,
        child: &mut Process,
        history: &History,
        run_log: &Path,
    ) -> anyhow::Result<()> {
        const INVARIANT: &str = "a service stops when it is asked to";
        let Some(pid) = child.id() else { return Ok(()) };
        until_sigterm_is_handled(pid).await;
        match child.stop(STOP_LIMIT).await? {
            Some(status) if status.success() || job_command::killed_at(run_log, pid).is_some() => {}
            Some(status) => {
                let details = format!("{} stopped with {status}", self.name);
                history.add_violation(INVARIANT, details);
            }
            None => {
                let details = format!("{} did not stop within {STOP_LIMIT:?}", self.name);
                history.add_violation(INVARIANT, details);
            }
        }
        Ok(())
    }
}

/// The actions file of a worker.
pub(super) fn actions_file(folder: &Path, worker: &str) -> PathBuf {
    folder.join(format!("actions-{worker}.toml"))
}

/// Waits until a process handles SIGTERM: one that has just started would die of it.
async fn until_sigterm_is_handled(pid: u32) {
    let handled = async {
        while !handles_sigterm(pid) {
            tokio::time::sleep(POLL_PERIOD).await;
        }
    };
    let _ = tokio::time::timeout(HANDLES_SIGTERM_WITHIN, handled).await;
}

fn handles_sigterm(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << (Signal::SIGTERM as u32 - 1)) != 0)
}

/// Counts the open files of a process by sort.
pub(crate) fn open_files(pid: u32) -> String {
    let mut sorts: BTreeMap<String, usize> = BTreeMap::new();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    for file in files.filter_map(|file| std::fs::read_link(file.path()).ok()) {
        let name = file.display().to_string();
        *sorts.entry(name.split(":[").next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    format!("{sorts:?}")
}

/// The memory of a process in KiB and the number of its open files; `None` if it has ended.
pub(crate) fn resource_usage(pid: u32) -> Option<(u64, usize)> {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = resident.split_whitespace().next()?.parse().ok()?;
    // Only root may list the files of a worker that runs commands. The size of the folder is their
    // number, since Linux 6.2.
    let folder = folder.join("fd");
    let files = match std::fs::read_dir(&folder) {
        Ok(files) => files.count(),
        Err(_) => std::fs::metadata(&folder).ok()?.len() as usize,
    };
    Some((kib, files))
}
