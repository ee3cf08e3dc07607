//! The environment of these tests: a scheduler, workers with the actions of a test, and the
//! directory of their files.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::job::{Job, JobId, Status};
use serde_json::Value;
use testkit::{Service, TestEnv, job, serve, with_parameters};
use tokio::process::{Child, Command};
use worker::{Config, Shutdown, Worker};

/// A [`TestEnv`] with a scheduler and a directory.
pub(crate) struct WorkerEnv {
    env: TestEnv,
    pub(crate) directory: TestDirectory,
    scheduler: Service,
}

impl Deref for WorkerEnv {
    type Target = TestEnv;

    fn deref(&self) -> &TestEnv {
        &self.env
    }
}

/// A directory. Dropping it removes it, even when the test fails.
pub(crate) struct TestDirectory(PathBuf);

impl Deref for TestDirectory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl WorkerEnv {
    pub(crate) async fn new() -> WorkerEnv {
        let env = TestEnv::new().await;
        let directory = std::env::temp_dir().join(format!("capstan-test-{}", JobId::random()));
        std::fs::create_dir(&directory).unwrap();
        let config: scheduler::Config = env.config(&["--lease=2s"]);
        let scheduler = serve(|shutdown| scheduler::run(config, shutdown));
        WorkerEnv { env, directory: TestDirectory(directory), scheduler }
    }

    /// The flags of a worker with the actions of this file.
    pub(crate) fn flags(&self, actions: &str) -> Vec<String> {
        let file = self.directory.join("actions.toml");
        std::fs::write(&file, actions).unwrap();
        vec![
            "--capacity=cpu=8".to_owned(),
            format!("--actions={}", file.display()),
            format!("--temporary={}", self.temporary().display()),
        ]
    }

    /// Starts a worker with the actions of this file.
    pub(crate) fn worker(&self, actions: &str) -> Service {
        self.worker_with(&self.flags(actions))
    }

    /// Starts a worker with these flags.
    pub(crate) fn worker_with(&self, flags: &[impl AsRef<str>]) -> Service {
        self.functions(flags, |worker| worker)
    }

    /// Starts a worker with these flags and the actions that `add` adds.
    pub(crate) fn functions(
        &self,
        flags: &[impl AsRef<str>],
        add: impl FnOnce(Worker) -> Worker,
    ) -> Service {
        let mut all = vec!["--lease=2s"];
        all.extend(flags.iter().map(AsRef::as_ref));
        let config: Config = self.config(&all);
        let worker = add(Worker::new(config));
        serve(|requested| worker.run_until(Shutdown { requested, ..Shutdown::default() }))
    }

    /// The command line of a worker process with the actions of this file.
    pub(crate) fn process_arguments(&self, actions: &str) -> Vec<String> {
        let (store, broker) = (self.store_config(), self.broker_config());
        let mut arguments = vec![env!("CARGO_BIN_EXE_capstan-worker").to_owned()];
        arguments.extend(self.flags(actions));
        arguments.push(format!("--redis-url={}", store.redis_url));
        arguments.push(format!("--namespace={}", store.namespace));
        arguments.push(format!("--amqp-url={}", broker.amqp_url));
        arguments.push("--lease=2s".to_owned());
        arguments
    }

    /// Starts a worker process as a user without privileges: as another user if the test runs as
    /// root, who may read and kill everything. `command` may change it first.
    pub(crate) fn unprivileged_process(
        &self,
        actions: &str,
        command: impl FnOnce(&mut Command),
    ) -> Child {
        const NOBODY: u32 = 65_534;
        let arguments = self.process_arguments(actions);
        let (program, flags) = arguments.split_first().unwrap();
        let temporary = self.temporary();
        let mut process = Command::new(program);
        if nix::unistd::geteuid().is_root() {
            // Another user may not be able to reach the folder of the program.
            let reachable = self.directory.join("capstan-worker");
            if !reachable.exists() {
                std::fs::copy(program, &reachable).unwrap();
            }
            std::os::unix::fs::chown(&temporary, Some(NOBODY), Some(NOBODY)).unwrap();
            process = Command::new(reachable);
            process.uid(NOBODY).gid(NOBODY);
        }
        process.args(flags).stdout(Stdio::null()).kill_on_drop(true);
        command(&mut process);
        process.spawn().unwrap()
    }

    /// Starts a worker as a separate process.
    pub(crate) fn process(&self, actions: &str) -> Child {
        let arguments = self.process_arguments(actions);
        let (program, flags) = arguments.split_first().unwrap();
        Command::new(program).args(flags).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    }

    /// The directory in which workers create the working directories of commands.
    pub(crate) fn temporary(&self) -> PathBuf {
        let temporary = self.directory.join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        temporary
    }

    pub(crate) async fn submit(&self, action: &str, parameters: &Value) -> JobId {
        let new = with_parameters(job(action, ""), parameters);
        self.store().submit(std::slice::from_ref(&new)).await.unwrap();
        new.id
    }

    /// Submits a job and waits for its final status.
    pub(crate) async fn run(&self, action: &str, parameters: &Value) -> Job {
        let id = self.submit(action, parameters).await;
        self.finished(id).await
    }

    /// Runs a job that must succeed.
    pub(crate) async fn succeed(&self, action: &str, parameters: &Value) -> Job {
        let job = self.run(action, parameters).await;
        let log = self.log(job.id).await;
        assert_eq!(job.status, Status::Done, "{:?}\n{}", job.exception, log.join("\n"));
        job
    }

    /// Runs a job that must fail. Returns the type and the message of its error.
    pub(crate) async fn fail(&self, action: &str, parameters: &Value) -> (String, String) {
        let job = self.run(action, parameters).await;
        assert_eq!(job.status, Status::Error);
        let exception = job.exception.unwrap();
        (exception.kind, exception.message)
    }

    /// The lines of a job's log, each after its source.
    pub(crate) async fn log(&self, id: JobId) -> Vec<String> {
        let lines = self.store().log_lines(id, 0, 1_000_000).await.unwrap();
        lines.into_iter().map(|line| format!("{}: {}", line.source, line.text)).collect()
    }

    /// Waits until a job has logged this many lines. Returns them.
    pub(crate) async fn logged(&self, id: JobId, count: usize) -> Vec<String> {
        let enough = async || self.log(id).await.len() >= count;
        self.eventually(&format!("job {id} logs {count} lines"), enough).await;
        self.log(id).await
    }

    /// Waits until no process of a job is left.
    pub(crate) async fn no_process_of(&self, id: JobId) {
        let none = async || processes_of(id).is_empty();
        self.eventually(&format!("every process of job {id} is gone"), none).await;
    }

    pub(crate) async fn close(self) {
        self.scheduler.stop().await;
        self.env.close().await;
    }
}

/// The processes that have the job's id in their environment.
pub(crate) fn processes_of(id: JobId) -> Vec<u32> {
    let variable = format!("JOB_ID={id}\0");
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let found = environment.windows(variable.len()).any(|part| part == variable.as_bytes());
        found.then_some(pid)
    });
    processes.collect()
}

/// The names in a directory, sorted.
pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
