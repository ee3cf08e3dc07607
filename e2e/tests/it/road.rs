//! The road of a job, from submit to its end, over the real broker and store.

use std::time::Duration;

use domain::job::{Status, Timestamp};
use e2e::{StartServices, TestEnv, assert_consistent, job, jobs};
use serde_json::json;

use crate::world::{Actions, ended, no_process_in_group, with};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_published_claimed_run_and_recorded() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=2"));
    let batch = jobs(100, "noop", "");
    env.store().submit(&batch).await.unwrap();
    let one = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&one)).await.unwrap();
    env.eventually("all jobs are done", async || {
        env.store().counts().await.unwrap().contains(&(Status::Done, 101))
    })
    .await;
    let ended = env.store().job(one.id).await.unwrap().unwrap();
    assert_eq!(ended.attempt, 1);
    assert!(ended.worker.is_some() && ended.token.is_some());
    assert!(ended.created_at <= ended.started_at.unwrap());
    assert!(ended.started_at <= ended.finished_at);
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_jobs_of_the_reference_run_as_it_says() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1,scanCheck=1"));
    let three = ["scan=1", "scan=1", "scanCheck=1"].map(|need| job("sleep", need));
    let three = three.map(|job| with(job, &json!({"seconds": "1.5"})));
    env.store().submit(&three).await.unwrap();
    let look = async |index: usize| env.store().job(three[index].id).await.unwrap().unwrap();
    env.eventually("0 and 2 run", async || {
        look(0).await.status == Status::Running && look(2).await.status == Status::Running
    })
    .await;
    let mut looks = 0;
    loop {
        let (waiting, first) = (look(1).await, look(0).await);
        if first.status != Status::Running {
            break;
        }
        assert_eq!((waiting.status, waiting.worker), (Status::Waiting, None));
        looks += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(looks > 50, "it was seen to wait {looks} times");
    let (first, second) = (look(0).await, ended(&env, three[1].id).await);
    assert_eq!((first.status, second.status), (Status::Done, Status::Done));
    assert!(second.started_at >= first.finished_at);
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_without_a_shell_and_its_output_becomes_the_log() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let text = r#"
        [actions.say]
        argv = ["printf", "%s\n", "{{text}}"]
        [actions.fail]
        argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]
        [actions.missing]
        argv = ["/nonexistent/command"]
        [actions.slow]
        argv = ["sh", "-c", "trap '' TERM; echo $$; sleep 60 & wait; sleep 60"]
    "#;
    let actions = Actions::new(text);
    let worker = env.worker_with(&["--capacity=scan=1", &actions.flag()]);
    let say = with(job("say", ""), &json!({"text": "$(id) `id` ; \"quoted\"\nsecond"}));
    let (fail, missing) = (job("fail", ""), job("missing", ""));
    let mut slow = job("slow", "");
    slow.spec.deadline = "300ms".parse().unwrap();
    slow.spec.stop_timeout = "200ms".parse().unwrap();
    let batch = [say.clone(), fail.clone(), missing.clone(), slow.clone(), job("say", "")];
    env.store().submit(&batch).await.unwrap();

    assert_eq!(ended(&env, say.id).await.status, Status::Done);
    let log = async |id| env.store().log_lines(id, 0, 100).await.unwrap();
    let lines: Vec<_> = log(say.id).await.into_iter().map(|line| line.text).collect();
    assert_eq!(lines, ["$(id) `id` ; \"quoted\"", "second"]);
    let failed = ended(&env, fail.id).await;
    assert_eq!(failed.status, Status::Error);
    let exception = failed.exception.unwrap();
    assert_eq!(
        (exception.kind.as_str(), exception.message.as_str()),
        ("ExitCode", "exit status 3")
    );
    let mut lines: Vec<_> =
        log(fail.id).await.into_iter().map(|line| (line.source, line.text)).collect();
    lines.sort();
    assert_eq!(lines, [("stderr".into(), "err".into()), ("stdout".into(), "out".into())]);
    assert_eq!(ended(&env, missing.id).await.exception.unwrap().kind, "CannotStart");
    assert_eq!(ended(&env, batch[4].id).await.exception.unwrap().kind, "MissingParameter");
    let stopped = ended(&env, slow.id).await;
    assert_eq!(stopped.exception.unwrap().kind, "DeadlineExceeded");
    let group = log(slow.id).await[0].text.clone();
    assert!(no_process_in_group(&group), "group {group} outlived its job");
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_due_later_starts_then_and_a_failed_one_is_tried_again() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let mut failing = job("false", "scan=1");
    failing.spec.retries = 1;
    env.store().submit(std::slice::from_ref(&failing)).await.unwrap();
    let first = ended(&env, failing.id).await;
    assert_eq!(first.status, Status::Error);
    let mut later = job("noop", "scan=1");
    later.scheduled_at = Some(Timestamp::from_ms(first.created_at.ms() + 800));
    env.store().submit(std::slice::from_ref(&later)).await.unwrap();
    let second = ended(&env, first.follow_up.unwrap()).await;
    assert_eq!((second.status, second.attempt, second.follow_up), (Status::Error, 2, None));
    let later = ended(&env, later.id).await;
    assert!(later.started_at.unwrap() >= later.scheduled_at, "never early");
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatty_command_is_logged_whole_and_in_order() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = Actions::new("[actions.count]\nargv = ['seq', '1', '{{to}}']");
    let worker = env.worker_with(&["--capacity=scan=1", &actions.flag()]);
    let count = with(job("count", ""), &json!({"to": 20_000}));
    env.store().submit(std::slice::from_ref(&count)).await.unwrap();
    assert_eq!(ended(&env, count.id).await.status, Status::Done);
    let read = env.store().log_lines(count.id, 0, 30_000).await.unwrap();
    assert_eq!(read.len(), 20_000);
    assert!(read.iter().all(|line| line.text == (line.number + 1).to_string()));
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
