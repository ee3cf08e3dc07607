//! Which addresses webhooks and subscriptions reach: private ones only where a list allows them.

use serde_json::json;

use crate::env::WorkerEnv;
use crate::test_server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_also_behind_a_name_or_a_redirect() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let worker = env.worker_with(&["--capacity=cpu=1", "--webhook-allow=127.0.0.1"]);
    let port = receiver.address.port();
    let urls = [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        format!("http://127.0.0.2:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        "http://10.0.0.1/".to_owned(),
        receiver.url("/inside"),
        receiver.url("/metadata"),
    ];
    for url in urls {
        let failed = env.fail("webhook", &json!({"url": url})).await;
        assert_eq!(failed.0, "ForbiddenAddress", "{url}: {}", failed.1);
    }
    worker.stop().await;
    // Without the permission a name for this machine is refused too.
    let worker = env.worker_with(&["--capacity=cpu=1"]);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("http://{host}:{port}/hook");
        let failed = env.fail("webhook", &json!({"url": url})).await;
        assert_eq!(failed.0, "ForbiddenAddress", "{host}: {}", failed.1);
    }
    assert_eq!(receiver.count("/hook"), 0);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_allowed_on_its_port_only_also_behind_a_name_or_a_redirect() {
    let env = WorkerEnv::new().await;
    let (open, closed) = (TestServer::new().await, TestServer::new().await);
    let allow = format!("--webhook-allow=127.0.0.1:{}", open.address.port());
    let worker = env.worker_with(&["--capacity=cpu=1", &allow]);
    let hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"];
    for host in hosts {
        let url = |server: &TestServer| format!("http://{host}:{}/hook", server.address.port());
        env.succeed("webhook", &json!({"url": url(&open)})).await;
        let redirect = |to: &TestServer| open.url(&format!("/redirect?{}", url(to)));
        env.succeed("webhook", &json!({"url": redirect(&open)})).await;
        for url in [url(&closed), redirect(&closed)] {
            let failed = env.fail("webhook", &json!({"url": url})).await;
            assert_eq!(failed.0, "ForbiddenAddress", "{url}: {}", failed.1);
        }
    }
    assert_eq!((open.count("/hook"), closed.count("/hook")), (2 * hosts.len(), 0));
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_addresses_of_a_name_are_connected_to_that_were_allowed() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let port = receiver.address.port();
    // Depending on the machine, `localhost` has this address too or only 127.0.0.1.
    let allow = format!("--webhook-allow=[::1]:{port}");
    let worker = env.worker_with(&["--capacity=cpu=1", &allow]);
    let url = format!("http://localhost:{port}/hook");
    let id = env.submit("webhook", &json!({"url": url})).await;
    let tried = async || {
        let job = env.store().job(id).await.unwrap().unwrap();
        job.status.is_final() || !env.log(id).await.is_empty()
    };
    env.eventually("the first try is over", tried).await;
    assert_eq!(receiver.count("/hook"), 0, "127.0.0.1 is not allowed");
    worker.stop().await;
    env.close().await;
}
