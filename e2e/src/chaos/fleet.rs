//! The processes: how each is started, and what can be done to it. Only what is done here may end one.

mod member;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::{Mutex as PlainMutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use domain::capacity::CapacityMap;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::history::{History, Lost};
use crate::trace;
use member::stop;
pub(crate) use member::{Member, files_of, size_of};

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

/// All of them.
pub(crate) struct Fleet {
    members: Vec<Member>,
    /// Which process was a life of which worker.
    lives: PlainMutex<BTreeMap<u32, &'static str>>,
    /// Where jobs write down that they killed their worker.
    traced: PathBuf,
}

impl Fleet {
    pub(crate) async fn describe(places: &Places) -> anyhow::Result<Fleet> {
        // Not where `dev` looks for its own.
        let mut port = 10_000 + (std::process::id() * 37 % 9_000) as u16;
        let mut members = Vec::new();
        for (name, role, capacity) in MEMBERS {
            members.push(Member::describe(places, name, role, capacity, &mut port).await?);
        }
        Ok(Fleet { members, lives: PlainMutex::default(), traced: places.log("trace") })
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
                history.loss(pid, Lost::Killed);
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
        stop(member, &mut child, (history, &self.traced)).await?;
        self.start_in(member, &mut child)
    }

    /// Asks all of a kind to stop; returns when they have.
    pub(crate) async fn stop(&self, role: Role, history: &History) -> anyhow::Result<()> {
        let asked = self.of(role).map(|member| async move {
            let mut child = member.child.lock().await;
            stop(member, &mut child, (history, &self.traced)).await
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
            history.loss(pid, Lost::Frozen);
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
            let pid = child.as_ref().and_then(Child::id).unwrap_or_default();
            if let Some(status) = child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                if let Some(at_us) = trace::killed_at(&self.traced, pid) {
                    history.loss_at(at_us, pid, Lost::Killed);
                    history.note(format!("  a job killed {}", member.name));
                } else {
                    let what = format!("{} ended by itself: {status}", member.name);
                    history.violated("no restarts", what);
                }
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
