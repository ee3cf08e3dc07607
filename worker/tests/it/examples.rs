//! The examples of docs/exec-protocol.md do what it says.

use serde_json::json;

use crate::world::World;

/// The examples' own file, with paths that hold from anywhere.
fn actions(world: &World) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let text = std::fs::read_to_string(format!("{root}/examples/exec/actions.toml")).unwrap();
    let key = world.folder.join("key");
    std::fs::write(&key, "key-of-a-test\n").unwrap();
    text.replace("examples/exec/", &format!("{root}/examples/exec/"))
        .replace("/run/secrets/backup_key", &key.to_string_lossy())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_in_python_and_bash_work_as_they_stand() {
    let world = World::new().await;
    let worker = world.worker(&actions(&world));

    let job = world.done("resize", &json!({"width": 64, "images": ["a.png", "b.png"]})).await;
    assert_eq!(job.result, Some(json!({"resized": 2, "attempt": 1})));
    let finished = json!({"percent": 100.0, "finished": ["a.png", "b.png"]});
    assert_eq!(job.progress, Some(finished));
    let said = ["stdout: a.png: to 64 pixels", "stdout: b.png: to 64 pixels"];
    assert_eq!(world.log(job.id).await, said);
    let (kind, _) = world.failed("resize", &json!({"width": "wide"})).await;
    assert_eq!(kind, "ExitCode");

    let folder = world.folder.join("what to pack");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("one"), "1").unwrap();
    std::fs::write(folder.join("two"), "2").unwrap();
    let job = world.done("backup", &json!({"folder": folder})).await;
    assert_eq!(job.result.unwrap()["files"], 2);
    let progress = json!({"percent": 100.0, "message": "writing down what was packed"});
    assert_eq!(job.progress, Some(progress));
    worker.stop().await;
    world.close().await;
}

#[test]
fn the_page_shows_the_examples_as_they_are() {
    let read = |path: &str| {
        std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let page = read("docs/exec-protocol.md");
    for example in ["examples/exec/resize.py", "examples/exec/backup.sh"] {
        assert!(page.contains(read(example).trim_end()), "the page shows another {example}");
    }
}
