//! The command line against a real fleet, as people and scripts use it.

use std::path::PathBuf;

use testkit::TestEnv;
use tokio::process::Command;

use crate::docs::program;

/// How long a script may take, the start of its fleet included.
const LIMIT_S: &str = "60";

#[tokio::test]
async fn text_of_a_job_cannot_act_on_a_terminal_unless_it_is_to_be_raw() {
    let actions = "[actions.forge]\nargv = ['printf', 'a\\r\\033[2J\\342\\200\\256b\\n']\n";
    let script = r#"
        comment=$(printf 'fine\nstatus           done\033[2J\342\200\256')
        job=$(capstan jobs submit forge --comment "$comment")
        capstan jobs wait "$job"
        capstan jobs show "$job" | grep '^comment\|^status'
        capstan jobs show "$job" --json | grep '"comment"'
        terminal() { script -qec "$*" /dev/null | tr -d '\n'; echo; }
        echo "pipe $(capstan jobs logs "$job")"
        echo "terminal $(terminal capstan jobs logs "$job")"
        echo "raw $(terminal capstan jobs logs "$job" --raw)"
    "#;
    let printed = run(actions, script).await;
    let (_, printed) = printed.split_once('\n').unwrap();
    let expected = [
        r"status           done",
        r"comment          fine\nstatus           done\x1b[2J\u{202e}",
        r#"  "comment": "fine\nstatus           done\u001b[2J\u202e","#,
        "pipe a\r\u{1b}[2J\u{202e}b",
        "terminal a\\r\\x1b[2J\\u{202e}b\r",
        "raw a\r\u{1b}[2J\u{202e}b\r",
    ];
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        expected.map(|line| line.trim_end_matches('\r'))
    );
}

