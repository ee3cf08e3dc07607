//! The page in a real browser: Chromium, driven through chromedriver. Pictures of the pages stay in
//! `target/web-pages`, for people to look at.

mod driver;

use serde_json::json;

use crate::env::{TestEnv, eventually, with_env};
use driver::Browser;

/// Fills the fleet with jobs in many states.
async fn fill(env: &TestEnv) -> Vec<String> {
    env.announce_scheduler().await;
    let worker = env.worker("default=16,scan=2", &["noop", "scan", "backup"]).await;
    let mut shown = Vec::new();
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
    shown.push(format!("/jobs/{holder}"));
    let waits = env.submit(&json!({"action": "scan", "locks": ["device-sw1"]})).await;
    env.park(&worker, waits).await;
    shown.push(format!("/jobs/{waits}"));
    env.submit(&json!({"action": "train", "capacityMap": {"gpu": 4}})).await;
    env.submit(&json!({"action": "noop", "dependsOn": [holder]})).await;
    shown.push(format!("/jobs/{failed}"));
    env.worker("default=4,scan=1,gpu=2", &["noop"]).await;
    env.count_a_busy_hour().await;
    shown.extend(["/failures", "/?range=24h"].map(Into::into));
    let cron = json!({"name": "nightly", "action": "backup", "schedule": "0 0 1 * * *"});
    env.post("/crons", &cron).await;
    shown.extend(["/", "/jobs", "/jobs?status=finished", "/workers", "/queues"].map(Into::into));
    shown.extend(["/crons", "/crons/nightly", "/locks", "/locks/device-sw1"].map(Into::into));
    shown.push(format!("/workers/{worker}"));
    shown
}

#[tokio::test]
async fn every_page_fits_and_keeps_to_the_policy() {
    with_env(async |env| {
        let paths = fill(env).await;
        let browser = Browser::start().await;
        for path in &paths {
            for look in ["light", "dark", "narrow"] {
                browser.set_look(look).await;
                // On a busy machine, the store may not answer at first.
                let title = async || {
                    browser.open(&format!("{}{path}", env.url)).await;
                    browser.value("document.title").await
                };
                eventually(title, |title| *title != "Service Unavailable · Capstan").await;
                let wide = "document.documentElement.scrollWidth > innerWidth";
                assert_eq!(browser.value(wide).await, false, "{path} is too wide: {look}");
                let name = path.trim_matches('/').replace(['/', '?', '='], "-");
                let name = if name.len() > 40 { &name[..13] } else { &name };
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
        let live = "document.getElementById('live').textContent";
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
        assert!(has_numbers(&browser.value(reading).await));
        assert_eq!(browser.messages().await, Vec::<String>::new());
        browser.stop().await;
    })
    .await;
}
