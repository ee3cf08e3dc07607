//! Requests without a token, with a wrong token and with tokens of each role, and changes of the
//! tokens file.

use api::Exposure;
use domain::access_tokens::{AccessToken, Role};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api_process::output_of;
use crate::env::{TestEnv, eventually, redis_url, send, with_env_exposed};
use crate::token_files::{Directory, Tokens, with_tokens};

/// Returns the method, the path and the required role of every route in the OpenAPI document.
async fn routes(env: &TestEnv) -> Vec<(String, String, Option<Role>)> {
    let document = env.get("/docs.json").await.json();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.trim_start_matches("/api/v0").replace("{name}", "gc");
        let id = if path.contains("worker") { "0123456789ab" } else { "no-uuid" };
        for (method, operation) in methods.as_object().unwrap() {
            let role = operation["x-role"].as_str().map(|role| role.parse().unwrap());
            let responses = operation["responses"].as_object().unwrap();
            assert_eq!(responses.contains_key("401"), role.is_some(), "{method} {path}");
            assert_eq!(responses.contains_key("403"), role > Some(Role::Viewer), "{path}");
            routes.push((method.to_uppercase(), path.replace("{id}", id), role));
        }
    }
    routes
}

#[tokio::test]
async fn only_the_openapi_document_and_the_health_endpoints_need_no_token() {
    with_tokens(async |env, _| {
        for (method, path, role) in routes(env).await {
            let request = env.client.request(method.parse().unwrap(), env.at(&path));
            let answer = send(request).await;
            if path == "/signals/{link}" {
                assert_eq!(answer.code(), "404 NO_SUCH_LINK");
                continue;
            }
            if role.is_none() {
                assert_eq!((answer.status, path.as_str()), (200, "/docs.json"));
                continue;
            }
            assert_eq!(answer.code(), "401 NOT_AUTHENTICATED", "{method} {path}");
            let schemes: Vec<_> = answer.headers.get_all(WWW_AUTHENTICATE).iter().collect();
            assert_eq!(schemes.len(), 2, "{schemes:?}");
        }
        let nowhere = send(env.client.get(format!("{}/nowhere", env.url))).await;
        assert_eq!(nowhere.code(), "401 NOT_AUTHENTICATED");
        let alive = send(env.client.get(format!("{}/livez", env.admin))).await;
        assert_eq!(alive.status, 200);
    })
    .await;
}

