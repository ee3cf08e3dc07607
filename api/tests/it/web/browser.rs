//! The page in a real browser: Chromium, driven through chromedriver. Pictures of the pages stay in
//! `target/web-pages`, for people to look at.

mod accessibility;
mod driver;
mod keyboard;

use domain::job::{JobId, WorkerId};
use serde_json::json;

use crate::env::{TestEnv, eventually, with_env};
use driver::Browser;

/// Fills the fleet with jobs in many states. Returns the name and the path of each page.
pub(super) async fn fill(env: &TestEnv) -> Vec<(&'static str, String)> {
    env.announce_scheduler().await;
    let worker = env.worker("default=16,scan=2", &["noop", "scan", "backup"]).await;
    for n in 0..6 {
        let job = json!({"action": "scan", "parameters": {"host": format!("sw{n}")}});
        let id = env.submit(&job).await;
        let token = env.claim(&worker, id).await;
        env.log(id, token, 0, &["connecting to 192.0.2.7", "12 ports open"]).await;
        env.finish(id, token, Some(json!({"ports": 12 * n, "host": format!("sw{n}")}))).await;
    }
    let failed = env.submit(&json!({"action": "backup", "retries": 2})).await;
    let token = env.claim(&worker, failed).await;
    env.log(failed, token, 0, &["rsync: connection refused", "giving up"]).await;
    env.fail(failed, token).await;
    let holder = json!({"action": "scan", "locks": ["device-sw1"], "comment": "before the move",
        "parameters": {"host": "sw1", "ports": [22, 80, 443]}, "ticketRef": "NET-4711"});
    let holder = env.submit(&holder).await;
    let token = env.claim(&worker, holder).await;
    let lines: Vec<String> = (1..=40).map(|n| format!("port {n}: closed")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    env.log(holder, token, 0, &lines).await;
    env.store.progress(holder, token, &json!({"done": 40, "of": 443})).await.unwrap();
    let waits = env.submit(&json!({"action": "scan", "locks": ["device-sw1"]})).await;
    env.park(&worker, waits).await;
    env.submit(&json!({"action": "train", "capacityMap": {"gpu": 4}})).await;
    env.submit(&json!({"action": "noop", "dependsOn": [holder]})).await;
    env.worker("default=4,scan=1,gpu=2", &["noop"]).await;
    env.count_a_busy_hour().await;
    let cron = json!({"name": "nightly", "action": "backup", "schedule": "0 0 1 * * *"});
    env.post("/crons", &cron).await;
    let nested = json!({"name": "sweep", "action": "scan", "schedule": "0 0 1 * * *",
        "timeZone": "Europe/Berlin"});
    env.post("/crons", &nested).await;
    let subscription = json!({"name": "ops", "url": "http://192.0.2.7/", "events": ["job"]});
    env.post("/subscriptions", &subscription).await;
    let pages = [
        ("overview", "/".to_owned()),
        ("jobs", "/jobs".to_owned()),
        ("jobs-search", "/jobs?q=action:scan+-status:error+param.host:sw1".to_owned()),
        ("jobs-invalid", "/jobs?status=finished".to_owned()),
        ("job-running", format!("/jobs/{holder}")),
        ("job-waiting", format!("/jobs/{waits}")),
        ("job-failed", format!("/jobs/{failed}")),
        ("job-edit", format!("/jobs/{waits}/edit")),
        ("job-graph", format!("/jobs/{}", pipeline(env, &worker).await)),
        ("waiting", "/waiting".to_owned()),
        ("failures", "/failures".to_owned()),
        ("overview-24h", "/?range=24h".to_owned()),
        ("workers", "/workers".to_owned()),
        ("worker", format!("/workers/{worker}")),
        ("queues", "/queues".to_owned()),
        ("crons", "/crons".to_owned()),
        ("cron", "/crons/nightly".to_owned()),
        ("cron-editor", "/cron-editor?schedule=0+30+2+*+*+MON-FRI".to_owned()),
        ("locks", "/locks".to_owned()),
        ("lock", "/locks/device-sw1".to_owned()),
        ("subscriptions", "/subscriptions".to_owned()),
        ("subscription", "/subscriptions/ops".to_owned()),
        ("settings", "/settings".to_owned()),
        ("audit", "/audit".to_owned()),
        ("find", "/find?q=s".to_owned()),
    ];
    pages.into()
}

/// Adds a job that several others come before and after, with a retry, and returns it.
async fn pipeline(env: &TestEnv, worker: &WorkerId) -> JobId {
    let mut before = Vec::new();
    for _ in 0..3 {
        before.push(env.submit(&json!({"action": "scan"})).await);
    }
    let job = json!({"action": "noop", "dependsOn": before, "retries": 1});
    let job = env.submit(&job).await;
    for action in ["scan", "backup"] {
        env.submit(&json!({"action": action, "dependsOn": [job]})).await;
    }
    for (id, ms) in before.into_iter().zip([61_000, 3_000, 9_000]) {
        let token = env.claim(worker, id).await;
        let past = env.store.now().await.unwrap().ms() - ms;
        env.redis("HSET", &format!("job:{id}"), &["startedAt", &past.to_string()]).await;
        env.finish(id, token, None).await;
    }
    let token = env.claim(worker, job).await;
    let past = |ms: i64| async move { (env.store.now().await.unwrap().ms() - ms).to_string() };
    let times = [
        ("createdAt", 70_000),
        ("scheduledAt", 60_000),
        ("unblockedAt", 20_000),
        ("parkedAt", 18_000),
        ("grantedAt", 9_000),
        ("startedAt", 8_000),
    ];
    for (field, ms) in times {
        env.redis("HSET", &format!("job:{job}"), &[field, &past(ms).await]).await;
    }
    env.fail(job, token).await;
    job
}

#[tokio::test]
async fn every_page_fits_and_keeps_to_the_policy() {
    with_env(async |env| {
        let paths = fill(env).await;
        let browser = Browser::start().await;
        for (name, path) in &paths {
            for look in ["light", "dark", "narrow"] {
                browser.set_look(look).await;
                // On a busy machine, the store may not answer at first.
                let title = async || {
                    env.announce_scheduler().await;
                    browser.open(&format!("{}{path}", env.url)).await;
                    browser.value("document.title").await
                };
                eventually(title, |title| *title != "Service Unavailable · Capstan").await;
                let wide = "document.documentElement.scrollWidth > innerWidth";
                assert_eq!(browser.value(wide).await, false, "{path} is too wide: {look}");
                browser.picture(&format!("{name}-{look}")).await;
            }
        }
        let messages = browser.messages().await;
        // What the policy blocks has other messages than an answer with an error.
        let is_problem = |message: &&String| !message.contains("responded with a status of");
        assert_eq!(messages.iter().find(is_problem), None);
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_refreshes_itself_unless_a_row_is_in_use() {
    with_env(async |env| {
        env.submit(&json!({"action": "first"})).await;
        let browser = Browser::start().await;
        browser.open(&format!("{}/jobs", env.url)).await;
        env.submit(&json!({"action": "second"})).await;
        let rows = "document.querySelectorAll('[data-row]').length";
        eventually(async || browser.value(rows).await, |rows| *rows == 2).await;
        browser.point_at("[data-row]").await;
        env.submit(&json!({"action": "third"})).await;
        let live = "document.querySelector('#live .state').textContent";
        eventually(async || browser.value(live).await, |text| *text == "1 new").await;
        assert_eq!(browser.value(rows).await, 2);
        browser.point_at("h1").await;
        eventually(async || browser.value(rows).await, |rows| *rows == 3).await;
        assert_eq!(browser.messages().await, Vec::<String>::new());
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_is_cancelled_without_javascript() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        let browser = Browser::start().await;
        browser.switch_scripts_off().await;
        browser.open(&format!("{}/jobs/{id}", env.url)).await;
        browser.click("form[action$='/cancel'] button, summary").await;
        browser.picture("without-javascript").await;
        browser.click("form[action$='/cancel'] button").await;
        let status = async || env.show(id).await["status"].clone();
        eventually(status, |status| *status == "cancel").await;
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_chart_shows_the_numbers_under_the_pointer_and_stays_when_the_page_refreshes() {
    with_env(async |env| {
        env.announce_scheduler().await;
        env.count_a_busy_hour().await;
        let browser = Browser::start().await;
        browser.set_look("light").await;
        browser.open(&env.url).await;
        let plots = "document.querySelectorAll('.plot canvas').length";
        eventually(async || browser.value(plots).await, |count| *count == 2).await;
        let drawings = "document.querySelector('.chart > svg').checkVisibility()";
        assert_eq!(browser.value(drawings).await, false, "the plot replaces the drawing");
        browser.point_at("#chart-rate .u-over").await;
        let reading = "document.querySelector('#chart-rate .reading').textContent";
        let has_numbers = |text: &serde_json::Value| {
            text.as_str().is_some_and(|text| text.contains("started") && text.contains("failed"))
        };
        eventually(async || browser.value(reading).await, has_numbers).await;
        browser.picture("chart-reading").await;
        env.submit(&json!({"action": "noop"})).await;
        let waiting = "document.querySelector('.tile .figure').textContent";
        eventually(async || browser.value(waiting).await, |text| *text == "1").await;
        assert_eq!(browser.value(plots).await, 2, "the plots are still there");
        // What is above the chart has grown.
        browser.point_at("#chart-rate .u-over").await;
        eventually(async || browser.value(reading).await, has_numbers).await;
        assert_eq!(browser.messages().await, Vec::<String>::new());
        browser.stop().await;
    })
    .await;
}
