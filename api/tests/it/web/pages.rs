//! What every page has: a strict policy, no markup for other servers, links that lead somewhere.

use std::collections::BTreeSet;

use serde_json::json;

use super::Visitor;
use crate::env::{TestEnv, with_env};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Returns the values of an attribute.
pub(super) fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let parts = page.split(&format!(" {name}=\"")).skip(1).collect::<Vec<_>>();
    parts.into_iter().map(|part| part.split('"').next().unwrap()).collect()
}

/// Follows the links from the overview and returns the path and the text of each page.
pub(super) async fn all_pages(env: &TestEnv) -> Vec<(String, String)> {
    let visitor = Visitor::new(env);
    let (mut open, mut seen) = (vec!["/".to_owned()], BTreeSet::new());
    let mut pages = Vec::new();
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        assert!(seen.len() < 500, "there is no end of links: {seen:?}");
        let answer = visitor.open(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        if answer.header("content-type") != Some("text/html; charset=utf-8") || path == "/docs" {
            continue;
        }
        let links = attributes(&answer.text, "href").into_iter().filter(|link| *link != "#main");
        let links = links.map(|link| link.replace("&amp;", "&")).collect::<Vec<_>>();
        let is_elsewhere = |link: &&String| !link.starts_with('/') || link.starts_with("//");
        assert_eq!(links.iter().find(is_elsewhere), None, "{path}");
        assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        // A search leads to narrower ones without end.
        let is_search = |link: &str| link.starts_with("/jobs?");
        open.extend(links.into_iter().filter(|link| !is_search(&path) || !is_search(link)));
        pages.push((path, answer.text));
    }
    pages
}

