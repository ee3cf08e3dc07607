//! The processes of the fleet: Redis, RabbitMQ and the services. Only this module starts and ends
//! them.

mod action_sets;
mod layout;
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use devserver::{Process, RabbitMq, Redis, Run};
use domain::capacity::CapacityMap;
use nix::sys::signal::Signal;
use testkit::FakeClock;

use crate::actions::ActionSet;
use crate::history::{self, History, LossCause};
use crate::job_command;
use action_sets::ActionSets;
pub(crate) use layout::{
    NEEDS, PROCESSES, Role, SERIAL, initial_capacity, only_worker_for, worker_count,
};
pub(crate) use process::{FleetProcess, open_files, resource_usage};
use process::{Programs, ServiceSettings};

/// What distinguishes the fleets of experiments.
pub(crate) struct Settings {
    /// Decides which actions each worker knows.
    pub(crate) seed: u64,
    /// Whether the clock of Redis can be set.
    pub(crate) clock: bool,
    /// The folder of an earlier version's programs, which every second service of a role runs.
    pub(crate) earlier: Option<PathBuf>,
}

/// A fleet in a folder of its own.
pub(crate) struct Fleet {
    processes: Vec<FleetProcess>,
    action_sets: ActionSets,
    /// The processes that workers have had, by their ids.
    worker_processes: SyncMutex<WorkerProcesses>,
    pub(crate) redis_url: String,
    /// The folder of the data of Redis.
    pub(crate) redis_data: PathBuf,
    /// The clock of Redis, if it can be set.
    pub(crate) redis_clock: Option<FakeClock>,
    pub(crate) amqp_url: String,
    /// The folder of RabbitMQ's data.
    pub(crate) broker_data: PathBuf,
    /// A program that runs `rabbitmqctl` against the RabbitMQ of the fleet.
    pub(crate) rabbitmqctl: PathBuf,
    programs: Programs,
    _epmd: Process,
    /// Last, because dropping it deletes what the processes use.
    run: Run,
}

/// All processes of workers, by their pid and the time of their start: a long experiment uses a pid
/// twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerProcesses(pub(crate) BTreeMap<(u32, i64), WorkerProcess>);

impl WorkerProcesses {
    /// Finds the process that had a pid at a time, and when it started.
    pub(crate) fn at(&self, pid: u32, at_us: i64) -> Option<(i64, &WorkerProcess)> {
        let (key, process) = self.0.range((pid, i64::MIN)..=(pid, at_us)).next_back()?;
        Some((key.1, process))
    }
}

/// A process that a worker has or had.
#[derive(Debug, Clone)]
pub(crate) struct WorkerProcess {
    /// The name of the worker.
    pub(crate) name: &'static str,
    /// The capacity that it started with.
    pub(crate) capacity: CapacityMap,
    /// The actions that it knows, besides the built-in ones.
    pub(crate) actions: ActionSet,
}

impl Fleet {
    /// Describes the fleet; no service is started yet. Deletes the data of an earlier experiment in
    /// the folder.
    pub(crate) async fn describe(folder: &Path, settings: Settings) -> anyhow::Result<Fleet> {
        let run = Run::open(folder)?;
        delete_data(run.folder())?;
        let programs = std::env::current_exe()?;
        let current = programs.parent().context("this program is in no folder")?.to_owned();
        let earlier = settings.earlier.map(|folder| folder.canonicalize()).transpose()?;
        let programs = Programs { current, earlier };
        let Redis { url: redis_url, process: mut redis, data: redis_data } = Redis::new(&run)?;
        let redis_clock = settings.clock.then(|| FakeClock::new(run.folder()));
        if let Some(clock) = &redis_clock {
            redis = clock.of(redis);
        }
        let RabbitMq { url: amqp_url, rabbitmqctl, data, process: rabbitmq, epmd } =
            RabbitMq::new(&run).await?;
        let service_settings = ServiceSettings {
            run: &run,
            programs: &programs,
            redis_url: &redis_url,
            amqp_url: &amqp_url,
        };
        let mut servers = BTreeMap::from([(Role::Redis, redis), (Role::RabbitMq, rabbitmq)]);
        let mut processes = Vec::new();
        for planned in &PROCESSES {
            processes.push(match servers.remove(&planned.role) {
                Some(server) => FleetProcess::server(planned, server),
                None => FleetProcess::service(planned, &service_settings).await?,
            });
        }
        Ok(Fleet {
            processes,
            action_sets: ActionSets::new(settings.seed),
            worker_processes: SyncMutex::default(),
            redis_url,
            redis_data,
            redis_clock,
            amqp_url,
            broker_data: data,
            rabbitmqctl,
            programs,
            _epmd: epmd,
            run,
        })
    }

