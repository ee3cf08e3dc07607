//! What commands are given, and what becomes of what they do.

use domain::job::{Cancellation, Status};
use serde_json::json;

use crate::world::{World, entries, processes_of};

const EVERYTHING: &str = r#"
    [actions.everything]
    argv = ["sh", "-c", '''
        printf '%s|' "$@"; echo
        cat; echo
        env | cut -d= -f1 | grep -v '^\(_\|SHLVL\|OLDPWD\)$' | sort | tr '\n' ' '; echo
        [ "$PWD" = "$TMPDIR" ] && echo "at home"
        stat -c %a .
        echo "$JOB_ACTION $JOB_ATTEMPT $JOB_NUMBER $COLOUR"
        echo "{\"id\": \"$JOB_ID\", \"token\": $JOB_TOKEN}" > "$JOB_RESULT"
        touch left-behind
        ''', "sh", "{{text}}", "{{*}}"]
    environment = { COLOUR = "{{colour}}" }
    stdin = "{{text}}"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_its_parameters_without_a_shell_and_nothing_of_the_workers() {
    let world = World::new().await;
    let worker = world.worker(EVERYTHING);
    let text = "a 'b' \"c\" $(id) `id` \\ ; * \u{1f600}\n-rf";
    let parameters = json!({"text": text, "colour": "$HOME"});
    let job = world.done("everything", &parameters).await;
    let log = world.log(job.id).await;
    let words = "HOME JOB_ACTION JOB_ATTEMPT JOB_CHILDREN JOB_ID JOB_LOCKS JOB_NUMBER JOB_PROGRESS JOB_RESULT JOB_TOKEN";
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
    assert_eq!(names, format!("COLOUR {words} PATH PWD TMPDIR"));
    let rest = ["at home", "700", &format!("everything 1 {} $HOME", job.number)];
    assert_eq!(log[5..], rest.map(|line| format!("stdout: {line}")));
    let token = job.token.unwrap().0;
    assert_eq!(job.result, Some(json!({"id": job.id.to_string(), "token": token})));
    let folder = world.temporary();
    let rooms = entries(&folder);
    assert_eq!(rooms.len(), 1, "the worker's own folder: {rooms:?}");
    assert_eq!(entries(&folder.join(&rooms[0])), ["lock"], "the job's is gone");
    worker.stop().await;
    assert_eq!(entries(&folder), [""; 0]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_from_its_file_and_is_hidden_in_the_log() {
    let world = World::new().await;
    let file = world.folder.join("key");
    let secret = format!("{{ secret = \"{}\" }}", file.display());
    let worker = world.worker(&format!(
        r#"[actions.a]
        argv = ["sh", "-c", 'echo "<$KEY>"; cat >&2; tr "\0" " " < /proc/$$/cmdline; echo "\"$KEY\"" > "$JOB_RESULT"']
        environment = {{ KEY = {secret} }}
        stdin = {secret}"#
    ));
    let (kind, message) = world.failed("a", &json!({})).await;
    assert_eq!(kind, "NoSecret");
    assert!(message.contains("No such file"), "{message}");
    std::fs::write(&file, "correct-horse\n").unwrap();
    let job = world.done("a", &json!({})).await;
    let mut log = world.log(job.id).await;
    log.sort();
    assert_eq!(log[0], "stderr: ***");
    assert_eq!(log[1], "stdout: <***>");
    assert!(log[2].starts_with("stdout: sh -c echo"), "{log:?}");
    assert!(!log.iter().any(|line| line.contains("horse")), "{log:?}");
    assert_eq!(job.result, Some(json!("correct-horse")), "it had the secret itself");
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_as_who_and_within_the_limits_that_its_file_says() {
    let world = World::new().await;
    let root = nix::unistd::geteuid().is_root();
    let other = if root { "nobody".to_owned() } else { own_name() };
    // Others must be able to pass through to their directories.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&*world.folder, open).unwrap();
    let worker = world.worker(&format!(
        r#"[actions.limited]
        argv = ["sh", "-c", "id -un; ulimit -v; ulimit -n; nice; echo 1 > $JOB_RESULT; echo '{{}}' > $JOB_PROGRESS; pwd"]
        user = "{other}"
        limits = {{ address_space = "1GiB", open_files = 64, nice = 7 }}
        [actions.hungry]
        argv = ["python3", "-c", "bytearray(1 << 28)"]
        limits = {{ address_space = "64MiB" }}"#
    ));
    let job = world.done("limited", &json!({})).await;
    let log = world.log(job.id).await;
    let expected = [other, (1 << 20).to_string(), "64".to_owned(), "7".to_owned()];
    assert_eq!(log[..4], expected.map(|line| format!("stdout: {line}")));
    assert_eq!(job.result, Some(json!(1)));
    assert_eq!(world.failed("hungry", &json!({})).await.0, "ExitCode");
    worker.stop().await;
    world.close().await;
}

fn own_name() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
}

/// Leaves behind a child, one with a session of its own, and one whose parent is dead, all of which ignore SIGTERM.
pub(crate) const FAMILY: &str = r#"
    [actions.family]
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
async fn nothing_that_a_command_started_outlives_it() {
    let world = World::new().await;
    let worker = world.worker(FAMILY);
    let job = world.done("family", &json!({"then": "true"})).await;
    assert_eq!(processes_of(job.id), [0; 0], "gone when the end of the job is told");
    assert_eq!(world.log(job.id).await.len(), 1);

    let (kind, message) = world.failed("family", &json!({"then": "false"})).await;
    assert_eq!((kind.as_str(), message.as_str()), ("ExitCode", "exit status 1"));

    let id = world.submit("family", &json!({"then": "sleep 1000"})).await;
    world.said(id, 1).await;
    assert!(processes_of(id).len() >= 5, "{:?}", processes_of(id));
    world.house.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(world.ended(id).await.status, Status::Cancel);
    assert_eq!(processes_of(id), [0; 0]);
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_kills_itself_or_is_not_there_is_told_as_it_is() {
    let world = World::new().await;
    let worker = world.worker(
        r#"[actions.suicide]
        argv = ["sh", "-c", "kill -SEGV $$"]
        [actions.nothing]
        argv = ["no-such-command"]
        [actions.nowhere]
        argv = ["true"]
        directory = "/no/such/place"
        [actions.text]
        argv = ["sh", "-c", "echo no json > $JOB_RESULT"]"#,
    );
    let told = [
        ("suicide", "Signal", "killed by SIGSEGV"),
        ("nothing", "CannotStart", "cannot start no-such-command: No such file"),
        ("nowhere", "CannotStart", "cannot start true: No such file"),
        ("text", "BadResult", "result.json: it is no JSON"),
    ];
    for (action, kind, message) in told {
        let failed = world.failed(action, &json!({})).await;
        assert_eq!(failed.0, kind, "{action}");
        assert!(failed.1.starts_with(message), "{action}: {}", failed.1);
    }
    worker.stop().await;
    world.close().await;
}
