//! The examples in examples/exec run without changes.

use serde_json::json;

use crate::env::WorkerEnv;

/// The actions file of the examples, with absolute paths.
fn actions(env: &WorkerEnv) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let text = std::fs::read_to_string(format!("{root}/examples/exec/actions.toml")).unwrap();
    let key = env.directory.join("key");
    std::fs::write(&key, "key-of-a-test\n").unwrap();
    text.replace("examples/exec/", &format!("{root}/examples/exec/"))
        .replace("/run/secrets/backup_key", &key.to_string_lossy())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_in_python_and_bash_succeed() {
    let env = WorkerEnv::new().await;
    let worker = env.worker(&actions(&env));

    let job = env.succeed("resize", &json!({"width": 64, "images": ["a.png", "b.png"]})).await;
    assert_eq!(job.result, Some(json!({"resized": 2, "attempt": 1})));
    let finished = json!({"percent": 100.0, "finished": ["a.png", "b.png"]});
    assert_eq!(job.progress, Some(finished));
    let lines = ["stdout: a.png: to 64 pixels", "stdout: b.png: to 64 pixels"];
    assert_eq!(env.log(job.id).await, lines);
    let (kind, _) = env.fail("resize", &json!({"width": "wide"})).await;
    assert_eq!(kind, "ExitCode");

    let directory = env.directory.join("to pack");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("one"), "1").unwrap();
    std::fs::write(directory.join("two"), "2").unwrap();
    let job = env.succeed("backup", &json!({"folder": directory})).await;
    assert_eq!(job.result.unwrap()["files"], 2);
    let progress = json!({"percent": 100.0, "message": "writing down what was packed"});
    assert_eq!(job.progress, Some(progress));
    worker.stop().await;
    env.close().await;
}

#[test]
fn the_protocol_page_contains_the_examples_verbatim() {
    let read = |path: &str| {
        std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let page = read("docs/exec-protocol.md");
    for example in ["examples/exec/resize.py", "examples/exec/backup.sh"] {
        assert!(
            page.contains(read(example).trim_end()),
            "docs/exec-protocol.md differs from {example}"
        );
    }
}