#[tokio::test]
async fn what_a_table_prints_can_be_typed_back() {
    let script = r#"
        capstan jobs submit noop --at 2100-01-01T00:00:00Z >/dev/null
        job=$(capstan jobs submit noop --capacity gpu=9)
        read -r id number action status code <<<"$(capstan jobs list | sed -n 2p)"
        [ "$id" = "$job" ]
        echo "$action $status ${code%% *}"
        for name in "$number" "${job:0:8}" "${job:0:13}…"; do
            [ "$(capstan jobs show "$name" -o name)" = "$job" ]
        done
        cut=$(script -qec "stty cols 70 rows 24; capstan jobs list" /dev/null | sed -n 2p)
        grep -o '^[0-9a-f]*…' <<<"$cut" | sed 's/[0-9a-f]*//'
        [ "$(capstan jobs show "${cut%% *}" -o name)" = "$job" ]
        capstan jobs list -o json | grep '"total"'
        capstan jobs list -o yaml | grep '^total'
        capstan jobs cancel "$number"
        worker=$(capstan workers list | awk 'NR == 2 { print $2 }')
        capstan workers drain "$worker"
        capstan workers resume "$(capstan workers -o name | head -1)"
        capstan jobs show ffff 2>&1 || echo "exit $?"
    "#;
    let printed = run("", script).await;
    let expected = "noop waiting capacity\n…\n  \"total\": 2\ntotal: 2\n\
                    capstan: no id of the latest 10000 jobs begins with ffff\nexit 2\n";
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn pausing_an_unknown_name_prints_a_note() {
    let script = r#"
        capstan actions pause noop nop 2>&1
        capstan actions list
        capstan queues list 2>&1 | tail -1
        capstan actions resume noop nop
        capstan jobs submit noop --capacity gpu=9 >/dev/null
        capstan queues pause gpu=9 gpu=8 2>&1
        capstan queues resume gpu=9 gpu=8
    "#;
    let expected = "paused nop, but no worker has an action with this name\n\
                    ACTION  CAPACITY  RETRIES  DEADLINE  STOP TIMEOUT  PARAMETERS  PAUSED\n\
                    noop                                                           paused\n\
                    nop                                                            paused\n\
                    paused actions: noop, nop\n\
                    paused gpu=8, but there are no jobs of this class\n";
    assert_eq!(run("", script).await, expected);
}

#[tokio::test]
async fn jobs_are_changed_by_filter_after_a_confirmation() {
    let actions = "[actions.fail]\nargv = ['false']\n";
    let script = r#"
        for team in net net web; do
            capstan jobs submit fail --label team=$team --wait >/dev/null 2>&1 || true
        done
        capstan jobs submit noop --at 2100-01-01T00:00:00Z >/dev/null
        capstan bulk retry --label team=net --dry-run
        capstan jobs retry --label team=net </dev/null 2>&1 || echo "exit $?"
        capstan jobs retry --label team=net --yes 2>/dev/null
        until [ "$(capstan jobs list --status error -o name | wc -l)" = 5 ]; do sleep 0.1; done
        capstan bulk retry --label team=net --status error --dry-run
        capstan bulk cancel --all --yes 2>/dev/null
        capstan bulk delete --status error,cancel --yes 2>/dev/null
        capstan bulk list | awk '{ print $2, $3, $4 }'
        id=$(capstan bulk list -o name | head -1)
        capstan bulk show "$id" | grep '^state'
        capstan bulk stop "$id" | grep '^state'
        capstan bulk show 1 2>&1 || echo "exit $?"
    "#;
    let printed = run(actions, script).await;
    let expected = "\
2 jobs can be retried
2 jobs can be retried
capstan: Retry 2 jobs? Pass --yes: there is no terminal to ask on
exit 2
2 jobs retried
2 jobs can be retried, 2 cannot: 2 alreadyRetried
1 job cancelled
6 jobs deleted
OPERATION STATE CHANGED
delete done 6
cancel done 1
retry done 2
state            done
state            done
capstan: the API refused (404 NO_SUCH_BULK_OPERATION): there is no bulk operation \"1\"
exit 3
";
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn a_shell_completes_commands_flags_and_names() {
    let script = r#"
        job=$(capstan jobs submit noop --at 2100-01-01T00:00:00Z)
        capstan crons set nightly --action noop --schedule '0 3 * * *' >/dev/null
        . <(capstan completions bash)
        complete_line() {
            COMP_WORDS=(capstan "$@") COMP_CWORD=$# COMP_TYPE=9
            _clap_complete_capstan capstan "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s ' "${COMPREPLY[@]% }"
            echo
        }
        complete_line jo
        complete_line jobs canc
        complete_line jobs show "" | tr ' ' '\n' | grep -c "^1$"
        [ "$(complete_line jobs show "${job:0:8}")" = "$job " ]
        complete_line crons run n
        complete_line jobs submit sl
        complete_line jobs list --status wor
        complete_line jobs list --sin
        CAPSTAN_API=http://127.0.0.1:1 complete_line jobs show 1
        api=$CAPSTAN_API
        CAPSTAN_API=http://127.0.0.1:1 complete_line --api "$api" crons run n
    "#;
    let expected = "\
jobs
cancel
1
nightly
sleep
worker_dead worker_shutdown worker_resurrection
--since

nightly
";
    let printed = run("", script).await;
    let trimmed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    assert_eq!(trimmed.join("\n") + "\n", expected);
}

#[tokio::test]
async fn lines_of_standard_input_become_jobs_and_bad_ones_are_reported() {
    let script = r#"
        code=0
        printf '%s\n' '{"action":"noop"}' '{"action":"noop","retries":-1}' 'nonsense' '' \
            '{"action":"noop","comment":"last"}' |
            capstan jobs submit - >ids 2>errors || code=$?
        echo "exit $code, $(wc -l <ids) jobs"
        capstan jobs show "$(tail -1 ids)" | grep '^comment'
        cut -d: -f1 errors
    "#;
    let printed = run("", script).await;
    let expected =
        "exit 1, 2 jobs\ncomment          last\nline 3\nline 2\n2 of 4 lines were not accepted\n";
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn logs_events_and_the_audit_are_selected_by_flags() {
    let actions = "[actions.talk]\nargv = ['sh', '-c', 'echo a; echo b; echo c >&2']\n";
    let script = r#"
        job=$(capstan jobs submit talk --wait 2>/dev/null)
        capstan jobs logs "$job" --stderr
        capstan jobs logs "$job" --tail 1 --follow
        capstan jobs logs "$job" --timestamps | cut -c5,8,11
        capstan audit --since 1h --limit 1 | awk '{ print $NF }' | tail -1 | sed "s/$job/the job/"
        capstan events --kind job --status done --action talk >events &
        trap "kill $!" EXIT
        until grep -q . events; do capstan jobs submit talk --wait >/dev/null 2>&1; done
        head -1 events | grep -o 'action=talk.*status=done' | sed 's/ .* / /'
        capstan explain capacity | head -1
    "#;
    let printed = run(actions, script).await;
    let expected = "c\n(c|b)\n--T\n--T\n--T\nthe job\naction=talk status=done\ncapacity\n";
    assert!(
        ["c", "b", "a"].iter().any(|last| printed == expected.replace("(c|b)", last)),
        "{printed}"
    );
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let script = r#"
        { capstan jobs show 2>&1 || true; } | grep "^Usage"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
            -subj /CN=localhost -keyout key.pem -out cert.pem 2>/dev/null
        capstan-api --listen 127.0.0.1:0 --admin-listen "" --log info \
            --tls-cert cert.pem --tls-key key.pem >api.log 2>&1 &
        trap "kill $!" EXIT
        until port=$(grep -ao 'address=127.0.0.1:[0-9]*' api.log); do sleep 0.05; done
        capstan --api "http://127.0.0.1:${port##*:}" jobs list 2>&1 || echo "$?"
        capstan --api "https://${CAPSTAN_API#http://}" jobs list 2>&1 || echo "$?"
    "#;
    let printed = run("", script).await;
    let lines: Vec<&str> = printed.lines().collect();
    let ["Usage: capstan jobs show <JOB>", plain, "4", tls, "4"] = lines[..] else {
        panic!("{printed}")
    };
    assert!(plain.ends_with("; the server speaks TLS? use https://"), "{plain}");
    assert!(tls.ends_with("; the server speaks no TLS? use http://"), "{tls}");
}

/// Runs a Bash script against a fleet with these actions. Returns its standard output.
pub(crate) async fn run(actions: &str, script: &str) -> String {
    let env = TestEnv::new().await;
    let folder = Folder(std::env::temp_dir().join(format!("cli-{}", env.store_config().namespace)));
    std::fs::create_dir_all(&folder.0).unwrap();
    let actions_file = folder.0.join("actions.toml");
    std::fs::write(&actions_file, actions).unwrap();

    // SIGTERM after the limit lets `capstan up` stop what it started.
    let mut up = Command::new("timeout");
    up.arg(LIMIT_S).arg(program("capstan")).kill_on_drop(true).current_dir(&folder.0);
    up.env_clear();
    for name in ["PATH", "HOME", "LANG"] {
        up.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    up.env("CAPSTAN_NAMESPACE", &env.store_config().namespace).env("CAPSTAN_LOG", "warn");
    up.args(["up", "--listen", "127.0.0.1:0", "--grace", "1s"]);
    up.args(["--redis", &env.store_config().redis_url]);
    up.args(["--amqp", &env.broker_config().amqp_url]);
    up.arg("--actions").arg(&actions_file);
    up.args(["--", "bash", "-c", &format!("set -euo pipefail\n{script}")]);
    let output = up.output().await.unwrap();
    env.close().await;
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    stdout
}

/// A folder that is deleted on drop.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
