//! The processes of the fleet: Redis, RabbitMQ and the services. Only this module starts and ends
//! them.

mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use devserver::{Process, RabbitMq, Redis, Run};
use domain::capacity::CapacityMap;
use nix::sys::signal::Signal;

use crate::history::{History, LossCause};
use crate::job_command;
pub(crate) use process::{FleetProcess, open_files, resource_usage};

/// The role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Redis,
    RabbitMq,
    Scheduler,
    Worker,
    Api,
}

impl Role {
    /// Whether it is a service of Capstan.
    pub(crate) fn is_service(self) -> bool {
        !matches!(self, Role::Redis | Role::RabbitMq)
    }
}

/// A process of the fleet as it is planned.
pub(crate) struct ProcessPlan {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The capacity of a worker.
    pub(crate) capacity: &'static str,
}

const fn process(name: &'static str, role: Role, capacity: &'static str) -> ProcessPlan {
    ProcessPlan { name, role, capacity }
}

/// All processes.
pub(crate) const PROCESSES: [ProcessPlan; 13] = [
    process("redis", Role::Redis, ""),
    process("rabbitmq", Role::RabbitMq, ""),
    process("scheduler-1", Role::Scheduler, ""),
    process("scheduler-2", Role::Scheduler, ""),
    process("scheduler-3", Role::Scheduler, ""),
    process("worker-1", Role::Worker, "cpu=4,scan=2"),
    process("worker-2", Role::Worker, "cpu=4,gpu=1"),
    process("worker-3", Role::Worker, "cpu=2,scan=2,net=3"),
    process("worker-4", Role::Worker, "scan=1,gpu=2,default=4"),
    process("worker-5", Role::Worker, "cpu=3,net=2,default=8"),
    process("worker-6", Role::Worker, "cpu=1,scan=3,gpu=1,net=1"),
    process("api-1", Role::Api, ""),
    process("api-2", Role::Api, ""),
];

/// The number of workers.
pub(crate) fn worker_count() -> usize {
    PROCESSES.iter().filter(|process| process.role == Role::Worker).count()
}

/// The capacity that a worker starts with.
pub(crate) fn initial_capacity(worker: &str) -> CapacityMap {
    let plan = PROCESSES.iter().find(|process| process.name == worker);
    let capacity = plan.map_or("", |process| process.capacity);
    capacity.parse::<CapacityMap>().unwrap_or_default().with_default()
}

/// A fleet in a folder of its own.
pub(crate) struct Fleet {
    processes: Vec<FleetProcess>,
    /// The worker of each process id that a worker has had.
    worker_pids: SyncMutex<BTreeMap<u32, &'static str>>,
    pub(crate) redis_url: String,
    pub(crate) amqp_url: String,
    /// The folder of RabbitMQ's data.
    pub(crate) broker_data: PathBuf,
    /// The folder of the service programs.
    pub(crate) programs: PathBuf,
    _epmd: Process,
    /// Last, because dropping it deletes what the processes use.
    run: Run,
}

impl Fleet {
    /// Describes the fleet; no service is started yet. Deletes the data of an earlier experiment in
    /// the folder.
    pub(crate) async fn describe(folder: &Path) -> anyhow::Result<Fleet> {
        let run = Run::open(folder)?;
        delete_data(run.folder())?;
        let program = std::env::current_exe()?;
        let programs = program.parent().context("this program is in no folder")?.to_owned();
        let redis = Redis::new(&run)?;
        let RabbitMq { url: amqp_url, data, process: rabbitmq, epmd, .. } =
            RabbitMq::new(&run).await?;
        let mut fleet = Fleet {
            processes: Vec::new(),
            worker_pids: SyncMutex::default(),
            redis_url: redis.url,
            amqp_url,
            broker_data: data,
            programs,
            _epmd: epmd,
            run,
        };
        let mut servers =
            BTreeMap::from([(Role::Redis, redis.process), (Role::RabbitMq, rabbitmq)]);
        for plan in &PROCESSES {
            let process = match servers.remove(&plan.role) {
                Some(server) => FleetProcess::server(plan, server),
                None => FleetProcess::service(plan, &fleet).await?,
            };
            fleet.processes.push(process);
        }
        let actions = job_command::actions_file(&program, &fleet.run_log(), fleet.folder());
        std::fs::write(fleet.actions_file(), actions)?;
        Ok(fleet)
    }

    /// The folder of this experiment.
    pub(crate) fn folder(&self) -> &Path {
        self.run.folder()
    }

    /// The file in which jobs record their runs.
    pub(crate) fn run_log(&self) -> PathBuf {
        self.folder().join("log/runs")
    }

