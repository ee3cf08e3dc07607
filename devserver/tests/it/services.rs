//! The services, played by a small program.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use devserver::{Error, Process, Run, Services, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Folder;

const POLL_PERIOD: Duration = Duration::from_millis(10);
const SERVICE: &str = include_str!("../service.py");

#[tokio::test]
async fn services_start_with_their_settings_and_come_back_when_they_are_killed() {
    let programs = fake_programs("services");
    let run = Run::temporary().unwrap();
    let mut services = Services::new(&run, &settings(programs.path())).unwrap();
    assert_eq!(services.url(), "http://127.0.0.1:1");
    services.start().await.unwrap();
    let names: Vec<&str> = services.processes().map(Process::name).collect();
    assert_eq!(names, ["scheduler", "worker-1", "worker-2", "api"]);
    let worker = services.processes().nth(2).unwrap();
    let (log, pid) = (worker.log().clone(), worker.id().unwrap());
    assert_eq!(log.tail(9), ["started worker-2 - redis://redis value"]);
    let api = services.processes().last().unwrap();
    assert_eq!(api.log().tail(9), ["started - 127.0.0.1:1 redis://redis value"]);

    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    let restarted = async {
        while log.tail(9).len() < 2 {
            tokio::time::sleep(POLL_PERIOD).await;
        }
    };
    tokio::select! {
        error = services.watch() => panic!("{error}"),
        () = restarted => {}
    }
    assert_ne!(services.processes().nth(2).unwrap().id(), Some(pid));
    services.stop(Duration::from_secs(10)).await.unwrap();
    assert!(services.processes().all(|process| process.id().is_none()));
}

#[tokio::test]
async fn a_service_that_ends_by_itself_is_reported() {
    let programs = fake_programs("ends-itself");
    let run = Run::temporary().unwrap();
    let mut services = Services::new(&run, &settings(programs.path())).unwrap();
    services.start().await.unwrap();
    let pid = services.processes().next().unwrap().id().unwrap();
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).unwrap();
    let error = services.watch().await;
    assert!(matches!(&error, Error::Ended { process, .. } if process == "scheduler"), "{error}");
}

fn settings(programs: &Path) -> Settings {
    Settings {
        programs: programs.to_owned(),
        redis_url: "redis://redis".to_owned(),
        amqp_url: "amqp://rabbitmq".to_owned(),
        listen: "127.0.0.1:1".parse().unwrap(),
        workers: 2,
        environment: vec![("CAPSTAN_EXTRA", "value".to_owned())],
        on_screen: false,
    }
}

fn fake_programs(test: &str) -> Folder {
    let folder = Folder::new(test);
    for name in ["capstan-scheduler", "capstan-worker", "capstan-api"] {
        let path = folder.path().join(name);
        std::fs::write(&path, SERVICE).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}
