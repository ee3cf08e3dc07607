//! The page in a real browser: Chromium, driven through chromedriver. With `PICTURES=1`, pictures of
//! the pages stay in `target/web-pages`, for people to look at.

mod accessibility;
mod driver;
mod fleet;
mod keyboard;

use serde_json::json;

use crate::env::{eventually, with_env};
use driver::Browser;
use fleet::fill;

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
                if look == "light" {
                    browser.small_picture(&format!("{name}-small")).await;
                }
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
