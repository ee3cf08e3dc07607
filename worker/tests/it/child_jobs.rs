//! Jobs with children, created by a command or a Rust function: each child once, and the parent
//! waits for them without occupying a worker.

use domain::job::{Cancellation, Job, JobId, Status};
use serde_json::{Value, json};
use store::JobFilter;
use testkit::{assert_consistent, with_parameters};
use worker::{Child, Context};

use crate::env::WorkerEnv;

/// A parent that creates `children` children of the action `child`, executes `each` after each and
/// `then` at the end, and waits for them; and actions for the children.
const ACTIONS: &str = r#"
    [actions.parent]
    argv = ["bash", "-euc", '''
        for i in $(seq "$1"); do
            child='{"action": "%s", "key": "%s", "parameters": {"n": "%s"}}\n'
            printf "$child" "$2" "$i" "$i" >"$JOB_CHILDREN"
            eval "$4"
        done
        echo "created $1"
        eval "$3"
        echo '{"await": true}' >"$JOB_CHILDREN"
        echo "\"attempt $JOB_ATTEMPT\"" >"$JOB_RESULT"
    ''', "parent", "{{children}}", "{{child}}", "{{then}}", "{{each}}"]

    [actions.child]
    argv = ["echo", "{{n}}"]

    [actions.long]
    argv = ["sleep", "1000"]

    [actions.third]
    argv = ["test", "3", "!=", "{{n}}"]

    [actions.asks]
    argv = ["bash", "-c", 'printf "%s\n" "$1" >"$JOB_CHILDREN"', "asks", "{{lines}}"]

    [actions.locks]
    argv = ["sh", "-c", 'echo "$JOB_LOCKS for $JOB_TOKEN"']
"#;

fn parent(children: usize, child: &str, then: &str) -> Value {
    json!({"children": children, "child": child, "then": then, "each": ":"})
}

