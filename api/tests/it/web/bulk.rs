//! Changes of many jobs from the page: a dry run first, then an operation or the selected rows.

use domain::access_tokens::Role;
use domain::job::Status;
use serde_json::json;

use super::Visitor;
use crate::env::{eventually, with_env};
use crate::token_files::with_tokens;

#[tokio::test]
async fn all_jobs_that_match_are_changed_after_a_dry_run() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["gc"]).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(env.submit(&json!({"action": "scan", "labels": {"team": "a"}})).await);
        }
        let other = env.submit(&json!({"action": "gc"})).await;
        let token = env.claim(&worker, other).await;
        env.finish(other, token, None).await;
        let visitor = Visitor::new(env);
        let list = visitor.open("/jobs?q=label:team:a").await.text;
        assert!(list.contains(r#"href="/bulk-editor?q=label%3Ateam%3Aa""#), "{list}");
        let tried = visitor.open("/bulk-editor?q=label:team:a&operation=cancel").await.text;
        assert!(tried.contains("Yes, cancel 3"), "{tried}");
        assert_eq!(env.store.status(ids[0]).await.unwrap(), Some(Status::Waiting));
        let none = visitor.open("/bulk-editor?q=status:done&operation=cancel").await.text;
        assert!(none.contains("There is nothing to cancel.") && none.contains("have finished"));
        let begun = visitor.submit("/bulk", "q=label%3Ateam%3Aa&operation=cancel").await;
        let next = begun.header("location").unwrap().to_owned();
        assert_eq!(begun.status, 303);
        let done = async || visitor.open(&next).await.text;
        let page = eventually(done, |page| page.contains("s-done")).await;
        assert!(page.contains("3 of 3 jobs examined"), "{page}");
        for id in ids {
            assert_eq!(env.store.status(id).await.unwrap(), Some(Status::Cancel));
        }
        assert!(visitor.open("/bulk").await.text.contains("label:team:a"));
        let stop = format!("{}/stop", next.split('?').next().unwrap());
        assert_eq!(visitor.submit(&stop, "").await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_search_that_an_operation_cannot_use_is_refused_with_the_term() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        for (query, message) in [
            ("q=refused", "q: a bulk operation cannot use text:refused; it can use status"),
            ("q=", "q: name at least one condition"),
            ("q=stat:x", "q: character 1: unknown key"),
            ("q=action:a", "operation: it is required"),
        ] {
            let body = if query.contains("action") {
                query.to_owned()
            } else {
                format!("{query}&operation=delete")
            };
            let refused = visitor.submit("/bulk", &body).await;
            assert_eq!(refused.status, 400, "{query}");
            assert!(refused.text.contains(message), "{query}: {}", refused.text);
        }
    })
    .await;
}

#[tokio::test]
async fn selected_rows_are_changed_after_a_dry_run() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["gc"]).await;
        let done = env.submit(&json!({"action": "gc"})).await;
        let token = env.claim(&worker, done).await;
        env.finish(done, token, None).await;
        let waits = env.submit(&json!({"action": "scan"})).await;
        let visitor = Visitor::new(env);
        assert!(visitor.open("/jobs").await.text.contains(&format!("value=\"{waits}\"")));
        let query = format!("operation=cancel&job={done}&job={waits}");
        let page = visitor.open(&format!("/ticked?{query}")).await.text;
        assert!(page.contains("Yes, cancel 1") && page.contains("have finished"), "{page}");
        let changed =
            visitor.submit("/jobs/ticked", &format!("operation=cancel&job={waits}")).await;
        assert!(changed.text.contains("<b>1 job</b> changed."), "{}", changed.text);
        assert_eq!(env.store.status(waits).await.unwrap(), Some(Status::Cancel));
        assert_eq!(visitor.open("/ticked?job=x&operation=cancel").await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_viewer_changes_no_jobs_in_bulk() {
    with_tokens(async |env, tokens| {
        let vera = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        assert_eq!(vera.open("/bulk").await.status, 200);
        assert_eq!(vera.open("/bulk-editor?q=action:a").await.status, 403);
        assert_eq!(vera.submit("/bulk", "q=action:a&operation=cancel").await.status, 403);
        assert_eq!(vera.submit("/jobs/ticked", "operation=cancel").await.status, 403);
        assert!(!vera.open("/jobs").await.text.contains("/bulk-editor"));
    })
    .await;
}
