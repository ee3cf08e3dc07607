//! `capstan up` as a process: what it starts, passes on, and leaves behind.
//!
//! Small programs play the services. One test starts a real Redis and RabbitMQ.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stderr, reason = "a failed test prints the logs")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Plays a service: becomes ready at once, ends at SIGTERM.
const SERVICE: &str = include_str!("../../devserver/tests/service.py");
const STOP_LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_command_finds_everything_and_its_exit_code_is_passed_on() {
    let test = Test::new("command");
    let script =
        r#"echo "$CAPSTAN_API $CAPSTAN_REDIS_URL $CAPSTAN_AMQP_URL"; command -v capstan; exit 7"#;
    let mut up = test.up(&["--listen", "127.0.0.1:0", "--", "sh", "-c", script]);
    let output = up.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (variables, program) = stdout.trim().split_once('\n').unwrap();
    assert!(variables.starts_with("http://127.0.0.1:"), "{variables}");
    assert!(variables.ends_with(" redis://there amqp://there"), "{variables}");
    assert_eq!(Path::new(program), test.folder.join("capstan"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("worker-2  | started worker-2 "), "{stderr}");
    assert_eq!(test.processes(), Vec::<i32>::new());
}

#[test]
fn ctrl_c_stops_everything() {
    let test = Test::new("interrupt");
    let mut up = test.up(&["--listen", "127.0.0.1:0", "--workers", "1"]);
    let (mut child, mut stdout) = spawn(&mut up);
    let mut shown = read_until(&mut stdout, "Three things to try");
    assert_eq!(test.processes().len(), 3, "a scheduler, a worker, an API");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    stdout.read_to_string(&mut shown).unwrap();
    assert!(shown.contains("worker-1  | started worker-1 "), "{shown}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(test.processes(), Vec::<i32>::new());
}

#[test]
fn another_terminal_finds_the_fleet_in_a_file_that_is_deleted_at_the_end() {
    let test = Test::new("environment");
    let mut up = test.up(&["--listen", "127.0.0.1:0", "--workers", "1"]);
    up.env("CAPSTAN_TOKEN", "it's secret").env("CAPSTAN_NAMESPACE", "mine");
    let (mut child, mut stdout) = spawn(&mut up);
    let shown = read_until(&mut stdout, "Three things to try");
    assert!(shown.contains("\n  variables .capstan/env (deleted at the end)\n"), "{shown}");
    let file = test.folder.join(".capstan/env");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let script = r#". .capstan/env
        echo "$CAPSTAN_API $CAPSTAN_TOKEN $CAPSTAN_REDIS_URL $CAPSTAN_AMQP_URL $CAPSTAN_NAMESPACE"
        command -v capstan-worker"#;
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", script]).current_dir(&test.folder).output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let expected = " it's secret redis://there amqp://there mine\n";
    assert!(found.starts_with("http://127.0.0.1:") && found.contains(expected), "{found}");
    let worker = test.folder.join("capstan-worker");
    assert!(found.ends_with(&format!("\n{}\n", worker.display())), "{found}");

    let before = std::fs::read(&file).unwrap();
    let other = test.folder.join("other");
    let mut second = test.up_in(&other, &["--listen", "127.0.0.1:0", "--stay", "--", "true"]);
    let (mut second, mut stdout) = spawn(second.stderr(Stdio::piped()));
    read_until(&mut stdout, "Three things to try:");
    kill(Pid::from_raw(second.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut stderr = String::new();
    second.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    second.wait().unwrap();
    assert!(stderr.contains(".capstan/env leads to another fleet"), "{stderr}");
    assert_eq!(std::fs::read(&file).unwrap(), before, "the file of the first fleet");

    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    child.wait().unwrap();
    assert!(!test.folder.join(".capstan").exists());
}

#[test]
fn files_of_actions_add_up() {
    let test = Test::new("actions");
    test.program("capstan-worker", &SERVICE.replace("CAPSTAN_EXTRA", "CAPSTAN_ACTIONS"));
    let file = |name: &str| {
        let path = test.folder.join(format!("{name}.toml"));
        std::fs::write(&path, format!("[actions.{name}]\nargv = ['{name}']\n")).unwrap();
        path.display().to_string()
    };
    let (one, two, three) = (file("one"), file("two"), file("three"));
    let actions = ["--listen", "127.0.0.1:0", "--actions", &two, "--actions", &three];
    let script = r#"cat "$(cut -d' ' -f5 "$CAPSTAN_DEV_RUN/log/worker-1")""#;
    let up = |base: &str| {
        let mut up = test.up(&[&actions[..], &["--", "sh", "-c", script]].concat());
        up.env("CAPSTAN_ACTIONS", base).output().unwrap()
    };
    let output = up(&one);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let all = ["[actions.one]", "[actions.two]", "[actions.three]"];
    assert!(all.iter().all(|action| stdout.contains(action)), "{stdout}");

    let output = up(&two);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = format!("capstan: action two is in {two} and in {two}; rename one of them\n");
    assert_eq!((output.status.code(), stderr), (Some(1), expected));
}

#[test]
fn a_service_that_ends_by_itself_ends_everything() {
    let test = Test::new("ends");
    test.program("capstan-worker", "#!/bin/sh\necho no such capacity >&2; exit 1\n");
    let output = test.up(&["--listen", "127.0.0.1:0", "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "worker-1  | no such capacity\n\
                    capstan: worker-1 ended unexpectedly (exit status: 1)\n";
    assert_eq!(stderr, expected);
}

#[test]
fn an_address_in_use_is_reported_with_the_flag_to_change_it() {
    let test = Test::new("in-use");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = test.up(&["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "capstan: {address} is in use; choose another address, for example --listen 127.0.0.1:0 \
         for any free port\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn one_of_redis_and_rabbitmq_alone_is_a_usage_error() {
    let mut up = Command::new(env!("CARGO_BIN_EXE_capstan"));
    up.args(["up", "--redis", "redis://there"]).env_remove("CAPSTAN_AMQP_URL");
    assert_eq!(up.output().unwrap().status.code(), Some(2));
}

#[test]
fn kill_9_leaves_no_process_and_data_that_the_next_start_can_use() {
    let test = Test::new("killed");
    let mut up = test.up(&["--servers-only"]);
    let (mut child, mut stdout) = spawn(&mut up);
    let shown = read_until(&mut stdout, "export CAPSTAN_TEST_RABBITMQCTL=");
    assert!(shown.contains("export CAPSTAN_TEST_REDIS_URL=redis://127.0.0.1:"), "{shown}");
    assert!(test.processes().len() >= 3, "redis-server, epmd, the node of RabbitMQ");
    child.kill().unwrap();
    child.wait().unwrap();
    test.wait_until_no_process_is_left();

    let script = "echo $CAPSTAN_TEST_REDIS_URL";
    let output = test.up(&["--servers-only", "--", "sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.starts_with(b"redis://127.0.0.1:"), "{output:?}");
    assert_eq!(test.processes(), Vec::<i32>::new());
}

/// A folder with `capstan`, the programs that play the services, and the data of the run.
struct Test {
    folder: PathBuf,
}

impl Test {
    fn new(name: &str) -> Test {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("up-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let test = Test { folder };
        // Not a symbolic link: `capstan` looks for the services beside the program itself.
        std::fs::hard_link(env!("CARGO_BIN_EXE_capstan"), test.folder.join("capstan")).unwrap();
        for service in ["capstan-scheduler", "capstan-worker", "capstan-api"] {
            test.program(service, SERVICE);
        }
        test
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.folder.join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the command `capstan up`, with the URLs of servers that it does not contact.
    fn up(&self, arguments: &[&str]) -> Command {
        self.up_in(&self.data(), arguments)
    }

    fn up_in(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder.join("capstan"));
        command.arg("up").arg("--data").arg(data).args(arguments).stdin(Stdio::null());
        command.current_dir(&self.folder).env_remove("CAPSTAN_ACTIONS");
        command.env("CAPSTAN_REDIS_URL", "redis://there").env("CAPSTAN_AMQP_URL", "amqp://there");
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// After SIGKILL, the kernel kills the children, and each ends a moment later.
    fn wait_until_no_process_is_left(&self) {
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "processes are left: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lists the processes that carry the mark of the run, except zombies, which have no
    /// environment.
    fn processes(&self) -> Vec<i32> {
        let mark = format!("CAPSTAN_DEV_RUN={}", self.data().canonicalize().unwrap().display());
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let marked = all.filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        marked.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect()
    }
}

impl Drop for Test {
    /// Deletes the folder; after a failure, prints the logs of the processes first.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for log in std::fs::read_dir(self.data().join("log")).into_iter().flatten().flatten() {
                let text = std::fs::read(log.path()).unwrap_or_default();
                eprintln!("--- {}\n{}", log.path().display(), String::from_utf8_lossy(&text));
            }
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(command: &mut Command) -> (Child, BufReader<ChildStdout>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// Reads output up to a line that begins with `start`. `capstan up` itself gives up on a process
/// that does not become ready.
fn read_until(output: &mut BufReader<ChildStdout>, start: &str) -> String {
    let mut shown = String::new();
    while !shown.lines().last().is_some_and(|line| line.starts_with(start)) {
        assert!(output.read_line(&mut shown).unwrap() > 0, "the output ended after: {shown}");
    }
    shown
}
