//! Values that try to become markup or to hide what a page shows.

use serde_json::json;

use super::pages::all_pages;
use crate::env::with_env;

const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x>'{{ 7*7 }}{% if %}\u{202e}&lt;";
const TAGS: [&str; 24] = [
    "!doctype", "html", "head", "meta", "title", "link", "script", "body", "a", "header", "img",
    "nav", "div", "span", "form", "button", "main", "h1", "h2", "p", "footer", "b", "ul", "li",
];
const MORE_TAGS: [&str; 38] = [
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "time",
    "section",
    "dl",
    "dt",
    "dd",
    "pre",
    "code",
    "ol",
    "details",
    "summary",
    "label",
    "input",
    "select",
    "option",
    "meter",
    "small",
    "strong",
    "h3",
    "template",
    "datalist",
    "textarea",
    "dialog",
    "kbd",
    "progress",
    "figure",
    "figcaption",
    "svg",
    "rect",
    "text",
    "path",
    "g",
    "line",
];

#[tokio::test]
async fn no_value_of_a_job_becomes_markup() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let job = json!({
            "action": "noop", "comment": HOSTILE, "ticketRef": "<script>\"><img>\u{202e}", "uniqueKey": HOSTILE,
            "fairnessKey": HOSTILE, "parameters": {HOSTILE: HOSTILE}, "locks": ["l"],
        });
        let id = env.submit(&job).await;
        let token = env.claim(&worker, id).await;
        env.log(id, token, 0, &[HOSTILE, "two"]).await;
        let progress = json!({HOSTILE: HOSTILE});
        env.store.progress(id, token, &progress).await.unwrap();
        let waits = json!({"action": "noop", "comment": HOSTILE, "locks": ["l"]});
        let waits = env.submit(&waits).await;
        env.park(&worker, waits).await;
        let cron = json!({
            "name": "c", "action": "noop", "schedule": "@daily", "parameters": {"x": HOSTILE},
        });
        assert_eq!(env.post("/crons", &cron).await.status, 202);
        let by = json!({"action": "noop", "dependsOn": [waits]});
        env.submit(&by).await;
        let other = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, other).await;
        env.finish(other, token, Some(json!({HOSTILE: HOSTILE}))).await;
        let failed = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, failed).await;
        let exception = domain::job::Exception {
            kind: HOSTILE.to_owned(),
            message: HOSTILE.to_owned(),
            detail: Some(json!(HOSTILE)),
        };
        env.end(failed, token, domain::job::Outcome::Error(exception)).await;

        env.count_events().await;
        let pages = all_pages(env).await;
        let shown = pages.iter().filter(|(_, page)| page.contains("&lt;script&gt;alert(1)"));
        assert!(shown.count() >= 4, "the values are shown");
        for (path, page) in &pages {
            assert!(!page.contains("<script>"), "{path}");
            assert!(!page.contains("<img src=x"), "{path}");
            assert!(!page.contains('\u{202e}'), "{path}");
            for tag in page.split('<').skip(1) {
                let name: String = tag
                    .trim_start_matches('/')
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
                    .collect();
                let known = TAGS.iter().chain(&MORE_TAGS).any(|known| *known == name);
                assert!(known, "{path} has a tag {name:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_invalid_filter_is_shown_as_text() {
    with_env(async |env| {
        let visitor = super::Visitor::new(env);
        let hostile = "%3Cscript%3Ealert(1)%3C/script%3E%22%3E%3Cimg%20src=x%3E";
        let search = visitor.open(&format!("/jobs?q=status:{hostile}")).await;
        assert_eq!(search.status, 400);
        assert!(!search.text.contains("<script>alert") && !search.text.contains("<img src=x"));
        for name in [
            "status",
            "action",
            "worker",
            "since",
            "parent",
            "fingerprint",
            "sort",
            "limit",
            hostile,
        ] {
            let answer = visitor.open(&format!("/jobs?{name}={hostile}")).await;
            assert_eq!(answer.status, 400, "{name}");
            assert!(!answer.text.contains("<script>alert"), "{name}");
            assert!(!answer.text.contains("<img src=x"), "{name}");
        }
    })
    .await;
}
