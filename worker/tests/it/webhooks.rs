//! Webhooks, with a receiver on this machine: signatures, retries, redirects, headers.

use domain::job::{Cancellation, Status};
use serde_json::{Value, json};
use testkit::{job, with_parameters};

use crate::env::WorkerEnv;
use crate::test_server::TestServer;

fn flags(env: &WorkerEnv, receiver: &TestServer) -> Vec<String> {
    let key = env.directory.join("key");
    std::fs::write(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let mut flags = env.flags(&format!(
        r#"[actions.notify]
        webhook = {{ url = "{}", secret = "{}", headers = {{ authorization = {{ secret = "{1}" }} }} }}
        [actions.impatient]
        webhook = {{ url = "{}", timeout = "200ms", tries = 1 }}
        [actions.broken]
        webhook = {{ url = "{}", tries = 2 }}"#,
        receiver.url("/hook"),
        key.display(),
        receiver.url("/slow"),
        receiver.url("/broken"),
    ));
    flags.push("--webhook-allow=127.0.0.1".to_owned());
    flags
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_signed_and_its_response_is_logged() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let flags = flags(&env, &receiver);
    let worker = env.worker_with(&flags);
    let parameters = json!({"type": "user.created", "data": {"id": 7}});
    let job = env.succeed("notify", &parameters).await;
    assert_eq!(job.result, Some(json!({"status": 200, "tries": 1})));
    let log = env.log(job.id).await;
    assert_eq!(log[0], "stdout: HTTP/1.1 200 OK");
    assert!(log.contains(&"stdout: x-answer: yes".to_owned()), "{log:?}");
    assert_eq!(log.last().unwrap(), "stdout: thank you");
    let (_, headers, body) = receiver.received.lock().unwrap()[0].clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), parameters);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("webhook-id"), job.id.to_string());
    assert_eq!(header("authorization"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signed = format!("{}.{}.", job.id, header("webhook-timestamp"));
    assert_eq!(header("webhook-signature"), expected_signature(&signed, &body).await);
    worker.stop().await;
    env.close().await;
}

/// The signature as an independent implementation computes it.
async fn expected_signature(signed: &str, body: &[u8]) -> String {
    let program = "import base64,hmac,sys;k=base64.b64decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');\
        m=sys.argv[1].encode()+sys.argv[2].encode();\
        print('v1,'+base64.b64encode(hmac.new(k,m,'sha256').digest()).decode())";
    let body = std::str::from_utf8(body).unwrap();
    let mut command = tokio::process::Command::new("python3");
    let output = command.args(["-c", program, signed, body]).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_errors_are_tried_again_and_permanent_ones_are_not() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let flags = flags(&env, &receiver);
    let worker = env.worker_with(&flags);
    let to = |path: &str| json!({"url": receiver.url(path), "body": 1});
    let job = env.succeed("webhook", &to("/later")).await;
    assert_eq!(job.result, Some(json!({"status": 200, "tries": 2})));
    let ids: Vec<_> = receiver
        .received
        .lock()
        .unwrap()
        .iter()
        .map(|(_, headers, _)| headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "both tries have the same id");

    let job = env.succeed("webhook", &to("/elsewhere")).await;
    assert_eq!(receiver.count("/there"), 1, "{:?}", job.result);
    let job = env.succeed("webhook", &to("/large")).await;
    assert!(env.log(job.id).await.last().unwrap().starts_with("capstan: response body cut"));

    let cases = [
        ("webhook", to("/no"), "HttpStatus", "the receiver answered 403 Forbidden"),
        ("webhook", to("/found"), "HttpStatus", "the receiver answered 302 Found"),
        ("webhook", to("/round"), "Redirected", "the receiver redirects more than 3 times"),
        ("webhook", to("/patient"), "HttpStatus", "the receiver answered 503"),
        ("broken", json!({}), "HttpStatus", "the receiver answered 502"),
        ("impatient", json!({}), "Timeout", ""),
    ];
    for (action, parameters, kind, message) in cases {
        let failed = env.fail(action, &parameters).await;
        assert_eq!(failed.0, kind, "{parameters}");
        assert!(failed.1.starts_with(message), "{parameters}: {}", failed.1);
    }
    assert_eq!((receiver.count("/broken"), receiver.count("/patient")), (2, 1));

    let id = env.submit("webhook", &to("/slow")).await;
    let arrived = async || receiver.count("/slow") == 2;
    env.eventually("the request arrives", arrived).await;
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(id).await.status, Status::Cancel);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_reach_the_receiver_also_in_a_retry_but_not_the_log() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let flags = flags(&env, &receiver);
    let worker = env.worker_with(&flags);
    let headers = json!({"authorization": "Bearer hunter2hunter2", "x-api-key": "s3cr3t-key"});
    let parameters = json!({"url": receiver.url("/echo"), "headers": headers});
    let echoed = env.succeed("webhook", &parameters).await;
    let log = env.log(echoed.id).await;
    assert!(log.contains(&"stdout: x-echo: ***".to_owned()), "{log:?}");
    assert!(
        log.contains(&"stdout: you sent <***> and token <***> and <***>".to_owned()),
        "{log:?}"
    );
    let visible = format!("{log:?}{:?}{:?}", echoed.result, echoed.exception);
    assert!(!visible.contains("hunter2") && !visible.contains("s3cr3t"), "{visible}");

    let parameters = json!({"url": receiver.url("/second"), "headers": headers});
    let mut first = with_parameters(job("webhook", ""), &parameters);
    first.spec.retries = 1;
    env.store().submit(std::slice::from_ref(&first)).await.unwrap();
    let refused = env.finished(first.id).await;
    assert_eq!(refused.status, Status::Error);
    let retry = env.finished(refused.follow_up.unwrap()).await;
    assert_eq!(retry.status, Status::Done);
    let received = receiver.headers_of("/second");
    assert_eq!(received.len(), 2);
    for one in received {
        assert_eq!(one["authorization"], "Bearer hunter2hunter2");
        assert_eq!(one["x-api-key"], "s3cr3t-key");
    }
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_which_webhook_is_switched_off_leaves_its_jobs_to_others() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let mut flags = flags(&env, &receiver);
    let with = env.worker_with(&flags);
    flags.push("--webhook=false".to_owned());
    let without = env.worker_with(&flags);
    let both = async || env.store().workers().await.unwrap().len() == 2;
    env.eventually("both workers have started", both).await;
    let workers = env.store().workers().await.unwrap();
    let knows = |name: &'static str| {
        let knows = |worker: &&store::Worker| worker.actions.iter().any(|action| action == name);
        workers.iter().filter(knows).collect::<Vec<_>>()
    };
    assert_eq!((knows("notify").len(), knows("deliver").len()), (2, 2));
    let [only] = knows("webhook")[..] else { panic!("{workers:?}") };
    let job = env.succeed("webhook", &json!({"url": receiver.url("/hook")})).await;
    assert_eq!(job.worker.as_ref(), Some(&only.id));

    with.stop().await;
    env.succeed("notify", &json!({})).await;
    let waiting = env.submit("webhook", &json!({"url": receiver.url("/hook")})).await;
    // The worker would start it before the jobs that are submitted after it.
    env.succeed("noop", &json!({})).await;
    assert_eq!(env.store().job(waiting).await.unwrap().unwrap().status, Status::Waiting);
    without.stop().await;
    env.close().await;
}