#[tokio::test]
async fn each_route_accepts_its_documented_role_and_higher_ones() {
    with_tokens(async |env, tokens| {
        for (method, path, needed) in routes(env).await {
            for role in Role::ALL {
                let answer = env.send_as(&method, &path, tokens.of(role)).await;
                if Some(role) >= needed {
                    assert!(![401, 403].contains(&answer.status), "{role} {method} {path}");
                    continue;
                }
                assert_eq!(answer.code(), "403 NOT_AUTHORIZED", "{role} {method} {path}");
                let detail = &answer.json()["errors"][0]["detail"];
                assert_eq!(detail["needed"], needed.unwrap().as_str(), "{method} {path}");
                assert_eq!(detail["role"], role.as_str());
            }
        }
        let nowhere = env.send_as("GET", "/nowhere", tokens.of(Role::Viewer)).await;
        assert_eq!(nowhere.code(), "404 NO_SUCH_ROUTE");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_accepted_as_bearer_or_basic_password_and_nowhere_else() {
    with_tokens(async |env, tokens| {
        let token = tokens.of(Role::Viewer);
        let jobs = || env.client.get(env.at("/jobs"));
        let good = [
            jobs().bearer_auth(token),
            jobs().header(AUTHORIZATION, format!("bearer  {token}")),
            jobs().basic_auth("anybody", Some(token)),
            jobs().basic_auth("", Some(token)),
        ];
        for request in good {
            assert_eq!(send(request).await.status, 200);
        }
        let bad = [
            jobs().basic_auth(token, Some("")),
            jobs().header(AUTHORIZATION, token),
            jobs().header(AUTHORIZATION, format!("Token {token}")),
            jobs().header(AUTHORIZATION, "Basic nonsense!"),
            jobs().header(AUTHORIZATION, vec![b'B', 0xff]),
            jobs().header(AUTHORIZATION, "Bearer"),
            jobs().bearer_auth(token).bearer_auth(token),
            jobs().query(&[("jwt", token)]),
            jobs().query(&[("access_token", token)]),
            jobs().header("cookie", format!("session={token}")),
        ];
        for (at, request) in bad.into_iter().enumerate() {
            assert_eq!(send(request).await.code(), "401 NOT_AUTHENTICATED", "{at}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_shows_who_submitted_it_and_who_cancelled_it() {
    with_tokens(async |env, tokens| {
        let (otto, anna) = (tokens.of(Role::Operator), tokens.of(Role::Admin));
        let job = json!({"action": "noop"});
        let one = send(env.request_as("POST", "/jobs", otto).json(&job)).await.json();
        let batch = env.request_as("POST", "/jobs/batch", anna).json(&json!({"jobs": [job]}));
        let two = send(batch).await.json()["jobs"][0].clone();
        assert_eq!((&one["scheduledBy"], &two["scheduledBy"]), (&json!("otto"), &json!("anna")));
        let show = async |job: &Value| {
            let path = format!("/jobs/{}", job["id"].as_str().unwrap());
            env.send_as("GET", &path, anna).await.json()
        };
        let path = format!("/jobs/{}/cancel", one["id"].as_str().unwrap());
        assert_eq!(env.send_as("POST", &path, anna).await.status, 204);
        assert_eq!(env.send_as("POST", "/jobs/cancel?all=true", otto).await.status, 202);
        assert_eq!(show(&one).await["cancelBy"], "anna");
        assert_eq!(show(&two).await["cancelBy"], "otto");
    })
    .await;
}

#[tokio::test]
async fn changes_of_the_tokens_file_apply_without_a_restart() {
    with_tokens(async |env, tokens| {
        let (viewer, admin) = (tokens.of(Role::Viewer), tokens.of(Role::Admin));
        let status = async |token: &str| env.send_as("GET", "/jobs", token).await.status;
        assert_eq!((status(viewer).await, status(admin).await), (200, 200));
        tokens.write(&tokens.lines[2..]);
        eventually(async || status(viewer).await, |status| *status == 401).await;
        assert_eq!(status(admin).await, 200);
        tokens.write(&tokens.lines[..1]);
        eventually(async || status(viewer).await, |status| *status == 200).await;
        assert_eq!(status(admin).await, 401);
    })
    .await;
}

#[tokio::test]
async fn many_wrong_tokens_are_delayed_or_refused_and_valid_ones_are_served() {
    with_tokens(async |env, tokens| {
        let wrong = AccessToken::random().unwrap();
        let mut requests = JoinSet::new();
        for _ in 0..60 {
            let request = env.request_as("GET", "/jobs", wrong.reveal());
            requests.spawn(send(request));
        }
        assert_eq!(env.send_as("GET", "/jobs", tokens.of(Role::Viewer)).await.status, 200);
        let mut answers = Vec::new();
        while let Some(answer) = requests.join_next().await {
            answers.push(answer.unwrap());
        }
        let refused = answers.iter().filter(|answer| answer.status == 429).count();
        let wrong = answers.iter().filter(|answer| answer.status == 401).count();
        assert!(refused > 0 && wrong >= 26 && refused + wrong == 60, "{refused} and {wrong}");
        assert_eq!(answers.last().unwrap().status, 401, "delayed answers come last");
        let refusal = answers.iter().find(|answer| answer.status == 429).unwrap();
        assert_eq!(refusal.header("retry-after"), Some("1"));
        assert_eq!(refusal.code(), "429 NOT_AUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn the_service_refuses_to_start_unprotected_or_with_an_invalid_tokens_file() {
    let directory = Directory::new();
    let secret = AccessToken::random().unwrap();
    let wrong = directory.write("tokens", &format!("anna admin {}\n", secret.reveal()));
    let (wrong, tokens) = (wrong.to_str().unwrap(), Tokens::new());
    let (missing, tokens) = (directory.at("missing"), tokens.path());
    let (missing, tokens) = (missing.to_str().unwrap(), tokens.to_str().unwrap());
    let cases = [
        (vec!["--listen", "0.0.0.0:0"], "requests need no token"),
        (vec!["--listen", "0.0.0.0:0", "--tokens", ""], "requests need no token"),
        (vec!["--tokens", wrong], "invalid CAPSTAN_TOKENS: line 1: "),
        (vec!["--tokens", missing], "No such file"),
        (vec!["--open", "--tokens", tokens], "exclude each other"),
    ];
    for (flags, why) in cases {
        let (text, status) = output_of(&flags, &[], "serving the API").await;
        assert!(text.contains(why), "{flags:?}: {text}");
        assert!(!text.contains(secret.reveal()), "{text}");
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{flags:?}: {text}");
    }
}

#[tokio::test]
async fn a_socket_io_client_needs_a_token() {
    with_tokens(async |env, tokens| {
        let path = |query: &str| format!("{}/socket.io/?EIO=4&transport=polling{query}", env.url);
        let open = async |query: &str| send(env.client.get(path(query))).await.status;
        assert_eq!(open("").await, 401);
        assert_eq!(open("&jwt=capstan_wrong").await, 401);
        let token = tokens.of(Role::Viewer);
        assert_eq!(open(&format!("&jwt={token}")).await, 200);
        let elsewhere = env.client.get(env.at(&format!("/jobs?jwt={token}")));
        assert_eq!(
            send(elsewhere).await.status,
            401,
            "only Socket.IO accepts a token in the query"
        );
    })
    .await;
}

#[tokio::test]
async fn a_token_that_has_sent_too_many_requests_is_told_when_to_continue() {
    let tokens = Tokens::new();
    let exposure = Exposure { token_rate: "3/1h".parse().unwrap(), ..tokens.exposure() };
    with_env_exposed(&redis_url(), exposure, async |env| {
        let [vera, otto, _] = Role::ALL.map(|role| tokens.of(role));
        for _ in 0..3 {
            assert_eq!(env.send_as("GET", "/jobs", vera).await.status, 200);
        }
        let refused = env.send_as("GET", "/jobs", vera).await;
        assert_eq!(refused.code(), "429 TOO_MANY_REQUESTS");
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1_100..=1_201).contains(&seconds), "a third of an hour, not {seconds} s");
        assert_eq!(refused.detail()["retryAfter"], json!(seconds));
        let v1 = send(env.client.get(format!("{}/api/v1.0/jobs", env.url)).bearer_auth(vera)).await;
        assert_eq!((v1.status, v1.header("retry-after").is_some()), (429, true));
        assert_eq!(env.send_as("GET", "/jobs", otto).await.status, 200, "others are not limited");
    })
    .await;
}
