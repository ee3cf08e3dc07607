//! Requests that a page of another site makes through a browser, which knows the user's password or
//! reaches a loopback address.

use api::Exposure;
use domain::access_tokens::Role;
use reqwest::RequestBuilder;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::json;
use store::JobFilter;

use crate::env::{Answer, TestEnv, redis_url, send, with_env, with_env_exposed};
use crate::token_files::with_tokens;

/// The headers of a page of another site: of a current browser, and of an old one.
const FOREIGN: [&[(&str, &str)]; 4] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "same-site")],
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
];

fn with(request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

/// Submits a job without a content type, as a page can do without a preflight request.
async fn submit(env: &TestEnv, headers: &[(&str, &str)]) -> Answer {
    let request = env.client.post(env.at("/jobs")).body(r#"{"action":"noop"}"#);
    send(with(request, headers)).await
}

async fn count(env: &TestEnv) -> u64 {
    env.store.jobs(&JobFilter::default(), 0, 0).await.unwrap().total
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        for headers in FOREIGN {
            for (method, path) in [
                ("POST", "/api/v0/jobs/cancel?all=true".to_owned()),
                ("DELETE", format!("/api/v0/jobs/{id}")),
                ("PATCH", format!("/api/v0/jobs/{id}")),
            ] {
                let request = env.client.request(method.parse().unwrap(), env.url.clone() + &path);
                let answer = send(with(request, headers)).await;
                assert_eq!(answer.code(), "403 CROSS_SITE", "{method} {path} {headers:?}");
            }
            let refused = submit(env, headers).await.refusal();
            assert!(refused.contains("CAPSTAN_CORS_ORIGINS"), "{refused}");
            let abort = env.client.put(format!("{}/api/v1.0/job/1", env.url));
            let answer = send(with(abort, headers)).await;
            assert_eq!((answer.status, &answer.json()["status"]), (403, &json!("error")));
            // Without CORS, a page cannot read the answer to a request that changes nothing.
            assert_eq!(send(with(env.client.get(env.at("/jobs")), headers)).await.status, 200);
        }
        assert_eq!(env.show(id).await["status"], "waiting");
        assert_eq!(count(env).await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_password_that_a_browser_knows_is_of_no_use_to_another_site() {
    with_tokens(async |env, tokens| {
        let known = Some(tokens.of(Role::Admin));
        let cancel = || env.client.post(env.at("/jobs/cancel?all=true")).basic_auth("", known);
        for headers in FOREIGN {
            assert_eq!(send(with(cancel(), headers)).await.code(), "403 CROSS_SITE");
        }
        assert_eq!(send(cancel()).await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn own_pages_and_clients_that_are_no_browsers_are_served() {
    with_env(async |env| {
        let own = env.url.as_str();
        let pages: [&[(&str, &str)]; 4] = [
            &[("sec-fetch-site", "same-origin"), ("origin", own)],
            &[("sec-fetch-site", "none")],
            &[("origin", own)],
            // A proxy may have changed the host.
            &[("sec-fetch-site", "same-origin"), ("origin", "https://proxied.example")],
        ];
        for headers in pages {
            let request = env.client.post(env.at("/jobs")).json(&json!({"action": "noop"}));
            assert_eq!(send(with(request, headers)).await.status, 202, "{headers:?}");
            let untyped = submit(env, headers).await;
            assert_eq!(untyped.code(), "415 UNSUPPORTED_MEDIA_TYPE", "{headers:?}");
        }
        assert_eq!(submit(env, &[]).await.status, 202, "clients of DTR send no content type");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(submit(env, &form).await.code(), "415 UNSUPPORTED_MEDIA_TYPE");
    })
    .await;
}

#[tokio::test]
async fn pages_of_configured_origins_are_served() {
    let cors_origins = "https://ops.example".parse().unwrap();
    let exposure = Exposure { cors_origins, ..Exposure::default() };
    with_env_exposed(&redis_url(), exposure, async |env| {
        let submit = |origin: &str| {
            let request = env.client.post(env.at("/jobs")).json(&json!({"action": "noop"}));
            send(with(request, &[("sec-fetch-site", "cross-site"), ("origin", origin)]))
        };
        assert_eq!(submit("https://ops.example").await.status, 202);
        assert_eq!(submit("https://evil.example").await.code(), "403 CROSS_SITE");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_open_a_socket() {
    with_env(async |env| {
        let url = |transport| format!("{}/socket.io/?EIO=4&transport={transport}", env.url);
        let upgrade: &[(&str, &str)] = &[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for headers in FOREIGN {
            let request = with(env.client.get(url("websocket")), upgrade);
            assert_eq!(send(with(request, headers)).await.code(), "403 CROSS_SITE");
            let request = env.client.get(url("polling"));
            assert_eq!(send(with(request, headers)).await.code(), "403 CROSS_SITE");
        }
        let request = with(env.client.get(url("websocket")), upgrade);
        let response = with(request, &[("origin", &env.url)]).send().await.unwrap();
        assert_eq!(response.status(), 101);
    })
    .await;
}

#[tokio::test]
async fn the_page_of_the_documents_needs_no_token_and_asks_for_no_password() {
    with_tokens(async |env, tokens| {
        let get = async |path: &str, mode: &str| {
            let request = env.client.get(format!("{}{path}", env.url));
            send(request.header("sec-fetch-site", "same-origin").header("sec-fetch-mode", mode))
                .await
        };
        let page = get("/docs", "navigate").await;
        let links = page.text.split('"').filter(|part| part.starts_with('/'));
        let links: Vec<&str> = links.collect();
        assert!(links.contains(&"/docs/docs.js"), "{links:?}");
        for link in links.into_iter().chain(["/api/v0/docs.json"]) {
            assert_eq!(get(link, "no-cors").await.status, 200, "{link}");
        }
        let challenges = |answer: &Answer| {
            let all = answer.headers.get_all(WWW_AUTHENTICATE).iter();
            all.map(|value| value.to_str().unwrap().split(' ').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        for mode in ["no-cors", "cors", "same-origin", "websocket"] {
            let answer = get("/api/v0/jobs", mode).await;
            assert_eq!((answer.status, challenges(&answer)), (401, vec!["Bearer".to_owned()]));
        }
        let opened = get("/api/v0/jobs", "navigate").await;
        assert_eq!(challenges(&opened), ["Bearer", "Basic"], "the user has opened it");
        let known = env.client.get(env.at("/jobs")).basic_auth("", Some(tokens.of(Role::Viewer)));
        assert_eq!(send(known).await.status, 200);
    })
    .await;
}
