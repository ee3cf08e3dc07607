//! What commands say: live, in order, with its time, and bounded however much it is.

use std::time::{Duration, Instant};

use domain::job::Status;
use serde_json::json;
use store::LogLine;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_there_while_the_command_runs_in_order_and_with_their_own_times() {
    let world = World::new().await;
    let worker = world.worker(
        r#"[actions.talk]
        argv = ["python3", "-uc", '''
import sys, time
for n in range(20):
    print(f"{time.time():.6f}", file=sys.stderr if n % 2 else sys.stdout)
    time.sleep(0.03)
time.sleep(60)
''']"#,
    );
    let id = world.submit("talk", &json!({})).await;
    let mut seen: Vec<(LogLine, Duration)> = Vec::new();
    let began = Instant::now();
    while seen.len() < 20 {
        let new = world.house.store().log_lines(id, seen.len() as u64, 100).await.unwrap();
        let now = now();
        seen.extend(new.into_iter().map(|line| {
            let late = now.saturating_sub(said_at(&line));
            (line, late)
        }));
        assert!(began.elapsed() < Duration::from_secs(60), "{seen:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut late: Vec<Duration> = seen.iter().map(|(_, late)| *late).collect();
    late.sort();
    // The median, so that a machine that is busy with other tests does not fail it.
    assert!(late[10] < Duration::from_millis(200), "{late:?}");
    for (at, (line, _)) in seen.iter().enumerate() {
        assert_eq!(line.source, if at % 2 == 1 { "stderr" } else { "stdout" });
        let apart = line.at.ms() - said_at(line).as_millis() as i64;
        assert!(apart.abs() < 200, "line {at} has a time {apart} ms from when it was said");
    }
    world.house.store().cancel(&[id], &domain::job::Cancellation::default()).await.unwrap();
    assert_eq!(world.ended(id).await.status, Status::Cancel);
    worker.stop().await;
    world.close().await;
}

#[expect(clippy::disallowed_methods, reason = "the command tells the time of day")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}

fn said_at(line: &LogLine) -> Duration {
    Duration::from_secs_f64(line.text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_of_noise_are_read_to_the_end_and_cut_with_a_line_that_says_so() {
    let world = World::new().await;
    let worker = world.worker(
        r#"[actions.noise]
        argv = ["sh", "-c", "head -c 100000000 /dev/urandom; echo 7 > $JOB_RESULT"]"#,
    );
    let before = resident_kib();
    let job = world.done("noise", &json!({})).await;
    assert_eq!(job.result, Some(json!(7)), "it was not held up");
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "the worker grew by {grown} KiB");
    let log = world.log(job.id).await;
    let bytes: usize = log.iter().map(String::len).sum();
    assert!((3_500_000..5_000_000).contains(&bytes), "{bytes} bytes are kept");
    let last = log.last().unwrap();
    assert_eq!(last, "capstan: the log is cut here: it has reached its limit of 4194304 bytes");
    assert!(log[0].contains('\u{fffd}'), "what is no UTF-8 is replaced");
    worker.stop().await;
    world.close().await;
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatty_job_costs_few_calls_and_a_long_line_is_broken_between_characters() {
    let world = World::new().await;
    let worker = world.worker(
        r#"[actions.long]
        argv = ["python3", "-c", "print('x' + '\u20ac' * 10000); print('', end='no newline')"]
        [actions.drip]
        argv = ["sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done"]"#,
    );
    let job = world.done("long", &json!({})).await;
    let log = world.log(job.id).await;
    assert_eq!(log.len(), 3);
    assert!(!log.join("").contains('\u{fffd}'), "no character is cut in two");
    assert_eq!(log[..2].concat().matches('\u{20ac}').count(), 10_000);
    assert_eq!(log[2], "stdout: no newline");
    let job = world.done("drip", &json!({})).await;
    let expected: Vec<String> = (1..=2000).map(|n| format!("stdout: {n}")).collect();
    assert_eq!(world.log(job.id).await, expected);
    worker.stop().await;
    world.close().await;
}