impl WorkerEnv {
    /// The children of a job, by their numbers.
    async fn children(&self, parent: JobId) -> Vec<Job> {
        let filter = JobFilter { parent: Some(parent), ..JobFilter::default() };
        let mut jobs = self.store().jobs(&filter, 0, 1000).await.unwrap().jobs;
        jobs.sort_by_key(|job| job.number);
        jobs
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_in_bash_waits_for_its_children() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ACTIONS);
    let job = env.succeed("parent", &parent(20, "child", ":")).await;
    assert_eq!(job.result, Some(json!("attempt 1")));
    let children = env.children(job.id).await;
    let created: Vec<&str> = children.iter().map(number_of).collect();
    let numbers: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    assert_eq!(created, numbers, "in the order of the requests");
    for child in &children {
        assert_eq!((child.status, child.spec.parent), (Status::Done, Some(job.id)));
        assert!(child.finished_at <= job.finished_at);
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}

fn number_of(child: &Job) -> &str {
    child.spec.parameters.as_ref().and_then(|all| all["n"].as_str()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_whose_worker_is_killed_has_no_child_twice() {
    let env = WorkerEnv::new().await;
    let mut killed = env.process(ACTIONS);
    // The first run blocks in the middle; the run after it requests every child again.
    let mut parameters = parent(20, "child", ":");
    parameters["each"] = json!(r#"[ "$JOB_ATTEMPT-$i" != 1-10 ] || sleep 1000"#);
    let id = env.submit("parent", &parameters).await;
    let some = async || !env.children(id).await.is_empty();
    env.eventually("some children exist", some).await;
    killed.kill().await.unwrap();
    assert!(env.children(id).await.len() <= 10);
    let worker = env.worker(ACTIONS);
    let died = env.finished(id).await;
    assert_eq!(died.status, Status::WorkerDead);
    let next = env.finished(died.follow_up.unwrap()).await;
    assert_eq!((next.status, next.result), (Status::Done, Some(json!("attempt 2"))));
    let children = env.children(id).await;
    // A child that ran on the killed worker has a second record, its retry.
    let first: Vec<&Job> = children.iter().filter(|child| child.attempt == 1).collect();
    let mut numbers: Vec<&str> = first.iter().map(|child| number_of(child)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((first.len(), numbers.len()), (20, 20));
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_child_fails_its_parent_and_is_retried_with_it() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ACTIONS);
    let failed = env.run("parent", &parent(5, "third", ":")).await;
    assert_eq!(failed.status, Status::Error);
    let exception = failed.exception.unwrap();
    assert_eq!(exception.to_string(), "ChildrenFailed: 1 of its children did not succeed");
    // A client retries the parent: only the failed child runs again.
    let again = JobId::random();
    env.store().retry(failed.id, again).await.unwrap();
    assert_eq!(env.finished(again).await.status, Status::Error);
    let children = env.children(failed.id).await;
    let runs: Vec<(&str, u32)> =
        children.iter().map(|child| (number_of(child), child.attempt)).collect();
    assert_eq!(runs, [("1", 1), ("2", 1), ("3", 1), ("4", 1), ("5", 1), ("3", 2)]);
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_parent_cancels_its_children() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ACTIONS);
    let running = env.submit("parent", &parent(3, "long", "sleep 1000")).await;
    let waiting = env.submit("parent", &parent(3, "long", ":")).await;
    let three = async |id| {
        let running = async || {
            let children = env.children(id).await;
            children.len() == 3 && children.iter().all(|child| child.status == Status::Running)
        };
        env.eventually("the children run", running).await;
    };
    three(running).await;
    three(waiting).await;
    let awaits = async || env.job(waiting).await.awaits_children;
    env.eventually("the parent waits for its children", awaits).await;
    assert_eq!(env.job(waiting).await.status, Status::Waiting);
    for id in [running, waiting] {
        env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
        assert_eq!(env.finished(id).await.status, Status::Cancel);
        for child in env.children(id).await {
            assert_eq!(env.finished(child.id).await.status, Status::Cancel);
            env.no_process_of(child.id).await;
        }
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_child_is_logged_and_fails_the_run() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ACTIONS);
    let valid = r#"{"action": "child", "parameters": {"n": "1"}}"#;
    let cases = [
        (format!("{valid}\nnonsense\n{valid}"), "child 1: not valid JSON: expected ident", 1),
        (format!("{valid}\n{{\"action\": 7}}"), "child 1: action: invalid type: integer `7`", 1),
        (
            r#"{"action": "a b"}"#.to_owned(),
            "child 0: action: \"a b\" is not a valid action name",
            0,
        ),
        (
            r##"{"action": "a", "dependsOn": ["#0"]}"##.to_owned(),
            "child 0: dependsOn: \"#0\" must",
            0,
        ),
        (
            r#"{"action": "a", "locks": {"l": 2}}"#.to_owned(),
            "child 0: needs 2 permits of lock l",
            0,
        ),
        (
            format!("{{\"action\": \"a\", \"dependsOn\": [\"{}\"]}}", JobId::random()),
            "child 0: ",
            0,
        ),
    ];
    for (lines, why, created) in cases {
        let job = env.run("asks", &json!({"lines": lines})).await;
        let exception = job.exception.unwrap();
        assert_eq!((job.status, exception.kind.as_str()), (Status::Error, "BadChild"), "{lines}");
        assert!(exception.message.starts_with(why), "{}", exception.message);
        let log = env.log(job.id).await;
        let noted = format!("capstan: {}; no more children", exception.message);
        assert!(log[0].starts_with(&noted), "{log:?}");
        assert_eq!(env.children(job.id).await.len(), created, "{lines}");
    }
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_the_names_of_its_locks() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ACTIONS);
    let mut job = with_parameters(testkit::job("locks", ""), &json!({}));
    job.spec.locks = "licence=1 devices=1".parse().unwrap();
    env.store().submit(std::slice::from_ref(&job)).await.unwrap();
    let token = env.finished(job.id).await.token.unwrap();
    let line = format!("stdout: devices=1 licence=1 for {token}");
    assert_eq!(env.log(job.id).await, [line]);
    worker.stop().await;
    env.close().await;
}

async fn sums(_: Value, context: Context) -> anyhow::Result<usize> {
    let add = |n: i64| Child::of("add").parameter("n", n);
    let mut children: Vec<Child> = (0..250).map(add).collect();
    children.push(Child::of("add").parameter("n", 1).after(0).after(249));
    let ids = context.spawn(children).await?;
    context.await_children();
    Ok(ids.len())
}

async fn add(_: Value, context: Context) -> anyhow::Result<usize> {
    Ok(context.locks().iter().count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_waits_for_more_children_than_one_call_creates() {
    let env = WorkerEnv::new().await;
    let worker = env
        .functions(&["--capacity=cpu=8"], |worker| worker.action("sums", sums).action("add", add));
    let job = env.succeed("sums", &json!({})).await;
    assert_eq!(job.result, Some(json!(251)));
    let children = env.children(job.id).await;
    assert_eq!(children.len(), 251);
    let (last, others) = children.split_last().unwrap();
    assert_eq!(last.spec.depends_on, [others[0].id, others[249].id]);
    assert!(last.started_at >= others[249].finished_at);
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}
