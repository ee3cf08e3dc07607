//! The path of a job, from its submission to its end, over a real store and broker.

use domain::job::{JobId, Status, Timestamp};
use e2e::StartServices;
use serde_json::json;
use testkit::{
    ActionsFile, Gate, TestEnv, assert_consistent, is_process_group_empty, job, jobs,
    with_parameters,
};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_published_claimed_run_and_recorded() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=2"));
    env.store().submit(&jobs(100, "noop", "")).await.unwrap();
    let scan = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&scan)).await.unwrap();
    env.until_done(101).await;
    let record = env.job(scan.id).await;
    assert_eq!(record.attempt, 1);
    assert!(record.worker.is_some() && record.token.is_some());
    assert!(record.created_at <= record.started_at.unwrap());
    assert!(record.started_at <= record.finished_at);
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_scan_waits_for_the_first_while_a_scan_check_runs_beside_it() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1,scanCheck=1", &actions.flag()]);
    let [first, second, check] = ["scan=1", "scan=1", "scanCheck=1"].map(|need| job("gated", need));
    env.store().submit(&[first.clone(), second.clone(), check.clone()]).await.unwrap();
    let runs = async |id| env.job(id).await.status == Status::Running;
    let both_run = async || runs(first.id).await && runs(check.id).await;
    env.eventually("the first scan and the check run", both_run).await;
    let waiting = env.job(second.id).await;
    assert_eq!((waiting.status, waiting.worker), (Status::Waiting, None));
    gate.open();
    let (first, second) = (env.finished(first.id).await, env.finished(second.id).await);
    assert_eq!((first.status, second.status), (Status::Done, Status::Done));
    assert!(second.started_at >= first.finished_at);
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

const COMMANDS: &str = r#"
    [actions.print]
    argv = ["printf", "%s\n", "{{text}}"]
    [actions.fail]
    argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    [actions.missing]
    argv = ["/nonexistent/command"]
    [actions.slow]
    argv = ["sh", "-c", "trap '' TERM; echo $$; sleep 600 & wait; sleep 600"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_without_a_shell_and_its_output_becomes_the_log() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = ActionsFile::new(COMMANDS);
    let worker = env.worker_with(&["--capacity=scan=1", &actions.flag()]);
    let text = "$(id) `id` ; \"quoted\"\nsecond";
    let print = with_parameters(job("print", ""), &json!({"text": text}));
    let (without_parameter, fail, missing) =
        (job("print", ""), job("fail", ""), job("missing", ""));
    let mut slow = job("slow", "");
    // Long enough for a busy machine to start the command.
    slow.spec.deadline = "2s".parse().unwrap();
    slow.spec.stop_timeout = "200ms".parse().unwrap();
    let batch =
        [print.clone(), without_parameter.clone(), fail.clone(), missing.clone(), slow.clone()];
    env.store().submit(&batch).await.unwrap();

    assert_eq!(env.finished(print.id).await.status, Status::Done);
    let log = async |id| env.store().log_lines(id, 0, 100).await.unwrap();
    let lines: Vec<_> = log(print.id).await.into_iter().map(|line| line.text).collect();
    assert_eq!(lines, ["$(id) `id` ; \"quoted\"", "second"]);
    let exception = async |id| {
        let exception = env.finished(id).await.exception.unwrap();
        (exception.kind, exception.message)
    };
    assert_eq!(exception(fail.id).await, ("ExitCode".into(), "exit status 3".into()));
    let mut lines: Vec<_> =
        log(fail.id).await.into_iter().map(|line| (line.source, line.text)).collect();
    lines.sort();
    assert_eq!(lines, [("stderr".into(), "err".into()), ("stdout".into(), "out".into())]);
    assert_eq!(exception(missing.id).await.0, "CannotStart");
    assert_eq!(exception(without_parameter.id).await.0, "MissingParameter");
    assert_eq!(exception(slow.id).await.0, "DeadlineExceeded");
    let group = log(slow.id).await[0].text.clone();
    assert!(is_process_group_empty(&group), "process group {group} outlived its job");
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_is_retried_as_often_as_it_allows() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let mut failing = job("false", "scan=1");
    failing.spec.retries = 1;
    env.store().submit(std::slice::from_ref(&failing)).await.unwrap();
    let first = env.finished(failing.id).await;
    assert_eq!(first.status, Status::Error);
    let second = env.finished(first.follow_up.unwrap()).await;
    assert_eq!((second.status, second.attempt, second.follow_up), (Status::Error, 2, None));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_job_never_starts_early() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let mut scheduled = job("noop", "scan=1");
    let now = env.store().now().await.unwrap();
    scheduled.scheduled_at = Some(Timestamp::from_ms(now.ms() + 800));
    env.store().submit(std::slice::from_ref(&scheduled)).await.unwrap();
    let record = env.finished(scheduled.id).await;
    assert!(record.started_at.unwrap() >= record.scheduled_at);
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_complete_and_in_order() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = ActionsFile::new("[actions.count]\nargv = ['seq', '1', '{{to}}']");
    let worker = env.worker_with(&["--capacity=scan=1", &actions.flag()]);
    let count = with_parameters(job("count", ""), &json!({"to": 20_000}));
    env.store().submit(std::slice::from_ref(&count)).await.unwrap();
    assert_eq!(env.finished(count.id).await.status, Status::Done);
    let lines = env.store().log_lines(count.id, 0, 30_000).await.unwrap();
    assert_eq!(lines.len(), 20_000);
    assert!(lines.iter().all(|line| line.text == (line.number + 1).to_string()));
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_worker_that_knows_its_action() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let without_action = env.worker("scan=1");
    let rare = job("rare", "scan=1");
    let last = job("noop", "scan=1");
    env.store().submit(&[rare.clone(), last.clone()]).await.unwrap();
    env.finished(last.id).await;
    assert_eq!(status_and_attempt(&env, rare.id).await, (Status::Waiting, 1));
    let actions = ActionsFile::new("[actions.rare]\nargv = ['true']");
    let with_action = env.worker_with(&["--capacity=scan=1", &actions.flag()]);
    env.finished(rare.id).await;
    assert_eq!(status_and_attempt(&env, rare.id).await, (Status::Done, 1));
    assert_consistent(env.store()).await;
    for service in [without_action, with_action, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

async fn status_and_attempt(env: &TestEnv, id: JobId) -> (Status, u32) {
    let job = env.job(id).await;
    (job.status, job.attempt)
}
