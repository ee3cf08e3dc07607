//! Signals: sent to a job by its path or by a link, and shown with the job.

use domain::access_tokens::Role;
use domain::job::{JobId, Outcome, WorkerId};
use domain::signal::SignalWait;
use serde_json::{Value, json};

use crate::env::{Answer, TestEnv, eventually, id_of, send, with_env};
use crate::token_files::with_tokens;

/// Runs a job until it waits for a signal.
async fn waiting(env: &TestEnv, wait: &Value) -> JobId {
    let worker = env.worker("default=16", &["noop"]).await;
    let id = env.submit(&json!({"action": "noop"})).await;
    run_until_wait(env, id, &worker, wait).await;
    id
}

async fn run_until_wait(env: &TestEnv, id: JobId, worker: &WorkerId, wait: &Value) {
    let token = env.claim(worker, id).await;
    let wait: SignalWait = serde_json::from_value(wait.clone()).unwrap();
    env.end(id, token, Outcome::Wait(None, wait)).await;
}

/// Submits a job with a token.
async fn submit_as(env: &TestEnv, token: &str) -> JobId {
    let request = env.request_as("POST", "/jobs", token).json(&json!({"action": "noop"}));
    id_of(&send(request).await.json())
}

async fn signal(env: &TestEnv, id: JobId, name: &str, body: &Value) -> Answer {
    env.post(&format!("/jobs/{id}/signals/{name}"), body).await
}

fn follow_up(job: &Value) -> JobId {
    job["followUpID"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_job_says_for_which_signal_it_waits_and_the_first_one_continues_it() {
    with_env(async |env| {
        let id = waiting(env, &json!({"signal": "approved", "timeout": "1h"})).await;
        let job = env.show(id).await;
        assert_eq!(job["status"], "waiting");
        assert_eq!(job["waitingFor"]["code"], "signal");
        let message = job["waitingFor"]["message"].as_str().unwrap();
        assert!(message.starts_with("it waits for the signal approved until 20"), "{message}");
        let waiting = env.get("/waiting").await.json();
        let group = &waiting["groups"][0];
        assert_eq!((&group["code"], &group["subject"]), (&json!("signal"), &json!("approved")));
        let started = &env.get(&format!("/jobs/{id}/timeline")).await.json()["expectedStart"];
        assert_eq!(started, &Value::Null);
        let refused = env.patch(&format!("/jobs/{id}"), &json!({"priority": "high"})).await;
        assert!(refused.refusal().contains("is waiting after its run"), "{}", refused.text);

        let body = json!({"ticket": "NET-7"});
        let answer = signal(env, id, "approved", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let done = env.show(id).await;
        let next = follow_up(&done);
        assert_eq!(done["status"], "done");
        assert_eq!(answer.json(), json!({"jobID": next, "kept": false}));
        let again = signal(env, id, "approved", &body).await;
        assert_eq!(again.code(), "409 CONFLICT");
        let job = env.show(next).await;
        assert_eq!(job["signal"]["body"], body);
        assert_eq!(
            (&job["signal"]["by"], &job["signal"]["timedOut"], &job["attempt"]),
            (&json!("unknown"), &json!(false), &json!(2))
        );
        assert_eq!(again.detail()["at"], job["signal"]["at"]);
        let timeline = env.get(&format!("/jobs/{next}/timeline")).await.json();
        let steps = timeline["steps"].as_array().unwrap();
        let what: Vec<_> = steps.iter().map(|step| step["what"].as_str().unwrap()).collect();
        assert_eq!(what, ["submitted", "started", "awaits_signal", "done", "continued"]);
        assert_eq!(steps[4]["why"], "sent the signal approved");
    })
    .await;
}

#[tokio::test]
async fn a_signal_that_is_sent_before_is_kept_and_one_to_a_job_that_is_over_is_refused() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        let kept = env.command(&format!("/jobs/{id}/signals/approved")).await;
        assert_eq!((kept.status, kept.json()), (202, json!({"jobID": id, "kept": true})));
        assert_eq!(signal(env, id, "approved", &json!(1)).await.code(), "409 CONFLICT");
        run_until_wait(env, id, &worker, &json!({"signal": "approved"})).await;
        let next = follow_up(&env.show(id).await);
        let job = env.show(next).await;
        assert_eq!(job["signal"].get("body"), Some(&Value::Null));
        env.command(&format!("/jobs/{next}/cancel")).await;
        let over = signal(env, id, "other", &json!(1)).await;
        assert_eq!(over.code(), "409 CONFLICT");
        assert!(over.text.contains("only a job that has not finished can receive a signal"));
        let unknown = signal(env, JobId::random(), "approved", &json!(1)).await;
        assert_eq!(unknown.code(), "404 NO_SUCH_JOB");
    })
    .await;
}

