//! The log and the progress of a job.

use std::time::Duration;

use domain::job::{FencingToken, Outcome};
use serde_json::json;
use store::{AppendAnswer, LogSource, NewLogLine};
use testkit::{TestEnv, job};

use crate::calls::{claimed, dump, end, finish, submit, worker};

fn lines(texts: &[&str]) -> Vec<NewLogLine> {
    texts.iter().map(|text| NewLogLine::now(LogSource::Stdout, *text)).collect()
}

#[tokio::test]
async fn lines_are_numbered_from_zero_and_a_repeated_call_adds_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "")).await;
    let token = claimed(&env, &worker, id).await.token;
    assert_eq!(
        env.store().append_log(id, token, 0, &lines(&["a", "b"])).await.unwrap(),
        AppendAnswer::Recorded
    );
    assert_eq!(
        env.store().append_log(id, token, 0, &lines(&["a", "b"])).await.unwrap(),
        AppendAnswer::Recorded
    );
    assert_eq!(
        env.store().append_log(id, token, 1, &lines(&["b", "c"])).await.unwrap(),
        AppendAnswer::Recorded
    );
    let read = env.store().log_lines(id, 0, 100).await.unwrap();
    let lines: Vec<_> = read.iter().map(|line| (line.number, line.text.as_str())).collect();
    assert_eq!(lines, [(0, "a"), (1, "b"), (2, "c")]);
    let page = env.store().log_lines(id, 1, 1).await.unwrap();
    assert_eq!((page.len(), page[0].text.as_str(), page[0].source.as_str()), (1, "b", "stdout"));
    env.close().await;
}

#[tokio::test]
async fn no_line_is_earlier_than_the_one_before_it_or_than_the_run() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "")).await;
    let token = claimed(&env, &worker, id).await.token;
    let old = NewLogLine {
        source: LogSource::Stderr,
        age: Duration::from_secs(3600),
        text: "old".to_owned(),
    };
    for (first, line) in [(0, &old), (1, &lines(&["new"])[0]), (2, &old)] {
        let line = std::slice::from_ref(line);
        env.store().append_log(id, token, first, line).await.unwrap();
    }
    let started = env.store().job(id).await.unwrap().unwrap().started_at.unwrap();
    let read = env.store().log_lines(id, 0, 100).await.unwrap();
    let [first, second, third] = &read[..] else { panic!("{read:?}") };
    assert_eq!((first.at, third.at), (started, second.at));
    assert!(first.at <= second.at, "{read:?}");
    env.close().await;
}

#[tokio::test]
async fn only_the_current_run_of_a_job_writes_its_log_and_progress() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "")).await;
    let token = claimed(&env, &worker, id).await.token;
    let stale = FencingToken(token.0 + 1);
    let progress = json!({"percent": 50});
    assert_eq!(env.store().progress(id, token, &progress).await.unwrap(), AppendAnswer::Recorded);
    let before = dump(&env).await;
    assert_eq!(
        env.store().append_log(id, stale, 0, &lines(&["x"])).await.unwrap(),
        AppendAnswer::Stale
    );
    assert_eq!(env.store().progress(id, stale, &json!(1)).await.unwrap(), AppendAnswer::Stale);
    assert_eq!(dump(&env).await, before);
    assert_eq!(env.store().job(id).await.unwrap().unwrap().progress, Some(progress));
    finish(&env, &end(id, token, Outcome::Done(None))).await;
    let before = dump(&env).await;
    assert_eq!(
        env.store().append_log(id, token, 0, &lines(&["x"])).await.unwrap(),
        AppendAnswer::Stale
    );
    assert_eq!(env.store().progress(id, token, &json!(1)).await.unwrap(), AppendAnswer::Stale);
    assert_eq!(dump(&env).await, before, "a run that is over writes nothing");
    env.close().await;
}

#[tokio::test]
async fn a_log_that_reaches_its_limit_ends_with_a_line_that_says_so() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "")).await;
    let token = claimed(&env, &worker, id).await.token;
    let long = "x".repeat(64 * 1024);
    let mut first = 0;
    let cut = loop {
        let answer = env.store().append_log(id, token, first, &lines(&[&long])).await.unwrap();
        if answer != AppendAnswer::Recorded {
            break answer;
        }
        first += 1;
    };
    assert_eq!(
        (cut, first),
        (AppendAnswer::Cut, 63),
        "4 MiB are kept, including the overhead of each line"
    );
    assert_eq!(
        env.store().append_log(id, token, 64, &lines(&["more"])).await.unwrap(),
        AppendAnswer::Cut
    );
    let last = env.store().log_lines(id, 63, 10).await.unwrap();
    assert_eq!((last.len(), last[0].source.as_str()), (1, "capstan"));
    assert!(last[0].text.contains("reached its limit"), "{}", last[0].text);
    env.close().await;
}
