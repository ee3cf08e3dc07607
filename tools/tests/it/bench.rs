//! `capstan bench` on a fleet of real processes: every number is there. None is judged.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use store::WorkerStatus;
use testkit::TestEnv;
use tokio::process::Command;

/// The programs that the fleet consists of, beside the bench.
const PROGRAMS: [&str; 4] = ["capstan", "capstan-scheduler", "capstan-worker", "capstan-api"];

/// Runs a program against a fleet of its own. Returns what it printed.
async fn with_fleet(env: &TestEnv, command: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_capstan-bench")).parent().unwrap();
    for program in PROGRAMS {
        let built = folder.join(program).exists();
        assert!(built, "{program} is not built: run `cargo build --workspace --bins`");
    }
    let mut up = Command::new("timeout");
    up.arg("90").arg(folder.join("capstan")).stdin(Stdio::null()).kill_on_drop(true);
    up.env("CAPSTAN_NAMESPACE", &env.store_config().namespace).env("CAPSTAN_LOG", "warn");
    up.args(["up", "--listen", "127.0.0.1:0", "--grace", "1s", "--capacity", "default=64"]);
    up.args(["--redis", &env.store_config().redis_url]);
    up.args(["--amqp", &env.broker_config().amqp_url]);
    let work = file(env, "work");
    std::fs::create_dir_all(&work).unwrap();
    let output = up.current_dir(&work).arg("--").args(command).output().await.unwrap();
    std::fs::remove_dir_all(&work).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// A file of this test in the folder of temporary files.
fn file(env: &TestEnv, name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("{}-{name}", env.store_config().namespace))
}

#[tokio::test]
async fn every_phase_is_measured_with_its_costs_and_the_floor_beside_it() {
    let env = TestEnv::new().await;
    let picture = file(&env, "bench.svg");
    let bench = ["capstan", "bench", "--jobs", "200", "--rounds", "1", "--seconds", "1", "--json"];
    let command = [&bench[..], &["--svg", picture.to_str().unwrap()]].concat();
    let report: Value = serde_json::from_str(&with_fleet(&env, &command).await).unwrap();

    let phases = report["phases"].as_array().unwrap();
    let names: Vec<&Value> = phases.iter().map(|phase| &phase["phase"]).collect();
    assert_eq!(names, ["submit", "drain", "liveBatches", "liveSingle"]);
    for phase in phases {
        for measured in [&phase["fleet"], &phase["floor"]] {
            assert!(measured["jobsPerSecond"].as_f64() > Some(0.0), "{phase}");
            assert!(measured["costs"]["redis"]["commandsPerJob"].as_f64() > Some(0.0), "{phase}");
            let cpu = &measured["costs"]["cpuUsPerJob"];
            for program in ["redis-server", "beam.smp", "bench"] {
                assert!(cpu[program].is_number(), "{program}: {phase}");
            }
        }
        assert_eq!(phase["fleet"]["failed"], 0);
        let costs = &phase["fleet"]["costs"];
        for program in ["scheduler", "worker", "api"] {
            assert!(costs["cpuUsPerJob"][program].is_number(), "{program}: {phase}");
        }
        assert!(costs["redis"]["scriptCallsPerJob"].as_f64() > Some(0.0), "{phase}");
        assert!(costs["redis"]["appendOnlyBytesPerJob"].as_f64() > Some(0.0), "{phase}");
        assert!(costs["offers"]["messagesPerJob"].is_number(), "{phase}");
    }
    let live = &phases[2]["fleet"]["costs"]["offers"];
    assert!(live["messagesPerJob"].as_f64() > Some(0.0), "{live}");
    assert!(live["deliveriesPerJob"].as_f64() > Some(0.0), "{live}");
    assert!(live["jobsPerOffer"].as_f64() >= Some(1.0), "{live}");
    assert_eq!(report["processes"]["missing"], Value::Array(Vec::new()));
    for times in [&report["pickup"], &report["pickup"]["floor"]] {
        assert!(times["submitToStart"]["p50Us"].as_i64() > Some(0), "{times}");
    }

    let svg = std::fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    std::fs::remove_file(&picture).unwrap();
    env.close().await;
}

#[tokio::test]
async fn every_case_of_scale_is_measured_with_simulated_workers() {
    let env = TestEnv::new().await;
    let scale = ["capstan", "bench", "scale", "--jobs", "40", "--kept", "100,200"];
    let command = [&scale[..], &["--workers", "1,3", "--queues", "1,20", "--json"]].concat();
    let report: Value = serde_json::from_str(&with_fleet(&env, &command).await).unwrap();

    let rows = report["rows"].as_array().unwrap();
    let cases = |dimension: &str| {
        let found = rows.iter().filter(|row| row["dimension"] == dimension);
        found.map(|row| row["value"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(cases("keptJobs"), ["100", "200"]);
    assert_eq!(cases("workers"), ["1", "3"]);
    assert_eq!(cases("queues"), ["1", "20"]);
    assert_eq!(cases("fairnessGroups"), ["1", "100"]);
    assert_eq!(cases("kind").len(), 6);
    for row in rows {
        assert!(row["jobsPerSecond"].as_f64() > Some(0.0), "{row}");
        assert!(row["costs"]["cpuUsPerJob"]["worker"].is_number(), "{row}");
        assert!(row["costs"]["redis"]["commandsPerJob"].as_f64() > Some(1.0), "{row}");
    }
    // The workers of the fleet start jobs again, and the simulated ones have left.
    let workers = env.store().workers().await.unwrap();
    let simulated: Vec<_> = workers.iter().filter(|worker| worker.name == "bench").collect();
    assert_eq!(simulated.len(), 1 + 3);
    assert!(simulated.iter().all(|worker| worker.status == WorkerStatus::Shutdown), "{workers:?}");
    env.close().await;
}
