//! Commands: what they are given, what becomes of their results, and that no process outlives them.

use domain::job::{Cancellation, Status};
use serde_json::json;

use crate::env::{WorkerEnv, entries, processes_of};

const EVERYTHING: &str = r#"
    [actions.everything]
    argv = ["sh", "-c", '''
        printf '%s|' "$@"; echo
        cat; echo
        env | cut -d= -f1 | grep -v '^\(_\|SHLVL\|OLDPWD\)$' | sort | tr '\n' ' '; echo
        [ "$PWD" = "$TMPDIR" ] && echo "private"
        stat -c %a .
        echo "$JOB_ACTION $JOB_ATTEMPT $JOB_NUMBER $COLOUR"
        echo "{\"id\": \"$JOB_ID\", \"token\": $JOB_TOKEN}" > "$JOB_RESULT"
        touch left-behind
        ''', "sh", "{{text}}", "{{*}}"]
    environment = { COLOUR = "{{colour}}" }
    stdin = "{{text}}"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_its_parameters_without_a_shell_and_no_other_variables() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(EVERYTHING);
    let text = "a 'b' \"c\" $(id) `id` \\ ; * \u{1f600}\n-rf";
    let parameters = json!({"text": text, "colour": "$HOME"});
    let job = env.succeed("everything", &parameters).await;
    let log = env.log(job.id).await;
    let names_of_jobs = "HOME JOB_ACTION JOB_ATTEMPT JOB_CHECKPOINT JOB_CHILDREN JOB_ID JOB_LOCKS \
        JOB_NUMBER JOB_PROGRESS JOB_RESULT JOB_TOKEN";
    let expected = [
        "a 'b' \"c\" $(id) `id` \\ ; * \u{1f600}".to_owned(),
        format!("-rf|{parameters}|"),
        "a 'b' \"c\" $(id) `id` \\ ; * \u{1f600}".to_owned(),
        "-rf".to_owned(),
    ];
    let expected = expected.map(|line| format!("stdout: {line}"));
    assert_eq!(log[..4], expected);
    let names = log[4].trim_start_matches("stdout: ").trim_end();
    let names = names.replace("LANG ", "").replace("TZ ", "");
    assert_eq!(names, format!("COLOUR {names_of_jobs} PATH PWD TMPDIR"));
    let rest = ["private", "700", &format!("everything 1 {} $HOME", job.number)];
    assert_eq!(log[5..], rest.map(|line| format!("stdout: {line}")));
    let token = job.token.unwrap().0;
    assert_eq!(job.result, Some(json!({"id": job.id.to_string(), "token": token})));
    let temporary = env.temporary();
    let workers = entries(&temporary);
    assert_eq!(workers.len(), 1, "{workers:?}");
    assert_eq!(entries(&temporary.join(&workers[0])), ["lock"], "the job's directory is removed");
    worker.stop().await;
    assert_eq!(entries(&temporary), [""; 0]);
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_from_its_file_and_hidden_in_the_log() {
    let env = WorkerEnv::new().await;
    let file = env.directory.join("key");
    let secret = format!("{{ secret = \"{}\" }}", file.display());
    let worker = env.worker(&format!(
        r#"[actions.a]
        argv = ["sh", "-c", 'echo "<$KEY>"; cat >&2; tr "\0" " " < /proc/$$/cmdline; echo "\"$KEY\"" > "$JOB_RESULT"']
        environment = {{ KEY = {secret} }}
        stdin = {secret}"#
    ));
    let (kind, message) = env.fail("a", &json!({})).await;
    assert_eq!(kind, "NoSecret");
    assert!(message.contains("No such file"), "{message}");
    std::fs::write(&file, "correct-horse\n").unwrap();
    let job = env.succeed("a", &json!({})).await;
    let mut log = env.log(job.id).await;
    log.sort();
    assert_eq!(log[0], "stderr: ***");
    assert_eq!(log[1], "stdout: <***>");
    assert!(log[2].starts_with("stdout: sh -c echo"), "{log:?}");
    assert!(!log.iter().any(|line| line.contains("horse")), "{log:?}");
    assert_eq!(job.result, Some(json!("correct-horse")), "the command had the secret itself");
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_as_its_user_and_within_its_limits() {
    let env = WorkerEnv::new().await;
    let root = nix::unistd::geteuid().is_root();
    let other = if root { "nobody".to_owned() } else { own_name() };
    // Another user must be able to reach its working directory.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&*env.directory, open).unwrap();
    let worker = env.worker(&format!(
        r#"[actions.limited]
        argv = ["sh", "-c", "id -un; ulimit -v; ulimit -n; nice; echo 1 > $JOB_RESULT; echo '{{}}' > $JOB_PROGRESS; pwd"]
        user = "{other}"
        limits = {{ address_space = "1GiB", open_files = 64, nice = 7 }}
        [actions.hungry]
        argv = ["python3", "-c", "bytearray(1 << 28)"]
        limits = {{ address_space = "64MiB" }}"#
    ));
    let job = env.succeed("limited", &json!({})).await;
    let log = env.log(job.id).await;
    let expected = [other, (1 << 20).to_string(), "64".to_owned(), "7".to_owned()];
    assert_eq!(log[..4], expected.map(|line| format!("stdout: {line}")));
    assert_eq!(job.result, Some(json!(1)));
    assert_eq!(env.fail("hungry", &json!({})).await.0, "ExitCode");
    worker.stop().await;
    env.close().await;
}

fn own_name() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
}