#[tokio::test]
async fn a_bad_signal_is_refused_and_changes_nothing() {
    with_env(async |env| {
        let id = waiting(env, &json!({"signal": "approved"})).await;
        let named = signal(env, id, "a%20b", &json!(1)).await;
        assert_eq!(named.code(), "400 INVALID_PARAMETERS");
        assert_eq!(named.detail()["field"], "name");
        let path = env.at(&format!("/jobs/{id}/signals/approved"));
        let bodies = [
            ("{", "application/json", "400 INVALID_JSON"),
            ("1 2", "application/json", "400 INVALID_JSON"),
            ("1", "text/plain", "415 UNSUPPORTED_MEDIA_TYPE"),
            (&format!("\"{}\"", "x".repeat(65_536)), "application/json", "413 INVALID_PARAMETERS"),
            (
                &format!("{}{}", "[".repeat(80), "]".repeat(80)),
                "application/json",
                "400 INVALID_PARAMETERS",
            ),
        ];
        for (body, kind, code) in bodies {
            let request = env.client.post(&path).header("content-type", kind);
            assert_eq!(send(request.body(body.to_owned())).await.code(), code, "{body:.20}");
        }
        assert_eq!(env.show(id).await["status"], "waiting");
        let largest = format!("\"{}\"", "x".repeat(65_534));
        let request = env.client.post(&path).header("content-type", "application/json");
        assert_eq!(send(request.body(largest)).await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_wait_may_ask_for_an_admin() {
    with_tokens(async |env, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        let worker = env.worker("default=16", &["noop"]).await;
        let id = submit_as(env, otto).await;
        run_until_wait(env, id, &worker, &json!({"signal": "go", "roles": ["admin"]})).await;
        let path = format!("/jobs/{id}/signals/go");
        for token in [vera, otto] {
            assert_eq!(env.send_as("POST", &path, token).await.code(), "403 NOT_AUTHORIZED");
        }
        assert_eq!(env.send_as("POST", &path, anna).await.status, 202);
        let job = env.send_as("GET", &format!("/jobs/{id}"), vera).await.json();
        let next = follow_up(&job);
        let job = env.send_as("GET", &format!("/jobs/{next}"), vera).await.json();
        assert_eq!(job["signal"]["by"], "anna");
    })
    .await;
}

#[tokio::test]
async fn a_link_sends_the_signal_once_without_a_token_in_the_name_of_its_maker() {
    with_tokens(async |env, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        let worker = env.worker("default=16", &["noop"]).await;
        let id = submit_as(env, otto).await;
        let path = format!("/jobs/{id}/signals/approved/link");
        assert_eq!(env.send_as("POST", &path, vera).await.code(), "403 NOT_AUTHORIZED");
        let link = env.send_as("POST", &path, otto).await;
        assert_eq!(link.status, 201, "{}", link.text);
        let (url, page) = (link.json()["url"].clone(), link.json()["page"].clone());
        let (url, page) = (url.as_str().unwrap(), page.as_str().unwrap());
        run_until_wait(env, id, &worker, &json!({"signal": "approved"})).await;

        for wrong in [&url[..url.len() - 1], &url.replace("operator", "admin"), "/api/v0/signals/x"]
        {
            let answer = send(env.client.post(format!("{}{wrong}", env.url))).await;
            assert_eq!(answer.code(), "404 NO_SUCH_LINK", "{wrong}");
        }
        let opened = send(env.client.get(format!("{}{page}", env.url))).await;
        assert_eq!(opened.status, 200, "{}", opened.text);
        assert!(opened.text.contains("Approve") && opened.text.contains("in the name of otto"));
        let looked = send(env.client.get(format!("{}{url}", env.url))).await;
        assert_eq!(looked.status, 401, "opening a link does not send the signal");

        let answer =
            send(env.client.post(format!("{}{url}", env.url)).json(&json!({"ok": 1}))).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let next = answer.json()["jobID"].as_str().unwrap().to_owned();
        let again = send(env.client.post(format!("{}{url}", env.url))).await;
        assert_eq!(again.code(), "409 CONFLICT");
        let closed = send(env.client.get(format!("{}{page}", env.url))).await;
        assert!(closed.text.contains("no longer waits for this signal"), "{}", closed.text);
        let job = env.send_as("GET", &format!("/jobs/{next}"), vera).await.json();
        assert_eq!(
            (&job["signal"]["by"], &job["signal"]["body"]["ok"]),
            (&json!("otto"), &json!(1))
        );

        let entries = async || {
            let audit = env.send_as("GET", "/audit", anna).await.json();
            let entries = audit["audit"].as_array().unwrap().clone();
            let by_link =
                |entry: &Value| entry["path"].as_str().unwrap().starts_with("/api/v0/signals/");
            entries.into_iter().filter(by_link).collect::<Vec<_>>()
        };
        let found = eventually(entries, |entries| entries.len() == 2).await;
        let signature = url.rsplit_once('~').unwrap().1;
        assert!(!json!(found).to_string().contains(&signature[..16]), "{found:#?}");
        let sent = found.iter().find(|entry| entry["status"] == 202).unwrap();
        assert_eq!((&sent["who"], &sent["subject"]), (&json!("otto"), &json!(next)));
    })
    .await;
}

#[tokio::test]
async fn at_most_sixteen_signals_are_kept() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        for index in 0..16 {
            assert_eq!(signal(env, id, &format!("s{index}"), &json!(index)).await.status, 202);
        }
        let more = signal(env, id, "more", &json!(1)).await;
        assert_eq!(more.code(), "409 CONFLICT");
        assert!(more.text.contains("16 signals are kept for job"), "{}", more.text);
    })
    .await;
}
