//! Sessions: how they begin, what they allow, and how they end.

use api::Exposure;
use domain::access_tokens::Role;

use super::Visitor;
use crate::env::{eventually, redis_url, send, with_env, with_env_exposed};
use crate::token_files::with_tokens;

#[tokio::test]
async fn a_loopback_address_without_tokens_needs_no_log_in() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        assert_eq!(visitor.open("/").await.status, 200);
        let login = visitor.open("/login?next=/jobs").await;
        assert_eq!((login.status, login.header("location")), (303, Some("/jobs")));
    })
    .await;
}

#[tokio::test]
async fn a_page_asks_for_a_token_and_returns_after_the_log_in() {
    with_tokens(async |env, tokens| {
        let visitor = Visitor::new(env);
        let asked = visitor.open("/jobs?status=done").await;
        let login = "/login?next=%2Fjobs%3Fstatus%3Ddone";
        assert_eq!((asked.status, asked.header("location")), (303, Some(login)));
        let form = visitor.open(login).await;
        assert_eq!(form.status, 200);
        assert!(form.text.contains(r#"name="next" value="/jobs?status=done""#), "{}", form.text);

        let wrong = visitor.submit("/login", "token=capstan_wrong&next=/jobs").await;
        assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
        assert!(wrong.text.contains("there is no such token"), "{}", wrong.text);

        let visitor = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        let page = visitor.open("/jobs").await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("vera"), "{}", page.text);
    })
    .await;
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_does_not_open_the_api() {
    with_tokens(async |env, tokens| {
        let visitor = Visitor::new(env);
        let body = format!("token={}", tokens.of(Role::Admin));
        let answer = visitor.submit("/login", &body).await;
        let cookie = answer.header("set-cookie").unwrap();
        let end = "; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict";
        assert!(cookie.starts_with("capstan_session=") && cookie.ends_with(end), "{cookie}");
        let session = cookie.split(';').next().unwrap();
        let api = send(env.client.get(env.at("/jobs")).header("cookie", session)).await;
        assert_eq!(api.code(), "401 NOT_AUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxy_with_https_gets_a_secure_cookie() {
    let tokens = crate::token_files::Tokens::new();
    let trusted_proxies = "127.0.0.0/8".parse().unwrap();
    let exposure = Exposure { trusted_proxies, ..tokens.exposure() };
    with_env_exposed(&redis_url(), exposure, async |env| {
        let body = format!("token={}", tokens.of(Role::Viewer));
        let form = Visitor::new(env).form("/login", &body);
        let form = form.header("origin", env.url.replace("http:", "https:"));
        let answer = send(form.header("x-forwarded-proto", "https")).await;
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.starts_with("__Host-capstan_session="), "{cookie}");
        assert!(cookie.ends_with("; Secure"), "{cookie}");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_at_log_out() {
    with_tokens(async |env, tokens| {
        let visitor = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        let out = visitor.submit("/logout", "").await;
        assert_eq!((out.status, out.header("location")), (303, Some("/login")));
        assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
        assert_eq!(visitor.open("/jobs").await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_when_its_token_is_deleted_and_follows_its_role() {
    with_tokens(async |env, tokens| {
        let vera = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        let anna = Visitor::logged_in(env, tokens.of(Role::Admin)).await;
        let mut lines = tokens.lines[1..].to_vec();
        lines[1] = lines[1].replace("anna admin", "anna viewer");
        tokens.write(&lines);
        let ended = async || vera.open("/jobs").await.status;
        eventually(ended, |status| *status == 303).await;
        let page = anna.open("/").await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(r#"anna <span class="soft">viewer</span>"#), "{}", page.text);
        let refused = anna.submit("/jobs/a261713a-9514-43f9-a7e5-50e7a9fa1d48/cancel", "").await;
        assert_eq!(refused.status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_page_that_refreshes_itself_opens_the_log_in() {
    with_tokens(async |env, _| {
        let refresh = env.client.get(format!("{}/jobs", env.url)).header("hx-request", "true");
        let answer = send(refresh).await;
        assert_eq!((answer.status, answer.header("hx-redirect")), (401, Some("/login")));
    })
    .await;
}

#[tokio::test]
async fn log_ins_are_not_audited_but_forms_are() {
    with_tokens(async |env, tokens| {
        let otto = Visitor::logged_in(env, tokens.of(Role::Operator)).await;
        let id = "a261713a-9514-43f9-a7e5-50e7a9fa1d48";
        assert_eq!(otto.submit(&format!("/jobs/{id}/cancel"), "").await.status, 404);
        let entries = async || {
            let answer = env.send_as("GET", "/audit", tokens.of(Role::Admin)).await;
            answer.json()["audit"].as_array().cloned().unwrap_or_default()
        };
        let found = eventually(entries, |entries| !entries.is_empty()).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["who"], "otto");
        assert_eq!(found[0]["path"], format!("/jobs/{id}/cancel"));
        assert_eq!(found[0]["status"], 404);
    })
    .await;
}

#[tokio::test]
async fn the_page_can_be_switched_off() {
    let exposure = Exposure { web: false, ..Exposure::default() };
    with_env_exposed(&redis_url(), exposure, async |env| {
        let visitor = Visitor::new(env);
        for path in ["/", "/jobs", "/login", "/assets/page.css"] {
            assert_eq!(visitor.open(path).await.code(), "404 NO_SUCH_ROUTE", "{path}");
        }
        assert_eq!(visitor.open("/docs").await.status, 200);
    })
    .await;
}
