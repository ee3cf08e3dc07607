//! Jobs that have children: asked for by a command or a Rust function, made once, waited for
//! without a worker.

use std::process::Stdio;

use crate::services::StartServices;
use domain::job::{Cancellation, Job, JobId, Status};
use serde_json::{Value, json};
use store::Filter;
use testkit::{Service, assert_consistent, serve};
use worker::{Child, Config, Context, Shutdown, Worker};

use crate::world::{World, with};

/// A parent of `n` children that do `child`, and that then sleeps or waits for them; a child that
/// says who it is.
const FAMILY: &str = r#"
    [actions.parent]
    argv = ["bash", "-euc", '''
        for i in $(seq "$1"); do
            child='{"action": "%s", "key": "%s", "parameters": {"n": "%s"}}\n'
            printf "$child" "$2" "$i" "$i" >"$JOB_CHILDREN"
            eval "$4"
        done
        echo "asked for $1"
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

impl World {
    /// The children of a job, in the order of their numbers.
    async fn children(&self, family: JobId) -> Vec<Job> {
        let filter = Filter { parent: Some(family), ..Filter::default() };
        let mut jobs = self.house.store().jobs(&filter, 0, 1000).await.unwrap().jobs;
        jobs.sort_by_key(|job| job.number);
        jobs
    }
}

/// A worker that is a process of its own.
fn process(world: &World) -> tokio::process::Child {
    let (store, broker) = (world.house.store_config(), world.house.broker_config());
    tokio::process::Command::new(env!("CARGO_BIN_EXE_capstan-worker"))
        .args(world.flags(FAMILY))
        .arg(format!("--redis-url={}", store.redis_url))
        .arg(format!("--namespace={}", store.namespace))
        .arg(format!("--amqp-url={}", broker.amqp_url))
        .arg("--lease=2s")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_in_bash_waits_for_its_twenty_children_without_a_worker() {
    let world = World::new().await;
    let worker = world.worker(FAMILY);
    let job = world.done("parent", &parent(20, "child", ":")).await;
    assert_eq!(job.result, Some(json!("attempt 1")));
    let children = world.children(job.id).await;
    let said: Vec<&str> = children.iter().map(number_of).collect();
    let numbers: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    assert_eq!(said, numbers, "in the order asked");
    for child in &children {
        assert_eq!((child.status, child.spec.parent), (Status::Done, Some(job.id)));
        assert!(child.finished_at <= job.finished_at);
    }
    assert_consistent(world.house.store()).await;
    worker.stop().await;
    world.close().await;
}

fn number_of(child: &Job) -> &str {
    child.spec.parameters.as_ref().and_then(|all| all["n"].as_str()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_whose_worker_is_killed_while_it_spawns_has_no_child_twice() {
    let world = World::new().await;
    let mut killed = process(&world);
    // The first run stops in the middle, for ever; the one that carries it on asks for all of them
    // again.
    let mut asked = parent(20, "child", ":");
    asked["each"] = json!(r#"[ "$JOB_ATTEMPT-$i" != 1-10 ] || sleep 1000"#);
    let id = world.submit("parent", &asked).await;
    let some = async || !world.children(id).await.is_empty();
    world.house.eventually("some children are there", some).await;
    killed.kill().await.unwrap();
    assert!(world.children(id).await.len() <= 10);
    let worker = world.worker(FAMILY);
    let died = world.ended(id).await;
    assert_eq!(died.status, Status::WorkerDead);
    let next = world.ended(died.follow_up.unwrap()).await;
    assert_eq!((next.status, next.result), (Status::Done, Some(json!("attempt 2"))));
    let children = world.children(id).await;
    // Of those that ran on the killed worker there are two records, the second carrying on the
    // first.
    let first: Vec<&Job> = children.iter().filter(|child| child.attempt == 1).collect();
    let mut numbers: Vec<&str> = first.iter().map(|child| number_of(child)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((first.len(), numbers.len()), (20, 20));
    assert_consistent(world.house.store()).await;
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_fails_fails_its_parent_and_is_tried_again_with_it() {
    let world = World::new().await;
    let worker = world.worker(FAMILY);
    let failed = world.run("parent", &parent(5, "third", ":")).await;
    assert_eq!(failed.status, Status::Error);
    let exception = failed.exception.unwrap();
    assert_eq!(exception.to_string(), "ChildrenFailed: 1 of its children did not succeed");
    // Somebody asks for another go: only the child that failed is run again.
    let again = JobId::random();
    world.house.store().retry(failed.id, again).await.unwrap();
    assert_eq!(world.ended(again).await.status, Status::Error);
    let children = world.children(failed.id).await;
    let runs: Vec<(&str, u32)> =
        children.iter().map(|child| (number_of(child), child.attempt)).collect();
    assert_eq!(runs, [("1", 1), ("2", 1), ("3", 1), ("4", 1), ("5", 1), ("3", 2)]);
    assert_consistent(world.house.store()).await;
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cancel_of_a_parent_stops_its_children() {
    let world = World::new().await;
    let worker = world.worker(FAMILY);
    let running = world.submit("parent", &parent(3, "long", "sleep 1000")).await;
    let waiting = world.submit("parent", &parent(3, "long", ":")).await;
    let three = async |id| {
        let running = async || {
            let children = world.children(id).await;
            children.len() == 3 && children.iter().all(|child| child.status == Status::Running)
        };
        world.house.eventually("its children run", running).await;
    };
    three(running).await;
    three(waiting).await;
    let awaits = async || world.look(waiting).await.awaits_children;
    world.house.eventually("it waits for its children", awaits).await;
    assert_eq!(world.look(waiting).await.status, Status::Waiting);
    for id in [running, waiting] {
        world.house.store().cancel(&[id], &Cancellation::default()).await.unwrap();
        assert_eq!(world.ended(id).await.status, Status::Cancel);
        for child in world.children(id).await {
            assert_eq!(world.ended(child.id).await.status, Status::Cancel);
            world.no_process_of(child.id).await;
        }
    }
    assert_consistent(world.house.store()).await;
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_child_is_said_in_the_log_and_fails_the_run() {
    let world = World::new().await;
    let worker = world.worker(FAMILY);
    let good = r#"{"action": "child", "parameters": {"n": "1"}}"#;
    let cases = [
        (format!("{good}\nnonsense\n{good}"), "child 1: no JSON: expected ident", 1),
        (format!("{good}\n{{\"action\": 7}}"), "child 1: action: invalid type: integer `7`", 1),
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
        (r#"{"action": "a", "locks": {"l": 2}}"#.to_owned(), "child 0: lock l has 1 permits", 0),
        (
            format!("{{\"action\": \"a\", \"dependsOn\": [\"{}\"]}}", JobId::random()),
            "child 0: ",
            0,
        ),
    ];
    for (lines, why, made) in cases {
        let job = world.run("asks", &json!({"lines": lines})).await;
        let exception = job.exception.unwrap();
        assert_eq!((job.status, exception.kind.as_str()), (Status::Error, "BadChild"), "{lines}");
        assert!(exception.message.starts_with(why), "{}", exception.message);
        let told = format!("capstan: {}; no more children", exception.message);
        assert!(world.log(job.id).await[0].starts_with(&told), "{:?}", world.log(job.id).await);
        assert_eq!(world.children(job.id).await.len(), made, "{lines}");
    }
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_told_its_locks() {
    let world = World::new().await;
    let worker = world.worker(FAMILY);
    let mut job = with(testkit::job("locks", ""), &json!({}));
    job.spec.locks = "licence=1 devices=1".parse().unwrap();
    world.house.store().submit(std::slice::from_ref(&job)).await.unwrap();
    let token = world.ended(job.id).await.token.unwrap();
    let said = format!("stdout: devices=1 licence=1 for {token}");
    assert_eq!(world.log(job.id).await, [said]);
    worker.stop().await;
    world.close().await;
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

fn worker_of(world: &World) -> Service {
    let config: Config = world.house.config(&["--lease=2s", "--capacity=cpu=8"]);
    serve(|asked| {
        let worker = Worker::new(config).action("sums", sums).action("add", add);
        worker.run_until(Shutdown { asked, ..Shutdown::default() })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_spawns_and_waits_for_more_children_than_one_call_takes() {
    let world = World::new().await;
    let worker = worker_of(&world);
    let job = world.done("sums", &json!({})).await;
    assert_eq!(job.result, Some(json!(251)));
    let children = world.children(job.id).await;
    assert_eq!(children.len(), 251);
    let (last, others) = children.split_last().unwrap();
    assert_eq!(last.spec.depends_on, [others[0].id, others[249].id]);
    assert!(last.started_at >= others[249].finished_at);
    assert_consistent(world.house.store()).await;
    worker.stop().await;
    world.close().await;
}