#[tokio::test]
async fn every_link_leads_to_a_page_with_the_strict_policy() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let done = env.submit(&json!({"action": "noop", "locks": ["a/b"]})).await;
        let token = env.claim(&worker, done).await;
        env.log(done, token, 0, &["hello"]).await;
        env.submit(&json!({"action": "noop", "locks": ["a/b"], "dependsOn": [done]})).await;
        env.submit(&json!({"action": "noop", "capacityMap": {"gpu": 1}})).await;
        env.post("/crons", &json!({"action": "noop", "schedule": "@daily"})).await;
        let pages = all_pages(env).await;
        let paths: Vec<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
        for expected in [
            "/jobs",
            "/waiting",
            "/failures",
            "/?range=7d",
            "/workers",
            "/queues",
            "/crons",
            "/locks",
            "/locks/a%2Fb",
        ] {
            assert!(paths.contains(&expected), "{expected} is not in {paths:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_overview_says_that_no_scheduler_runs_and_so_does_each_waiting_job() {
    with_env(async |env| {
        env.worker("default=16", &["noop"]).await;
        env.submit(&json!({"action": "noop"})).await;
        let visitor = Visitor::new(env);
        let outage = "no scheduler is running, so no job is offered to workers";
        let page = visitor.open("/").await.text;
        assert!(page.contains(&format!("1 job waits: {outage}.")), "{page}");
        assert!(visitor.open("/jobs").await.text.contains(outage));
        env.announce_scheduler().await;
        assert!(!visitor.open("/").await.text.contains(outage));
    })
    .await;
}

#[tokio::test]
async fn files_are_kept_by_browsers_until_they_change() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let page = visitor.open("/").await.text;
        let files = [attributes(&page, "href"), attributes(&page, "src")].concat();
        let files: BTreeSet<_> = files.into_iter().filter(|one| one.contains("/assets/")).collect();
        assert_eq!(files.len(), 8, "{files:?}");
        for file in files {
            let answer = visitor.open(file).await;
            assert_eq!(answer.status, 200, "{file}");
            let kept = Some("public, max-age=31536000, immutable");
            assert_eq!(answer.header("cache-control"), kept, "{file}");
        }
        assert_eq!(visitor.open("/assets/page-0000000000000000.css").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn an_error_is_a_page() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let id = "a261713a-9514-43f9-a7e5-50e7a9fa1d48";
        let cases = [
            (format!("/jobs/{id}"), 404, "there is no job"),
            ("/jobs/%22%3E%3Cimg".to_owned(), 404, "there is no job &quot;\\&quot;&gt;&lt;img"),
            (format!("/jobs/{id}/log"), 404, "there is no job"),
            (format!("/jobs/{id}/cancel"), 405, "does not allow GET"),
            ("/workers/0123456789ab".to_owned(), 404, "there is no worker"),
            ("/crons/none".to_owned(), 404, "there is no cron"),
            ("/locks/none".to_owned(), 404, "is not held, waited for or configured"),
            ("/jobs?status=finished".to_owned(), 400, "the statuses are waiting, running"),
            ("/jobs?stats=done".to_owned(), 400, "did you mean status?"),
            ("/locks?start=x".to_owned(), 400, "start:"),
        ];
        for (path, status, message) in cases {
            let answer = visitor.open(&path).await;
            assert_eq!(answer.status, status, "{path}");
            let kind = answer.header("content-type");
            assert_eq!(kind, Some("text/html; charset=utf-8"), "{path}");
            assert!(answer.text.contains(message), "{path}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn the_list_shows_why_each_job_waits_and_keeps_its_filter() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let empty = visitor.open("/jobs").await.text;
        assert!(empty.contains("No jobs yet."), "{empty}");
        let worker = env.worker("default=16", &["noop", "sleep"]).await;
        for _ in 0..3 {
            let done = env.submit(&json!({"action": "noop"})).await;
            let token = env.claim(&worker, done).await;
            env.finish(done, token, Some(json!({"lines": 12}))).await;
        }
        env.submit(&json!({"action": "train", "capacityMap": {"gpu": 1}})).await;
        let all = visitor.open("/jobs?limit=2").await.text;
        assert!(all.contains("no live worker offers gpu=1"), "{all}");
        assert!(all.contains("1–2 of 4"), "{all}");
        assert!(all.contains(r#"href="/jobs?limit=2&amp;start=2""#), "{all}");
        let done = visitor.open("/jobs?status=done&action=noop&limit=2&start=2").await.text;
        assert!(done.contains("3–3 of 3"), "{done}");
        assert!(done.contains("{&quot;lines&quot;:12}"), "{done}");
        let previous = "/jobs?q=status%3Adone+action%3Anoop&amp;limit=2&amp;start=0";
        assert!(done.contains(previous), "{done}");
        let none = visitor.open("/jobs?action=other").await.text;
        assert!(none.contains("No job matches this search."), "{none}");
    })
    .await;
}

#[tokio::test]
async fn the_waiting_page_lists_the_groups_and_what_no_worker_can_run() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let visitor = Visitor::new(env);
        assert!(visitor.open("/waiting").await.text.contains("No job waits."));
        let worker = env.worker("default=16", &["noop"]).await;
        let holder = env.submit(&json!({"action": "noop", "locks": ["sw1"]})).await;
        env.claim(&worker, holder).await;
        let waits = env.submit(&json!({"action": "noop", "locks": ["sw1"]})).await;
        env.park(&worker, waits).await;
        env.submit(&json!({"action": "train", "capacityMap": {"gpu": 4}})).await;
        let page = visitor.open("/waiting").await.text;
        assert!(page.contains("<h1>2 waiting jobs</h1>"), "{page}");
        let stuck = page.find("No live worker can run these jobs.").expect("it says so");
        assert!(page[stuck..].contains("gpu=4"), "{page}");
        assert!(page.contains(r#"<a href="/locks/sw1">sw1</a>"#), "{page}");
        assert!(page.contains(&format!(r#"<a href="/jobs/{holder}">job 1</a>"#)), "{page}");
        assert!(!page.contains("id=\"long-held\""), "{page}");
        let past = env.store.now().await.unwrap().ms() - 3_600_000;
        env.redis("HSET", &format!("job:{holder}"), &["startedAt", &past.to_string()]).await;
        for path in ["/waiting", "/locks/sw1"] {
            assert!(visitor.open(path).await.text.contains("id=\"long-held\""), "{path}");
        }
        assert!(visitor.open("/locks").await.text.contains("held for 1 h while others wait"));
    })
    .await;
}

#[tokio::test]
async fn the_page_of_a_job_shows_its_time_line_and_the_jobs_around_it() {
    with_env(async |env| {
        env.announce_scheduler().await;
        let worker = env.worker("default=16", &["noop"]).await;
        let first = env.submit(&json!({"action": "noop"})).await;
        let second = env.submit(&json!({"action": "noop", "dependsOn": [first]})).await;
        let visitor = Visitor::new(env);
        let page = visitor.open(&format!("/jobs/{second}")).await.text;
        assert!(page.contains("waited for other jobs"), "{page}");
        let unknown = "it depends on the end of other jobs";
        assert!(page.contains("unknown") && page.contains(unknown), "{page}");
        assert!(page.contains(r##"aria-label="#2 noop waiting, after #1""##), "{page}");
        let token = env.claim(&worker, first).await;
        let past = env.store.now().await.unwrap().ms() - 5_000;
        env.redis("HSET", &format!("job:{first}"), &["startedAt", &past.to_string()]).await;
        env.finish(first, token, None).await;
        let page = visitor.open(&format!("/jobs/{first}")).await.text;
        assert!(page.contains(r#"<rect class="w-run""#), "{page}");
        assert!(page.contains("the longest path ran for 5."), "{page}");
        assert!(page.contains(&format!("worker {worker}: fencing token")), "{page}");
        let alone = env.submit(&json!({"action": "noop"})).await;
        let page = visitor.open(&format!("/jobs/{alone}")).await.text;
        assert!(!page.contains("id=\"graph\""), "it has no relations: {page}");
    })
    .await;
}

#[tokio::test]
async fn the_crons_page_has_a_calendar_and_a_cron_its_history() {
    with_env(async |env| {
        for name in ["backup", "gc"] {
            let cron = json!({"name": name, "action": "noop", "schedule": "0 0 1 * * *"});
            env.post("/crons", &cron).await;
        }
        env.post("/crons", &json!({"name": "often", "action": "noop", "schedule": "@every 1m"}))
            .await;
        env.command("/crons/gc/pause").await;
        let visitor = Visitor::new(env);
        let page = visitor.open("/crons").await.text;
        assert!(!page.contains("In the same minute"), "gc is paused: {page}");
        env.command("/crons/gc/resume").await;
        let page = visitor.open("/crons").await.text;
        assert!(page.contains("In the same minute"), "{page}");
        assert!(page.contains("01:00 UTC: 2 firings of backup, gc</title>"), "{page}");
        let often = "more often than hourly: <a href=\"/crons/often\">often</a>";
        assert!(page.contains(often), "{page}");
        let page = visitor.open("/crons/gc").await.text;
        assert!(page.contains("<td>created</td>") && page.contains("<td>changed</td>"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn failures_are_shown_by_group_with_a_link_to_their_jobs() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        assert!(visitor.open("/failures").await.text.contains("No job failed."));
        env.count_a_busy_hour().await;
        let page = visitor.open("/failures?since=6h").await.text;
        assert!(page.contains("the command exited with code &lt;n&gt;"), "{page}");
        assert!(page.contains(" in 1 group."), "{page}");
        let link = attributes(&page, "href").into_iter().find(|link| link.contains("fingerprint="));
        assert!(link.is_some_and(|link| link.starts_with("/jobs?action=scan&amp;fingerprint=")));
        let retry = "/bulk-editor?q=action:scan+fingerprint:";
        assert!(attributes(&page, "href").iter().any(|link| link.starts_with(retry)), "{page}");
        assert_eq!(visitor.open("/failures?since=2w").await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn the_charts_are_drawn_and_have_their_numbers_in_a_table() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        env.count_a_busy_hour().await;
        let page = visitor.open("/").await.text;
        let lines: Vec<&str> = attributes(&page, "d");
        assert_eq!(lines.iter().filter(|line| line.matches('L').count() > 50).count(), 4);
        assert!(page.matches("<tr><td>").count() >= 60, "a row for each minute");
        let page = visitor.open("/?range=7d").await.text;
        assert!(page.contains("hx-get=\"/?range=7d\""), "the page refreshes the same period");
        assert_eq!(visitor.open("/?range=2h").await.status, 400);
    })
    .await;
}