    /// The folder of this experiment.
    pub(crate) fn folder(&self) -> &Path {
        self.run.folder()
    }

    /// The file in which jobs record their runs.
    pub(crate) fn run_log(&self) -> PathBuf {
        self.folder().join("log/runs")
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

    /// Whether a program is one of those that the services run.
    pub(crate) fn runs(&self, program: &Path) -> bool {
        self.programs.contain(program)
    }

    /// The processes that workers have or had, by their ids.
    pub(crate) fn worker_processes(&self) -> MutexGuard<'_, WorkerProcesses> {
        self.worker_processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The actions that jobs use, besides the built-in ones.
    pub(crate) fn actions_in_use(&self) -> Vec<&'static str> {
        self.action_sets.in_use()
    }

    /// What the latest process of each worker knows.
    pub(crate) fn current_action_sets(&self) -> BTreeMap<&'static str, ActionSet> {
        self.action_sets.current()
    }

    pub(crate) async fn start(
        &self,
        process: &FleetProcess,
        history: &History,
    ) -> anyhow::Result<()> {
        self.spawn(process, &mut *process.child.lock().await, history).await
    }

    /// Restarts these workers, one after the other, with an action that they did not know. Jobs use
    /// it from the start.
    pub(crate) async fn roll_out(
        &self,
        action: &'static str,
        workers: &[&'static str],
        history: &History,
    ) -> anyhow::Result<()> {
        self.action_sets.introduce(action);
        for worker in workers {
            self.action_sets.install(worker, action);
            self.restart(self.named(worker)?, history).await?;
        }
        Ok(())
    }

    /// Ends the changes of action sets: restarts workers so that every action that is used is known
    /// wherever its jobs fit.
    pub(crate) async fn settle_actions(&self, history: &History) -> anyhow::Result<()> {
        for worker in self.action_sets.settle() {
            self.restart(self.named(worker)?, history).await?;
        }
        Ok(())
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
        self.spawn(process, &mut child, history).await
    }

    /// Stops a process gracefully and starts it again.
    pub(crate) async fn restart(
        &self,
        process: &FleetProcess,
        history: &History,
    ) -> anyhow::Result<()> {
        let mut child = process.child.lock().await;
        process.stop(&mut child, history, &self.run_log()).await?;
        self.spawn(process, &mut child, history).await
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
    pub(crate) async fn restart_ended(&self, history: &History) -> anyhow::Result<()> {
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
            self.spawn(process, &mut child, history).await?;
        }
        Ok(())
    }

    /// The names and ids of the processes that run.
    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        let pid = |process: &FleetProcess| process.child.try_lock().ok()?.id();
        self.all().filter_map(|process| Some((process.name, pid(process)?))).collect()
    }

    /// Starts a process. Each process of a worker gets an actions file of its own.
    async fn spawn(
        &self,
        process: &FleetProcess,
        child: &mut Process,
        history: &History,
    ) -> anyhow::Result<()> {
        if process.role != Role::Worker {
            return Ok(child.spawn()?);
        }
        process.until_port_is_free().await;
        let (name, capacity) = (process.name, process.capacity.clone());
        let actions = self.action_sets.next(name);
        let program = std::env::current_exe()?;
        let file = job_command::actions_file(&actions, &program, &self.run_log(), self.folder());
        std::fs::write(process::actions_file(self.folder(), name), file)?;
        let started_us = history::now_us();
        child.spawn()?;
        let names = actions.iter().copied().collect::<Vec<_>>().join(", ");
        history.log(format!("  {name} starts with the actions {names}"));
        if let Some(pid) = child.id() {
            let process = WorkerProcess { name, capacity, actions };
            self.worker_processes().0.insert((pid, started_us), process);
        }
        Ok(())
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
