//! A worker that is killed, as a process: nothing of its jobs is left.

use std::process::Stdio;

use domain::job::Status;
use serde_json::json;

use crate::commands::FAMILY;
use crate::world::{World, entries, processes_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_no_process_and_no_directory() {
    let world = World::new().await;
    let (store, broker) = (world.house.store_config(), world.house.broker_config());
    let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_capstan-worker"))
        .args(world.flags(FAMILY))
        .arg(format!("--redis-url={}", store.redis_url))
        .arg(format!("--namespace={}", store.namespace))
        .arg(format!("--amqp-url={}", broker.amqp_url))
        .arg("--lease=2s")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Of several runs the last one takes the worker's own folder with it.
    let endless = json!({"then": "sleep 1000"});
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.submit("family", &endless).await);
        world.said(ids[ids.len() - 1], 1).await;
    }
    let id = ids[0];
    let reaper = world.said(id, 1).await[0].replace("stdout: ", "/proc/");
    assert!(processes_of(id).len() >= 5, "{:?}", processes_of(id));
    let name = std::fs::read_to_string(format!("{reaper}/comm")).unwrap();
    assert_eq!(name, "capstan-reaper\n");
    assert_eq!(entries(&world.temporary()).len(), 1);

    process.kill().await.unwrap();
    for id in &ids {
        world.no_process_of(*id).await;
    }
    let gone = async || !std::path::Path::new(&reaper).exists();
    world.house.eventually("its reaper is gone", gone).await;
    let none = async || entries(&world.temporary()).is_empty();
    world.house.eventually("the reapers have removed its directories", none).await;

    let next = world.worker(FAMILY);
    for id in ids {
        assert_eq!(world.ended(id).await.status, Status::WorkerDead);
    }
    next.stop().await;
    assert_eq!(entries(&world.temporary()), [""; 0]);
    world.close().await;
}
