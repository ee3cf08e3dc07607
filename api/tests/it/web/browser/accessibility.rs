//! axe-core finds no barrier on any page, for any role, in the light and in the dark.

use domain::access_tokens::Role;
use serde_json::{Value, json};

use super::driver::Browser;
use super::fleet::fill;
use crate::env::{eventually, with_env};
use crate::token_files::with_tokens;

const AXE: &str = include_str!("../../../axe/axe.min.js");

/// Returns what axe-core finds on the page that is open: rules, and where they are violated.
async fn violations(browser: &Browser) -> Vec<String> {
    let script = format!(
        "{AXE};\nreturn axe.run(document, {{resultTypes: ['violations']}}).then((found) => \
         found.violations.flatMap((rule) => rule.nodes.map((node) => \
         `${{rule.id}}: ${{node.target.join(' ')}}: ${{node.failureSummary}}`)));"
    );
    let found: Value = browser.run(&script).await;
    serde_json::from_value(found).unwrap()
}

async fn check(browser: &Browser, url: &str, look: &str) {
    browser.set_look(look).await;
    let title = async || {
        browser.open(url).await;
        browser.value("document.title").await
    };
    eventually(title, |title| *title != "Service Unavailable · Capstan").await;
    assert_eq!(violations(browser).await, Vec::<String>::new(), "{url} {look}");
}

#[tokio::test]
async fn no_page_has_a_barrier() {
    with_env(async |env| {
        let paths = fill(env).await;
        let browser = Browser::start().await;
        for (_, path) in &paths {
            for look in ["light", "dark", "narrow"] {
                check(&browser, &format!("{}{path}", env.url), look).await;
            }
        }
        browser.stop().await;
    })
    .await;
}

#[tokio::test]
async fn no_page_has_a_barrier_for_any_role() {
    with_tokens(async |env, tokens| {
        let browser = Browser::start().await;
        check(&browser, &format!("{}/login", env.url), "light").await;
        check(&browser, &format!("{}/login", env.url), "dark").await;
        let job = json!({"action": "noop", "locks": ["l"]});
        let answer = env.request_as("POST", "/jobs", tokens.of(Role::Admin)).json(&job);
        let id = crate::env::id_of(&crate::env::send(answer).await.json());
        for role in Role::ALL {
            browser.forget_session().await;
            browser.open(&format!("{}/login", env.url)).await;
            browser.type_into("#token", tokens.of(role)).await;
            browser.click("form.login button").await;
            for path in ["/", "/jobs", "/queues", "/settings", "/audit", &format!("/jobs/{id}")] {
                check(&browser, &format!("{}{path}", env.url), "light").await;
            }
        }
        browser.stop().await;
    })
    .await;
}