    fn actions_file(&self) -> PathBuf {
        self.folder().join("actions.toml")
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &FleetProcess> {
        self.processes.iter()
    }

    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &FleetProcess> {
        self.all().filter(move |process| process.role == role)
    }

    pub(crate) fn named(&self, name: &str) -> anyhow::Result<&FleetProcess> {
        let found = self.all().find(|process| process.name == name);
        found.with_context(|| format!("no process is called {name}"))
    }

    /// The name and the initial capacity of the worker that had this process id.
    pub(crate) fn worker_of_pid(&self, pid: u32) -> Option<(&'static str, &CapacityMap)> {
        let name = *self.worker_pids().get(&pid)?;
        let process = self.all().find(|process| process.name == name)?;
        Some((name, &process.capacity))
    }

    pub(crate) async fn start(&self, process: &FleetProcess) -> anyhow::Result<()> {
        self.spawn(process, &mut *process.child.lock().await)
    }

    /// Kills a process with SIGKILL and starts it again after `down`. `meanwhile` runs in between.
    pub(crate) async fn kill(
        &self,
        process: &FleetProcess,
        down: Duration,
        meanwhile: impl Future<Output = anyhow::Result<()>>,
        history: &History,
    ) -> anyhow::Result<()> {
        let mut child = process.child.lock().await;
        if let (Role::Worker, Some(pid)) = (process.role, child.id()) {
            history.add_loss(pid, LossCause::Killed);
        }
        child.kill();
        meanwhile.await?;
        tokio::time::sleep(down).await;
        self.spawn(process, &mut child)
    }

    /// Stops a process gracefully and starts it again.
    pub(crate) async fn restart(
        &self,
        process: &FleetProcess,
        history: &History,
    ) -> anyhow::Result<()> {
        let mut child = process.child.lock().await;
        process.stop(&mut child, history, &self.run_log()).await?;
        self.spawn(process, &mut child)
    }

    /// Stops all processes of a role gracefully.
    pub(crate) async fn stop(&self, role: Role, history: &History) -> anyhow::Result<()> {
        let run_log = self.run_log();
        let stops = self.of(role).map(|process| async {
            process.stop(&mut *process.child.lock().await, history, &run_log).await
        });
        futures_util::future::try_join_all(stops).await.map(|_| ())
    }

    /// Freezes a process with SIGSTOP for some time.
    pub(crate) async fn freeze(
        &self,
        process: &FleetProcess,
        time: Duration,
        history: &History,
    ) -> anyhow::Result<()> {
        let child = process.child.lock().await;
        if let (Role::Worker, Some(pid)) = (process.role, child.id()) {
            history.add_loss(pid, LossCause::Frozen);
        }
        child.signal(Signal::SIGSTOP)?;
        tokio::time::sleep(time).await;
        Ok(child.signal(Signal::SIGCONT)?)
    }

    /// Starts processes again that ended by themselves, which is a violation unless a job killed
    /// them.
    pub(crate) fn restart_ended(&self, history: &History) -> anyhow::Result<()> {
        for process in &self.processes {
            // A locked process is being stopped or restarted on purpose.
            let Ok(mut child) = process.child.try_lock() else { continue };
            let pid = child.id().unwrap_or_default();
            let Some(status) = child.try_wait()? else { continue };
            if let Some(at_us) = job_command::killed_at(&self.run_log(), pid) {
                history.add_loss_at(at_us, pid, LossCause::Killed);
                history.log(format!("  a job killed {}", process.name));
            } else {
                let details = format!("{} ended unexpectedly: {status}", process.name);
                history.add_violation("no service ends by itself", details);
            }
            self.spawn(process, &mut child)?;
        }
        Ok(())
    }

    /// The names and ids of the processes that run.
    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        let pid = |process: &FleetProcess| process.child.try_lock().ok()?.id();
        self.all().filter_map(|process| Some((process.name, pid(process)?))).collect()
    }

    fn spawn(&self, process: &FleetProcess, child: &mut Process) -> anyhow::Result<()> {
        child.spawn()?;
        if let (Role::Worker, Some(pid)) = (process.role, child.id()) {
            self.worker_pids().insert(pid, process.name);
        }
        Ok(())
    }

    fn worker_pids(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, &'static str>> {
        self.worker_pids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes everything in a folder but the lock of the run and its logs, which are new.
fn delete_data(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        match entry.file_name().to_str() {
            Some("lock") => {}
            Some("log") if is_folder => {}
            _ if is_folder => std::fs::remove_dir_all(entry.path())?,
            _ => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
