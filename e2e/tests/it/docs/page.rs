//! Runs a page: its script, against a fleet that `capstan up` starts for it in a namespace of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use testkit::TestEnv;
use tokio::process::Command;

use super::block::Kind;
use super::markdown::Document;
use super::script::{Script, matches};

/// How long a page may take, the start of its fleet included.
const LIMIT_S: &str = "60";
/// The exit code of `timeout` after that.
const TIMED_OUT: i32 = 124;

/// The programs that a page needs, beside the folder of this test.
const PROGRAMS: [&str; 5] =
    ["capstan", "capstan-scheduler", "capstan-worker", "capstan-api", "capstan-bench"];

/// Whether a page has something to run.
pub(super) fn is_runnable(document: &Document) -> bool {
    document.blocks().iter().any(|block| Kind::of(block).is_ok_and(|kind| kind.needs_fleet()))
}

/// Runs a page and returns what went wrong, if anything did.
pub(super) async fn run(document: &Document) -> Option<String> {
    let env = TestEnv::new().await;
    let folder = std::env::temp_dir().join(format!("docs-{}", env.store_config().namespace));
    let files = folder.join("files");
    std::fs::create_dir_all(&files).unwrap();
    let work = folder.join("work");
    std::fs::create_dir_all(&work).unwrap();
    let script = Script::of(document, &files);
    for (name, text) in &script.files {
        std::fs::write(files.join(name), text).unwrap();
    }
    std::fs::write(files.join("page.sh"), &script.text).unwrap();

    let output = up(&env, &files, &work).output().await.unwrap();
    let failure = failure(document, &script, &files, &output);
    env.close().await;
    std::fs::remove_dir_all(&folder).unwrap();
    failure
}

/// The command that starts a fleet and runs the script. The environment is a reader's: nothing is set.
/// SIGTERM after the limit lets `capstan up` stop what it started.
fn up(env: &TestEnv, files: &Path, work: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg(LIMIT_S).arg(program("capstan"));
    command.env_clear().current_dir(work).stdin(Stdio::null()).kill_on_drop(true);
    for name in ["PATH", "HOME", "LANG"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("CAPSTAN_NAMESPACE", &env.store_config().namespace);
    command.env("CAPSTAN_LOG", "warn");
    command.args(["up", "--listen", "127.0.0.1:0", "--grace", "1s"]);
    command.args(["--redis", &env.store_config().redis_url]);
    command.args(["--amqp", &env.broker_config().amqp_url]);
    for (flag, name) in [("--actions", "actions.toml"), ("--crons", "crons.toml")] {
        let file = files.join(name);
        if file.exists() {
            command.arg(flag).arg(file);
        }
    }
    command.args(["--", "bash"]).arg(files.join("page.sh"));
    command
}

fn failure(
    document: &Document,
    script: &Script,
    files: &Path,
    output: &std::process::Output,
) -> Option<String> {
    let path = document.path.display();
    if !output.status.success() {
        let (out, err) = (&output.stdout, &output.stderr);
        let texts = [out, err].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let timed_out = output.status.code() == Some(TIMED_OUT);
        let what = if timed_out { "did not finish" } else { "failed" };
        return Some(format!("{path} {what}:\n{}", texts.concat()));
    }
    let wrong = script.expected.iter().find_map(|expected| {
        let actual = std::fs::read_to_string(files.join(&expected.file)).unwrap();
        let same = matches(&expected.output, &actual);
        (!same).then(|| format!("{path}:{}: it printed\n{actual}", expected.line))
    })?;
    Some(wrong)
}

/// The path of a program of the workspace. They are built together with the tests' own folder.
pub(crate) fn program(name: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap();
    let folder = folder.parent().and_then(Path::parent).unwrap();
    for program in PROGRAMS {
        let built = folder.join(program).exists();
        assert!(built, "{program} is not built: run `cargo build --workspace --bins`");
    }
    folder.join(name)
}
