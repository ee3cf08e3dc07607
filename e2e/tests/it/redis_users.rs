//! The Redis users that `capstan init` creates: each may do what its service does, and no more.

use std::path::{Path, PathBuf};
use std::process::Command;

use domain::job::Status;
use e2e::StartServices;
use serde_json::json;
use store::{Store, StoreConfig};
use testkit::{PrivateRedis, TestEnv, job, jobs};

/// The path of `capstan`, which is built together with the tests' own folder.
fn capstan() -> PathBuf {
    let folder = std::env::current_exe().unwrap();
    let program = folder.parent().and_then(Path::parent).unwrap().join("capstan");
    assert!(program.exists(), "capstan is not built: run `cargo build --workspace --bins`");
    program
}

/// Adds the users of `capstan init` to a Redis, for another namespace. Returns the URLs with which
/// the API, the scheduler and the worker connect.
fn add_users(redis: &PrivateRedis, namespace: &str) -> [String; 3] {
    let directory = std::env::temp_dir().join(format!("capstan-init-{namespace}"));
    let [access, secrets] = ["access", "secrets"].map(|name| directory.join(name));
    let mut init = Command::new(capstan());
    init.arg("init").arg("--access").arg(access).arg("--secrets").arg(&secrets);
    assert!(init.output().unwrap().status.success());
    let conf = std::fs::read_to_string(secrets.join("redis/redis.conf")).unwrap();
    for line in conf.lines().filter(|line| !line.starts_with("user default ")) {
        let line = line.replace("{capstan}", &format!("{{{namespace}}}"));
        let rules: Vec<&str> = line.split_whitespace().skip(1).collect();
        let answer = redis.command(&[&["acl", "setuser"], &rules[..]].concat());
        assert_eq!(answer, "OK", "{line}");
    }
    let urls = ["api", "scheduler", "worker"].map(|user| {
        let password = std::fs::read_to_string(secrets.join(user).join("redis-password")).unwrap();
        redis.url().replace("redis://", &format!("redis://{user}:{password}@"))
    });
    std::fs::remove_dir_all(directory).unwrap();
    urls
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_works_with_its_own_user_which_may_do_no_more() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let namespace = env.store_config().namespace.clone();
    let [api, scheduler, worker] = add_users(&redis, &namespace);
    let flag = |url: &str| format!("--redis-url={url}");
    let services = [env.scheduler_with(&[&flag(&scheduler)]), env.worker_with(&[&flag(&worker)])];
    let api = Store::new(&StoreConfig::new(&api, &namespace)).unwrap();
    api.submit(&jobs(20, "noop", "")).await.unwrap();
    env.until_done(20).await;
    let (failing, mut endless) = (job("false", ""), job("sleep", ""));
    endless.spec.parameters = json!({"seconds": 1000}).as_object().cloned();
    api.submit(&[failing.clone(), endless.clone()]).await.unwrap();
    env.finished(failing.id).await;
    let runs = async || env.job(endless.id).await.status == Status::Running;
    env.eventually("the other one runs", runs).await;
    api.delete(endless.id).await.unwrap();
    env.finished(endless.id).await;
    let refused = redis.command(&["acl", "log"]);
    assert_eq!(refused, "", "commands or keys that a service needs were refused");

    let key = |name: &str| format!("{{{namespace}}}:{name}");
    let (audit, actions) = (key("audit"), key("actions"));
    let attempts: [&[&str]; 8] = [
        &["flushall"],
        &["acl", "list"],
        &["config", "set", "maxmemory", "1"],
        &["keys", "*"],
        &["scan", "0"],
        &["get", "{other}:actions"],
        &["xlen", &audit],
        &["eval", "return redis.call('XLEN', KEYS[1])", "1", &audit],
    ];
    for user in [&scheduler, &worker] {
        for attempt in attempts {
            let answer = redis.command_as(user, attempt);
            assert!(answer.contains("NOPERM") || answer.contains("ACL failure"), "{answer}");
        }
        assert!(!redis.command_as(user, &["exists", &actions]).contains("NOPERM"));
    }
    for service in services {
        service.stop().await;
    }
    env.close().await;
}
