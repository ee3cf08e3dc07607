//! The logs of commands: live, in order, and bounded.

use domain::job::{Cancellation, Status};
use serde_json::json;

use crate::env::WorkerEnv;

#[tokio::test(flavor = "multi_thread")]
async fn lines_can_be_read_in_order_while_the_command_runs() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(
        r#"[actions.talk]
        argv = ["python3", "-uc", '''
import sys, time
for n in range(20):
    print(n, file=sys.stderr if n % 2 else sys.stdout)
    time.sleep(0.03)
time.sleep(1000)
''']"#,
    );
    let id = env.submit("talk", &json!({})).await;
    env.logged(id, 20).await;
    let lines = env.store().log_lines(id, 0, 100).await.unwrap();
    let started = env.job(id).await.started_at.unwrap();
    let mut earlier = started;
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line.text, number.to_string(), "{lines:?}");
        assert_eq!(line.source, if number % 2 == 1 { "stderr" } else { "stdout" });
        assert!(line.at >= earlier, "{lines:?}");
        earlier = line.at;
    }
    // The lines were batched, and each has the time at which it was written all the same.
    let distinct: std::collections::BTreeSet<_> = lines.iter().map(|line| line.at).collect();
    assert!(distinct.len() > 10, "{lines:?}");
    assert_eq!(env.job(id).await.status, Status::Running);
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(id).await.status, Status::Cancel);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_beyond_the_limit_is_read_and_dropped_with_a_note() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(
        r#"[actions.noise]
        argv = ["sh", "-c", "head -c 100000000 /dev/urandom; echo 7 > $JOB_RESULT"]"#,
    );
    let job = env.succeed("noise", &json!({})).await;
    assert_eq!(job.result, Some(json!(7)), "the command was not blocked");
    let log = env.log(job.id).await;
    let bytes: usize = log.iter().map(String::len).sum();
    assert!((3_500_000..5_000_000).contains(&bytes), "{bytes} bytes are kept");
    let last = log.last().unwrap();
    assert!(last.starts_with("capstan: ") && last.contains("4194304 bytes"), "{last}");
    assert!(log.iter().any(|line| line.contains('\u{fffd}')), "invalid UTF-8 is replaced");
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_line_is_split_between_characters_and_no_line_is_lost() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(
        r#"[actions.long]
        argv = ["python3", "-c", "print('x' + '\u20ac' * 10000); print('', end='no newline')"]
        [actions.count]
        argv = ["sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done"]"#,
    );
    let job = env.succeed("long", &json!({})).await;
    let log = env.log(job.id).await;
    assert_eq!(log.len(), 3);
    assert!(!log.join("").contains('\u{fffd}'), "no character is split");
    assert_eq!(log[..2].concat().matches('\u{20ac}').count(), 10_000);
    assert_eq!(log[2], "stdout: no newline");
    let job = env.succeed("count", &json!({})).await;
    let expected: Vec<String> = (1..=2000).map(|n| format!("stdout: {n}")).collect();
    assert_eq!(env.log(job.id).await, expected);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_secret_is_logged_where_a_long_line_is_split() {
    let env = WorkerEnv::new().await;
    let [short, long] = ["short", "long"].map(|name| env.directory.join(name));
    std::fs::write(&short, "correct-horse").unwrap();
    std::fs::write(&long, "correct-horse-battery-staple\n").unwrap();
    let secret = |file: &std::path::Path| format!("{{ secret = \"{}\" }}", file.display());
    let worker = env.worker(&format!(
        r#"[actions.leak]
        argv = ["python3", "-c", '''
import os, sys
for before in range(16 * 1024 - 30, 16 * 1024 + 2):
    print("x" * before + os.environ["LONG"] + "y" * 20000)
print(os.environ["SHORT"], os.environ["LONG"])
sys.stdout.write(os.environ["LONG"][:-1])
''']
        environment = {{ SHORT = {}, LONG = {} }}"#,
        secret(&short),
        secret(&long)
    ));
    let job = env.succeed("leak", &json!({})).await;
    let log = env.log(job.id).await;
    for part in ["co", "rrect", "horse", "battery", "staple", "le"] {
        let shown = log.iter().find(|line| line.replace("stdout: ", "").contains(part));
        assert_eq!(shown, None, "{part} is shown");
    }
    assert_eq!(log[log.len() - 2..], ["stdout: *** ***", "stdout: ***"]);
    worker.stop().await;
    env.close().await;
}
