//! Signals: a run that waits for one leaves its worker, and the next run reads it.

use domain::access_tokens::Role;
use domain::job::{Job, JobId, Status};
use serde_json::{Value, json};
use store::{NewSignal, SignalAnswer, SignalTo};
use testkit::{assert_consistent, job, with_parameters};
use worker::{Context, Exception};

use crate::env::WorkerEnv;

/// Asks for the signal with these lines, and prints the signal that it has received.
const ASK: &str = r#"[actions.ask]
argv = ["sh", "-c", '''
if [ -n "${JOB_SIGNAL:-}" ]; then cat "$JOB_SIGNAL"; exit; fi
printf '%s\n' "$1" >"$JOB_CHILDREN"
printf '"asked"' >"$JOB_RESULT"
''', "ask", "{{lines}}"]
"#;

impl WorkerEnv {
    async fn ask(&self, lines: &str) -> JobId {
        let new = with_parameters(job("ask", ""), &json!({"lines": lines}));
        self.store().submit(std::slice::from_ref(&new)).await.unwrap();
        new.id
    }

    async fn send(&self, id: JobId, body: &str) -> SignalAnswer {
        let signal = NewSignal {
            name: "approved".parse().unwrap(),
            role: Role::Operator,
            by: "ann".to_owned(),
            body: body.to_owned(),
        };
        self.store().signal(SignalTo::Chain(id), &signal).await.unwrap()
    }

    /// Waits until a job waits for a signal.
    async fn waits(&self, id: JobId) -> Job {
        let waits = async || self.job(id).await.awaited_signal.is_some();
        self.eventually("the job waits for a signal", waits).await;
        self.job(id).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_a_signal_without_its_worker_and_the_next_run_reads_it() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ASK);
    let id = env.ask(r#"{"wait": {"signal": "approved", "timeout": "1h"}}"#).await;
    let waiting = env.waits(id).await;
    assert_eq!((waiting.status, waiting.result), (Status::Waiting, Some(json!("asked"))));
    env.no_process_of(id).await;
    worker.stop().await;
    let body = r#"{"b": 18446744073709551616,  "a": 1.50}"#;
    let answer = env.send(id, body).await;
    let SignalAnswer::Continued(next) = answer else { panic!("{answer:?}") };
    let worker = env.worker(ASK);
    assert_eq!(env.finished(next).await.status, Status::Done);
    assert_eq!(env.log(next).await, [format!("stdout: {body}")], "the text is unchanged");
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_after_a_time_out_reads_so() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ASK);
    let id = env.ask(r#"{"wait": {"signal": "approved", "timeout": "1ms"}}"#).await;
    env.waits(id).await;
    let over = async || {
        env.store().expire_waiting().await.unwrap();
        env.job(id).await.follow_up.is_some()
    };
    env.eventually("the time is over", over).await;
    let next = env.job(id).await.follow_up.unwrap();
    assert_eq!(env.finished(next).await.status, Status::Done);
    assert_eq!(env.log(next).await, [r#"stdout: {"timedOut":true}"#]);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_wait_fails_the_run_and_a_failed_run_does_not_wait() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(ASK);
    let cases = [
        (r#"{"wait": {"signal": "a b"}}"#, "\"a b\" is not a valid signal name"),
        (r#"{"wait": {"signal": "a", "timeout": "9000h"}}"#, "is not a valid duration"),
        (r#"{"wait": {"signal": "a", "roles": ["viewer"]}}"#, "a viewer cannot send signals"),
        (r#"{"wait": "a"}"#, "wait: "),
        (
            "{\"await\": true}\n{\"wait\": {\"signal\": \"a\"}}",
            "a run can wait for its children or for a signal, not for both",
        ),
    ];
    for (lines, why) in cases {
        let job = env.finished(env.ask(lines).await).await;
        assert_eq!(job.status, Status::Error, "{lines}");
        let message = job.exception.unwrap().message;
        assert!(message.contains(why), "{message}");
    }
    let fails = r#"[actions.fails]
argv = ["sh", "-c", "echo '{\"wait\": {\"signal\": \"a\"}}' >$JOB_CHILDREN; exit 1"]
"#;
    worker.stop().await;
    let worker = env.worker(fails);
    let job = env.run("fails", &Value::Null).await;
    assert_eq!((job.status, job.awaited_signal), (Status::Error, None));
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_waits_for_a_signal_and_reads_it_in_its_next_run() {
    let env = WorkerEnv::new().await;
    let ask = async |_: Value, context: Context| match context.signal::<Value>()? {
        Some(signal) => Err(Exception::new("Test", signal["by"].to_string()).into()),
        None => {
            context.wait_for_signal("approved".parse()?, "1h".parse()?);
            anyhow::Ok(())
        }
    };
    let worker = env.functions(&[""; 0], |worker| worker.action("ask", ask));
    let id = env.submit("ask", &Value::Null).await;
    // Sent early or late, it is read.
    env.send(id, r#"{"by": "me"}"#).await;
    let continued = async || env.job(id).await.follow_up.is_some();
    env.eventually("the job continues", continued).await;
    let next = env.job(id).await.follow_up.unwrap();
    let job = env.finished(next).await;
    assert_eq!(job.exception.unwrap().message, "\"me\"");
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signal_is_there_again_when_the_worker_of_the_run_that_read_it_is_killed() {
    let env = WorkerEnv::new().await;
    let actions = r#"[actions.ask]
argv = ["sh", "-c", '''
if [ -z "${JOB_SIGNAL:-}" ]; then echo '{"wait": {"signal": "approved"}}' >"$JOB_CHILDREN"; exit; fi
cat "$JOB_SIGNAL"; echo
[ "$JOB_ATTEMPT" -gt 2 ] || sleep 1000
''']
"#;
    let mut process = env.process(actions);
    let id = env.submit("ask", &Value::Null).await;
    env.waits(id).await;
    let answer = env.send(id, "7").await;
    let SignalAnswer::Continued(second) = answer else { panic!("{answer:?}") };
    assert_eq!(env.logged(second, 1).await, ["stdout: 7"]);
    process.kill().await.unwrap();
    env.no_process_of(second).await;
    let killed = env.finished(second).await;
    assert_eq!(killed.status, Status::WorkerDead);
    let worker = env.worker(actions);
    let third = killed.follow_up.unwrap();
    assert_eq!(env.finished(third).await.status, Status::Done);
    assert_eq!(env.log(third).await, ["stdout: 7"]);
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}
