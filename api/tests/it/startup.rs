//! The service starts, or reports an invalid setting, and serves its health and metrics.

use api::{Config, Exposure, RunError};
use serde_json::json;
use service::settings::{StoreSettings, TelemetrySettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::env::{eventually, redis_url, send, with_env};

fn config(listen: &str, namespace: &str) -> Config {
    Config {
        listen: listen.parse().unwrap(),
        exposure: Exposure::default(),
        event_streams: 8,
        store: StoreSettings::new(redis_url(), namespace),
        telemetry: TelemetrySettings { admin_listen: None, log: "info".to_owned() },
    }
}

#[tokio::test]
async fn a_public_address_without_tokens_is_refused() {
    let open = config("0.0.0.0:0", "test-api-open");
    let refused = api::run(open.clone(), CancellationToken::new()).await;
    let Err(error @ RunError::Open(_)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("--open"), "{error}");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = api::run_on(listener, open.clone(), CancellationToken::new()).await;
    assert!(matches!(refused, Err(RunError::Open(_))), "{refused:?}");

    let exposure = Exposure { open: true, ..Exposure::default() };
    let insecure = Config { exposure, ..open };
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    assert!(api::run(insecure, shutdown).await.is_ok());
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = api::run(config(&address, "test-api-taken"), CancellationToken::new()).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains(&format!("CAPSTAN_LISTEN={address}")), "{message}");
}

#[tokio::test]
async fn an_invalid_store_url_is_reported_with_its_setting() {
    let mut config = config("127.0.0.1:0", "test-api-wrong");
    config.store.redis_url = "http://somewhere".to_owned();
    let message = api::run(config, CancellationToken::new()).await.unwrap_err().to_string();
    assert!(message.contains("CAPSTAN_REDIS_URL"), "{message}");
}

#[tokio::test]
async fn an_admin_address_in_use_ends_the_service() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config("127.0.0.1:0", "test-api-admin");
    let address = service::settings::OptionalAddress(Some(taken.local_addr().unwrap()));
    config.telemetry.admin_listen = Some(address);
    let refused = api::run(config, CancellationToken::new()).await;
    assert!(matches!(refused, Err(RunError::Admin(_))), "{refused:?}");
}

#[tokio::test]
async fn health_and_metrics_are_served_on_the_admin_address() {
    with_env(async |env| {
        let ready = async || send(env.client.get(format!("{}/readyz", env.admin))).await;
        let ready = eventually(ready, |answer| answer.status == 200).await;
        assert_eq!(ready.json(), json!({"status": "ok", "checks": {"store": "ok"}}));

        env.submit(&json!({"action": "noop"})).await;
        env.submit(&json!({"action": "noop"})).await;
        env.get("/jobs/no-uuid").await;
        env.get("/nonsense").await;
        let metrics = async || send(env.client.get(format!("{}/metrics", env.admin))).await;
        let expected = [
            r#"capstan_api_requests_total{method="POST",route="/api/v0/jobs",status="202"} 2"#,
            r#"capstan_api_requests_total{method="GET",route="/api/v0/jobs/{id}",status="404"} 1"#,
            r#"capstan_api_requests_total{method="GET",route="none",status="404"} 1"#,
            r#"capstan_api_request_seconds_count{method="POST",route="/api/v0/jobs"} 2"#,
            "capstan_api_submitted_jobs_total 2",
            r#"capstan_jobs{status="waiting"} 2"#,
            r#"capstan_jobs{status="done"} 0"#,
        ];
        let all = |text: &str| expected.iter().all(|line| text.lines().any(|one| one == *line));
        eventually(metrics, |answer| all(&answer.text)).await;
    })
    .await;
}
