//! What these tests say again and again.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::services::StartServices;
use domain::job::{Job, JobId, NewJob, Status};
use serde_json::Value;
use testkit::{Service, TestEnv, job};

/// A house with a scheduler, and a folder for a worker's files, which are gone when it is left.
pub(crate) struct World {
    pub(crate) house: TestEnv,
    pub(crate) folder: Folder,
    scheduler: Service,
}

/// A folder that is removed when it is dropped, also when its test fails.
pub(crate) struct Folder(PathBuf);

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl World {
    pub(crate) async fn new() -> World {
        let house = TestEnv::new().await;
        let folder = std::env::temp_dir().join(format!("capstan-test-{}", JobId::random()));
        std::fs::create_dir(&folder).unwrap();
        let scheduler = house.scheduler();
        World { house, folder: Folder(folder), scheduler }
    }

    /// The flags of a worker with these actions.
    pub(crate) fn flags(&self, actions: &str) -> Vec<String> {
        let file = self.folder.join("actions.toml");
        std::fs::write(&file, actions).unwrap();
        let (actions, temporary) = (file.display(), self.temporary());
        vec![
            "--capacity=cpu=8".to_owned(),
            format!("--actions={actions}"),
            format!("--temporary={}", temporary.display()),
        ]
    }

    /// A worker with these actions.
    pub(crate) fn worker(&self, actions: &str) -> Service {
        let flags = self.flags(actions);
        self.house.worker_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Where its workers keep their temporary directories.
    pub(crate) fn temporary(&self) -> PathBuf {
        let temporary = self.folder.join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        temporary
    }

    pub(crate) async fn submit(&self, action: &str, parameters: &Value) -> JobId {
        let new = with(job(action, ""), parameters);
        self.house.store().submit(std::slice::from_ref(&new)).await.unwrap();
        new.id
    }

    /// Submits a job and waits for its end.
    pub(crate) async fn run(&self, action: &str, parameters: &Value) -> Job {
        let id = self.submit(action, parameters).await;
        self.ended(id).await
    }

    pub(crate) async fn look(&self, id: JobId) -> Job {
        self.house.store().job(id).await.unwrap().unwrap()
    }

    pub(crate) async fn ended(&self, id: JobId) -> Job {
        let over = async || self.look(id).await.status.is_final();
        self.house.eventually("the job ends", over).await;
        self.look(id).await
    }

    /// The job, which must have ended well.
    pub(crate) async fn done(&self, action: &str, parameters: &Value) -> Job {
        let job = self.run(action, parameters).await;
        let log = self.log(job.id).await;
        assert_eq!(job.status, Status::Done, "{:?}\n{}", job.exception, log.join("\n"));
        job
    }

    /// The type and the message of the error that the job must end with.
    pub(crate) async fn failed(&self, action: &str, parameters: &Value) -> (String, String) {
        let job = self.run(action, parameters).await;
        assert_eq!(job.status, Status::Error);
        let exception = job.exception.unwrap();
        (exception.kind, exception.message)
    }

    /// The job's log, each line after its source.
    pub(crate) async fn log(&self, id: JobId) -> Vec<String> {
        let lines = self.house.store().log_lines(id, 0, 1_000_000).await.unwrap();
        lines.into_iter().map(|line| format!("{}: {}", line.source, line.text)).collect()
    }

    /// Waits until the job has said this many lines.
    pub(crate) async fn said(&self, id: JobId, count: usize) -> Vec<String> {
        let enough = async || self.log(id).await.len() >= count;
        self.house.eventually("it says something", enough).await;
        self.log(id).await
    }

    /// Waits until no process of the job is left.
    pub(crate) async fn no_process_of(&self, id: JobId) {
        let none = async || processes_of(id).is_empty();
        self.house.eventually("every process of the job is gone", none).await;
    }

    pub(crate) async fn close(self) {
        self.scheduler.stop().await;
        self.house.close().await;
    }
}

/// The job with these parameters.
pub(crate) fn with(mut job: NewJob, parameters: &Value) -> NewJob {
    job.spec.parameters = parameters.as_object().cloned();
    job
}

/// The processes that have the job's id in their environment.
pub(crate) fn processes_of(id: JobId) -> Vec<u32> {
    let mark = format!("JOB_ID={id}\0");
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let marked = environment.windows(mark.len()).any(|some| some == mark.as_bytes());
        marked.then_some(pid)
    });
    all.collect()
}

/// What is in a folder, by name.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
