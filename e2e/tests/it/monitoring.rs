//! The metrics that services expose are those of the table in the documents, and the boards and
//! alert rules use only these. Each rule has a section in the runbook.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::StartServices;
use testkit::{TestEnv, jobs};
use tokio::process::Command;

use crate::docs::program;
use crate::status::free_address;

/// The top folder of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("capstan_")).map(str::to_owned).collect()
}

/// Reads the metrics at these addresses: those that have a value, as they are named in queries, and
/// all, as they are named in the documents. A histogram is one metric there.
async fn exposed(addresses: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut samples, mut documented) = (BTreeSet::new(), BTreeSet::new());
    for address in addresses {
        let url = format!("http://{address}/metrics");
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", "TYPE", name, "counter"] => documented.insert(format!("{name}_total")),
                ["#", "TYPE", name, _] => documented.insert(name.to_owned()),
                ["#", ..] => false,
                _ => samples.insert(words[0].split('{').next().unwrap().to_owned()),
            };
        }
    }
    (samples, documented)
}

/// Starts each service, lets jobs end in both ways, and reads the metrics of all.
async fn metrics_of_a_fleet() -> (BTreeSet<String>, BTreeSet<String>) {
    let env = TestEnv::new().await;
    let [scheduler_at, worker_at, api_at] = [free_address(), free_address(), free_address()];
    let scheduler = env.scheduler_with(&[&format!("--admin-listen={scheduler_at}")]);
    let worker = env.worker_with(&[&format!("--admin-listen={worker_at}")]);
    let config = env.store_config();
    let mut api = Command::new(program("capstan-api"));
    api.args(["--redis-url", &config.redis_url, "--namespace", &config.namespace]);
    let listen = free_address();
    api.args(["--listen", &listen, "--admin-listen", &api_at, "--log", "error"]);
    let mut api = api.kill_on_drop(true).spawn().unwrap();
    env.store().submit(&jobs(1, "noop", "")).await.unwrap();
    env.until_done(1).await;
    // The gauges are set soon after the start, and requests are counted when they are answered.
    let measured = async || {
        let asked = reqwest::get(format!("http://{listen}/api/v0/status")).await;
        match reqwest::get(format!("http://{api_at}/metrics")).await {
            Ok(answer) => {
                asked.is_ok() && answer.text().await.unwrap().contains("capstan_workers{")
            }
            Err(_) => false,
        }
    };
    env.eventually("the API has measured the fleet", measured).await;
    let found = exposed(&[&scheduler_at, &worker_at, &api_at]).await;
    api.kill().await.unwrap();
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_and_rules_use_metrics_that_exist_and_the_table_lists_all() {
    let (samples, exposed) = metrics_of_a_fleet().await;
    let page = read("docs/metrics.md");
    let documented = names(&page);
    let missing: Vec<_> = exposed.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
    let gone: Vec<_> = documented.difference(&exposed).collect();
    assert!(gone.is_empty(), "only in docs/metrics.md: {gone:?}");
    for file in ["alerts.yaml", "fleet.json", "jobs.json"] {
        let used = names(&read(&format!("deploy/monitoring/{file}")));
        assert!(used.len() >= 10, "{file}: {used:?}");
        let is_unknown = |name: &&String| {
            let histogram = name.strip_suffix("_bucket").is_some_and(|name| exposed.contains(name));
            !(exposed.contains(*name) || samples.contains(*name) || histogram)
        };
        let unknown: Vec<_> = used.iter().filter(is_unknown).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn each_alert_rule_has_a_section_in_the_runbook_and_a_test() {
    let (rules, tests) =
        (read("deploy/monitoring/alerts.yaml"), read("deploy/monitoring/alerts_test.yaml"));
    let named = |text: &str, mark: &str| {
        let found = text.lines().filter_map(|line| line.trim().strip_prefix(mark));
        found.map(|name| name.trim().to_owned()).collect::<BTreeSet<String>>()
    };
    let alerts = named(&rules, "- alert:");
    assert_eq!(alerts.len(), 10);
    assert_eq!(alerts, named(&read("docs/runbook.md"), "## "), "sections of docs/runbook.md");
    assert_eq!(alerts, named(&tests, "- alertname:"), "tests in alerts_test.yaml");
    for alert in alerts {
        let link = format!("runbook: docs/runbook.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not link to its section");
    }
}
