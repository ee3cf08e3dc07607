//! Traces: from the request of a client through the API, the scheduler and a worker to a command,
//! as a collector receives them.

mod collector;

use std::process::Stdio;

use domain::job::JobId;
use domain::trace::TraceParent;
use e2e::StartServices;
use serde_json::{Value, json};
use testkit::{ActionsFile, Receiver, TestEnv, jobs};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::docs::program;
use crate::status::free_address;
use collector::{Collector, hex, text, trees};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The action fails once, then creates a child and returns the `TRACEPARENT` of the command.
const ACTIONS: &str = r#"
    [actions.flaky]
    command = ["sh", "-c", '''
      [ "$JOB_ATTEMPT" -gt 1 ] || exit 3
      echo '{"action": "noop"}' >"$JOB_CHILDREN"
      echo "\"$TRACEPARENT\"" >"$JOB_RESULT"
    ''']
"#;

fn process(env: &TestEnv, name: &str, flags: &[&str]) -> Child {
    let config = env.store_config();
    let mut command = Command::new(program(name));
    command.args(["--redis-url", &config.redis_url, "--namespace", &config.namespace]);
    command.args(flags).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

async fn api(env: &TestEnv, collector: &Collector) -> (Child, String) {
    let address = free_address();
    let flags = ["--listen", &address, "--log", "error", &collector.flag()];
    let process = process(env, "capstan-api", &flags);
    let url = format!("http://{address}/api/v0");
    let is_up = async || reqwest::get(format!("{url}/status")).await.is_ok();
    env.eventually("the API answers", is_up).await;
    (process, url)
}

async fn submit(url: &str, traceparent: &str, body: Value) -> JobId {
    let request = reqwest::Client::new().post(format!("{url}/jobs")).json(&body);
    let answer = request.header("traceparent", traceparent).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.unwrap();
    job["id"].as_str().unwrap().parse().unwrap()
}

async fn show(url: &str, id: JobId) -> Value {
    reqwest::get(format!("{url}/jobs/{id}")).await.unwrap().json().await.unwrap()
}

/// Stops a process with SIGTERM and returns its log.
async fn stop(mut process: Child) -> String {
    let id = process.id().unwrap().to_string();
    Command::new("kill").arg(id).status().await.unwrap();
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert!(process.wait().await.unwrap().success(), "{log}");
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_the_caller_to_the_command_and_links_a_retry() {
    let (env, collector, file) =
        (TestEnv::new().await, Collector::new().await, ActionsFile::new(ACTIONS));
    let scheduler = env.scheduler_with(&[&collector.flag()]);
    let amqp = format!("--amqp-url={}", env.broker_config().amqp_url);
    let logging = ["--log=info,worker=debug", "--log-format=json"];
    let flags = [&*amqp, &file.flag(), &collector.flag(), "--lease=10s", logging[0], logging[1]];
    let worker = process(&env, "capstan-worker", &flags);
    let (api, url) = api(&env, &collector).await;
    let body = json!({"action": "flaky", "retries": 1, "backoff": {"base": "10ms"}});
    let first = submit(&url, CALLER, body).await;
    let second = env.finished(first).await.follow_up.unwrap();
    let result = env.finished(second).await.result.unwrap();
    env.until_done(2).await;

    let spans = collector.wait_for(&env, 12).await;
    let caller = TraceParent::parse(CALLER).unwrap();
    let wanted = "\
trace A
  submit flaky (capstan-api, producer)
    publish default=1.normal (capstan-scheduler, client)
    run flaky (capstan-worker, consumer) attempt 1 status error ExitCode
      claim flaky (capstan-worker, client)
      finish flaky (capstan-worker, client)
trace B
  run flaky (capstan-worker, consumer) attempt 2 status done -> submit flaky
    claim flaky (capstan-worker, client)
    finish flaky (capstan-worker, client)
    publish default=1.normal (capstan-scheduler, client)
    run noop (capstan-worker, consumer) attempt 1 status done
      claim noop (capstan-worker, client)
      finish noop (capstan-worker, client)
";
    assert_eq!(trees(&spans, &caller.trace_id.to_string()), wanted);
    let submitted = spans.iter().find(|one| one.1.name == "submit flaky").unwrap();
    assert_eq!(hex(&submitted.1.parent_span_id), caller.span_id.to_string());

    // The command, the API and the log name the same trace.
    let is_second = |id: &str| id == second.to_string();
    let run = spans.iter().find(|(_, span)| {
        span.name == "run flaky" && is_second(&text(&span.attributes, "messaging.message.id"))
    });
    let run = &run.unwrap().1;
    let (trace_id, span_id) = (hex(&run.trace_id), hex(&run.span_id));
    assert_eq!(result, json!(format!("00-{trace_id}-{span_id}-01")));
    assert_eq!(show(&url, first).await["traceID"], json!(caller.trace_id.to_string()));
    assert_eq!(show(&url, second).await["traceID"], json!(trace_id));
    let mut cli = Command::new(program("capstan"));
    cli.args(["jobs", "show", &second.to_string(), "--api", url.trim_end_matches("/api/v0")]);
    let shown = String::from_utf8(cli.output().await.unwrap().stdout).unwrap();
    assert!(shown.contains(&trace_id), "{shown}");
    let log = stop(worker).await;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_run = lines.filter(|line| line["span"]["trace_id"] == json!(trace_id));
    let messages: Vec<String> = of_run.map(|line| line["message"].to_string()).collect();
    assert!(messages.contains(&"\"job started\"".to_owned()), "{messages:?}");
    stop(api).await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_due_later_and_one_of_a_cron_begin_traces_of_their_own() {
    let (env, collector, receiver) =
        (TestEnv::new().await, Collector::new().await, Receiver::new().await);
    let scheduler = env.scheduler_with(&[&collector.flag()]);
    let worker = env.worker_with(&["--webhook-allow=127.0.0.1", &collector.flag()]);
    let (api, url) = api(&env, &collector).await;
    let at = env.store().now().await.unwrap().ms() + 400;
    let at = domain::job::Timestamp::from_ms(at);
    let parameters = json!({"url": receiver.url("/hook")});
    let body = json!({"action": "webhook", "parameters": parameters, "scheduledAt": at});
    let later = submit(&url, CALLER, body).await;
    env.finished(later).await;
    let cron = json!({"name": "once", "action": "noop", "schedule": "0 0 1 1 *"});
    let http = reqwest::Client::new();
    http.post(format!("{url}/crons")).json(&cron).send().await.unwrap();
    let run = http.post(format!("{url}/crons/once/run")).send().await.unwrap();
    let run: Value = run.json().await.unwrap();
    env.finished(run["id"].as_str().unwrap().parse().unwrap()).await;
    let spans = collector.wait_for(&env, 8).await;
    let wanted = "\
trace A
  submit webhook (capstan-api, producer)
trace B
  run webhook (capstan-worker, consumer) attempt 1 status done -> submit webhook
    claim webhook (capstan-worker, client)
    finish webhook (capstan-worker, client)
trace C
  submit noop (capstan-api, producer)
trace D
  run noop (capstan-worker, consumer) attempt 1 status done -> submit noop
    claim noop (capstan-worker, client)
    finish noop (capstan-worker, client)
";
    let caller = TraceParent::parse(CALLER).unwrap();
    assert_eq!(trees(&spans, &caller.trace_id.to_string()), wanted);
    let run = spans.iter().find(|one| one.1.name == "run webhook").unwrap();
    let context = format!("00-{}-{}-01", hex(&run.1.trace_id), hex(&run.1.span_id));
    assert_eq!(receiver.at("/hook")[0].header("traceparent"), context);
    stop(api).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_up_no_job_and_no_shutdown() {
    let (env, collector) = (TestEnv::new().await, Collector::silent().await);
    let admin = free_address();
    let scheduler = env.scheduler_with(&[&collector.flag()]);
    let worker = env.worker_with(&[&collector.flag(), &format!("--admin-listen={admin}")]);
    let mut jobs = jobs(200, "noop", "");
    for job in &mut jobs {
        let span = TraceParent::parse(CALLER).unwrap();
        job.spec.trace = Some(domain::trace::TraceOrigin::Parent(span));
    }
    env.store().submit(&jobs).await.unwrap();
    env.until_done(200).await;
    env.eventually("spans are sent", async || collector.has_requests()).await;
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("capstan_worker_trace_spans_exported_total 0"), "{metrics}");
    tokio::join!(worker.stop(), scheduler.stop());
    env.close().await;
}