/// Starts processes that ignore SIGTERM: a child, one in another session, and one whose parent
/// is dead. Then prints the pid of the supervisor.
pub(crate) const DESCENDANTS: &str = r#"
    [actions.descendants]
    argv = ["sh", "-c", '''
        trap "" TERM
        sleep 1000 &
        setsid sh -c 'trap "" TERM; sleep 1000 & sleep 1000' &
        (setsid setsid sleep 1000 &)
        while ! [ "$(grep -lz "JOB_ID=$JOB_ID" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | wc -l)" -gt 5 ]; do :; done
        echo "$PPID"
        exec $0
        ''', "{{then}}"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_process_that_a_command_started_outlives_it() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(DESCENDANTS);
    let job = env.succeed("descendants", &json!({"then": "true"})).await;
    assert_eq!(processes_of(job.id), [0; 0], "they are gone before the outcome is recorded");
    assert_eq!(env.log(job.id).await.len(), 1);

    let (kind, message) = env.fail("descendants", &json!({"then": "false"})).await;
    assert_eq!((kind.as_str(), message.as_str()), ("ExitCode", "exit status 1"));

    let id = env.submit("descendants", &json!({"then": "sleep 1000"})).await;
    env.logged(id, 1).await;
    assert!(processes_of(id).len() >= 5, "{:?}", processes_of(id));
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(id).await.status, Status::Cancel);
    assert_eq!(processes_of(id), [0; 0]);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_says_how_a_command_ended_or_why_it_did_not_start() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(
        r#"[actions.segfault]
        argv = ["sh", "-c", "kill -SEGV $$"]
        [actions.no_program]
        argv = ["no-such-command"]
        [actions.no_directory]
        argv = ["true"]
        directory = "/no/such/place"
        [actions.bad_result]
        argv = ["sh", "-c", "echo no json > $JOB_RESULT"]"#,
    );
    let cases = [
        ("segfault", "Signal", "killed by SIGSEGV"),
        ("no_program", "CannotStart", "cannot start no-such-command: No such file"),
        ("no_directory", "CannotStart", "cannot start true: No such file"),
        ("bad_result", "BadResult", "result.json: not valid JSON"),
    ];
    for (action, kind, message) in cases {
        let failed = env.fail(action, &json!({})).await;
        assert_eq!(failed.0, kind, "{action}");
        assert!(failed.1.starts_with(message), "{action}: {}", failed.1);
    }
    worker.stop().await;
    env.close().await;
}
