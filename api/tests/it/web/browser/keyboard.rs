//! The keyboard: rows, search, the finder, and completion.

use serde_json::json;

use super::driver::Browser;
use crate::env::{eventually, with_env};

/// The keys Control and Enter in WebDriver.
const CONTROL: char = '\u{e009}';
const ENTER: &str = "\u{e007}";

#[tokio::test]
async fn rows_are_reached_and_opened_with_keys() {
    with_env(async |env| {
        let first = env.submit(&json!({"action": "first"})).await;
        env.submit(&json!({"action": "second"})).await;
        let browser = Browser::start().await;
        browser.open(&format!("{}/jobs", env.url)).await;
        let row = "(document.activeElement.closest('[data-row]') || {}).innerText || ''";
        let in_row = async || browser.value(row).await.as_str().unwrap().to_owned();
        browser.press("j").await;
        assert!(in_row().await.contains("second"));
        browser.press("j").await;
        assert!(in_row().await.contains("first"));
        browser.press("j").await;
        assert!(in_row().await.contains("first"), "the last row stays selected");
        browser.press("k").await;
        assert!(in_row().await.contains("second"));
        browser.press("?").await;
        assert_eq!(browser.value("document.getElementById('keys').open").await, true);
        browser.press("\u{e00c}").await;
        browser.press("/").await;
        assert_eq!(browser.value("document.activeElement.id").await, "q");
        browser.press("j").await;
        assert_eq!(browser.value("document.activeElement.value").await, "j", "it is typed");
        browser.open(&format!("{}/jobs", env.url)).await;
        browser.press("k").await;
        browser.press("o").await;
        let path = async || browser.value("location.pathname").await;
        eventually(path, |path| *path == format!("/jobs/{first}")).await;
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_finder_opens_a_job_by_its_number() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "scan"})).await;
        let browser = Browser::start().await;
        browser.open(&format!("{}/", env.url)).await;
        browser.press(&format!("{CONTROL}k")).await;
        assert_eq!(browser.value("document.getElementById('finder').open").await, true);
        browser.type_into("#find", "1").await;
        let found = "document.querySelector('#finder .found').innerText";
        let has_job = |text: &serde_json::Value| text.as_str().unwrap().contains("#1 scan");
        eventually(async || browser.value(found).await, has_job).await;
        browser.type_into("#find", "\u{e015}").await;
        assert_eq!(browser.value("document.activeElement.tagName").await, "A");
        browser.press(ENTER).await;
        let path = async || browser.value("location.pathname").await;
        eventually(path, |path| *path == format!("/jobs/{id}")).await;
        assert_eq!(browser.messages().await, Vec::<String>::new());
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_search_is_completed_after_the_terms_before() {
    with_env(async |env| {
        for host in ["sw1", "sw1", "sw2"] {
            env.submit(&json!({"action": "scan", "parameters": {"host": host}})).await;
        }
        let browser = Browser::start().await;
        browser.open(&format!("{}/jobs", env.url)).await;
        let options = "Array.from(document.querySelectorAll('#terms option'), (one) => \
                       one.value + ' ' + one.textContent).join('\\n')";
        let all = browser.value(options).await;
        assert!(all.as_str().unwrap().contains("param.host:sw1 2 of 3 jobs"), "{all}");
        browser.type_into("#q", "status:waiting par").await;
        let all = browser.value(options).await;
        assert!(all.as_str().unwrap().contains("status:waiting param.host:sw1 2 of"), "{all}");
        assert!(all.as_str().unwrap().contains("status:waiting action: of this action"), "{all}");
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_schedule_is_explained_while_it_is_written_and_the_cron_is_saved() {
    with_env(async |env| {
        let browser = Browser::start().await;
        browser.open(&format!("{}/cron-editor", env.url)).await;
        browser.type_into("#action", "backup").await;
        browser.type_into("#schedule", "0 30 2 * * MON-FRI").await;
        let text = "document.getElementById('explanation').innerText";
        let explained = |text: &serde_json::Value| text.as_str().unwrap().contains("02:30:00");
        eventually(async || browser.value(text).await, explained).await;
        browser.picture("cron-editor-explained").await;
        browser.click("#cron-form button.primary").await;
        let path = async || browser.value("location.pathname").await;
        eventually(path, |path| *path == "/crons/backup").await;
        let cron = env.get("/crons/backup").await.json();
        assert_eq!(cron["schedule"], "0 30 2 * * MON-FRI");
        assert_eq!(browser.messages().await, Vec::<String>::new());
        browser.stop().await;
    })
    .await;
}
