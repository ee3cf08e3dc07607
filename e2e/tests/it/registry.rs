//! The registry of examples/registry: its jobs as they stand there, on images that are pushed here, of tiny packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use domain::job::{Job, JobId, Status};
use e2e::{Service, StartServices, TestEnv, assert_consistent, job};
use serde_json::{Value, json};
use store::Filter;

use crate::world::{Actions, ended, with};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A registry's folder, removed when it is dropped.
struct Registry(PathBuf);

impl Registry {
    fn new() -> Registry {
        let folder = std::env::temp_dir().join(format!("registry-{}", JobId::random()));
        std::fs::create_dir_all(folder.join("feed")).unwrap();
        Registry(folder)
    }

    /// Its own actions, with this folder instead of theirs.
    fn actions(&self) -> Actions {
        let text = std::fs::read_to_string(format!("{ROOT}/examples/registry/actions.toml"));
        let folder = self.0.to_string_lossy();
        let text = text.unwrap().replace("examples/registry/data", &folder);
        let text = text.replace("examples/registry/feed", &format!("{folder}/feed"));
        Actions::new(&text.replace("examples/registry/", &format!("{ROOT}/examples/registry/")))
    }

    /// A Debian package with one file.
    fn package(&self, name: &str, version: &str) -> PathBuf {
        let tree = self.0.join(format!("{name}-{version}"));
        std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\n\
             Description: none\n"
        );
        std::fs::write(tree.join("DEBIAN/control"), control).unwrap();
        std::fs::write(tree.join("file"), format!("of {name}")).unwrap();
        let package = self.0.join(format!("{name}_{version}.deb"));
        succeeds(Command::new("dpkg-deb").arg("--build").arg(&tree).arg(&package));
        package
    }

    /// Offers a database with its digest.
    fn offer(&self, database: &Value) {
        std::fs::write(self.0.join("feed/vulnerabilities.json"), database.to_string()).unwrap();
        self.sign();
    }

    fn sign(&self) {
        let line = "sha256sum vulnerabilities.json >vulnerabilities.json.sha256";
        succeeds(Command::new("sh").args(["-c", line]).current_dir(self.0.join("feed")));
    }

    fn blobs(&self) -> Vec<PathBuf> {
        let blobs = std::fs::read_dir(self.0.join("layout/blobs/sha256")).unwrap();
        blobs.map(|blob| blob.unwrap().path()).collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A env with a scheduler and two workers that know the registry's actions.
struct World {
    env: TestEnv,
    services: Vec<Service>,
    _actions: Actions,
}

impl World {
    async fn of(registry: &Registry) -> World {
        let (env, actions) = (TestEnv::new().await, registry.actions());
        let flags = ["--capacity=scan=1,scanCheck=1", &actions.flag()];
        let workers = [env.worker_with(&flags), env.worker_with(&flags)];
        let services = workers.into_iter().chain([env.scheduler()]).collect();
        World { env, services, _actions: actions }
    }

    async fn run(&self, action: &str, need: &str, parameters: &Value) -> Job {
        let new = with(job(action, need), parameters);
        self.env.store().submit(std::slice::from_ref(&new)).await.unwrap();
        ended(&self.env, new.id).await
    }

    /// What it answers, when it is done.
    async fn done(&self, action: &str, need: &str, parameters: &Value) -> (JobId, Value) {
        let job = self.run(action, need, parameters).await;
        assert_eq!(job.status, Status::Done, "{:?}\n{}", job.exception, self.log(job.id).await);
        (job.id, job.result.unwrap())
    }

    /// Pushes an image of packages.
    async fn push(&self, image: &str, packages: &[&Path]) -> Value {
        self.done("push", "", &json!({"image": image, "packages": packages})).await.1
    }

    async fn log(&self, id: JobId) -> String {
        let lines = self.env.store().log_lines(id, 0, 1000).await.unwrap();
        lines.into_iter().map(|line| line.text + "\n").collect()
    }

    async fn children(&self, id: JobId) -> Vec<Job> {
        let filter = Filter { parent: Some(id), ..Filter::default() };
        let mut jobs = self.env.store().jobs(&filter, 0, 100).await.unwrap().jobs;
        jobs.sort_by_key(|job| job.number);
        jobs
    }

    async fn close(self) {
        assert_consistent(self.env.store()).await;
        for service in self.services {
            service.stop().await;
        }
        self.env.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_scanned_layer_by_layer_by_children_of_its_scan() {
    let registry = Registry::new();
    let old = registry.package("tar", "1.34-1~bpo1");
    let new = registry.package("tar", "1.34-1");
    let other = registry.package("hostname", "3.23");
    let fixed = json!([{"id": "CVE-1", "package": "tar", "fixed": "1.34-1"}]);
    registry.offer(&json!({"version": 1, "vulnerabilities": fixed}));
    let world = World::of(&registry).await;
    let pushed = world.push("base:1", &[&old, &other]).await;
    assert_eq!(pushed["layers"][0]["package"], "tar");
    assert_eq!(pushed["layers"][0]["version"], "1.34-1~bpo1");
    world.push("base:2", &[&new, &other]).await;

    let (_, updated) = world.done("update_vuln_db", "", &json!({})).await;
    assert_eq!(updated, json!({"version": 1, "updated": true}));
    let (first, image) = world.done("scan_check", "scanCheck=1", &json!({"image": "base:1"})).await;
    let layers: Vec<&str> =
        image["layers"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    let children = world.children(first).await;
    assert_eq!(children.len(), 2);
    for (child, layer) in children.iter().zip(layers) {
        assert_eq!((child.spec.action.as_str(), child.status), ("scan_check_single", Status::Done));
        assert_eq!(child.class.as_str(), "scan=1", "its action's own");
        let result = child.result.as_ref().unwrap();
        assert_eq!((&result["SHA256SUM"], &result["components"]), (&json!(layer), &json!(1)));
    }
    let vulnerable = |job: &Job| job.result.as_ref().unwrap()["vulnerabilities"].clone();
    let found =
        json!([{"id": "CVE-1", "package": "tar", "version": "1.34-1~bpo1", "fixed": "1.34-1"}]);
    assert_eq!((vulnerable(&children[0]), vulnerable(&children[1])), (found, json!([])));
    let (second, _) = world.done("scan_check", "scanCheck=1", &json!({"image": "base:2"})).await;
    assert!(world.children(second).await.iter().all(|child| vulnerable(child) == json!([])));

    // All that were scanned, once more: children that have children.
    let (all, images) = world.done("scan_check_all", "scanCheck=1", &json!({})).await;
    assert_eq!(images, json!({"images": ["base:1", "base:2"]}));
    for scan in world.children(all).await {
        assert_eq!((scan.status, world.children(scan.id).await.len()), (Status::Done, 2));
    }

    // A damaged layer fails its own scan, and with it the image's.
    let damaged = registry.0.join("layout/blobs/sha256").join(image["layers"][1].as_str().unwrap());
    std::fs::write(damaged, "not what it was").unwrap();
    let mut scan = with(job("scan_check", "scanCheck=1"), &json!({"image": "base:1"}));
    scan.spec.priority = "high".parse().unwrap();
    world.env.store().submit(std::slice::from_ref(&scan)).await.unwrap();
    let failed = ended(&world.env, scan.id).await;
    assert_eq!(failed.exception.unwrap().kind, "ChildrenFailed");
    let single = world.children(scan.id).await.remove(1);
    assert!(world.log(single.id).await.contains("it is damaged"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_made_of_what_is_installed_and_the_same_each_time() {
    let registry = Registry::new();
    let world = World::of(&registry).await;
    let installed = json!({"image": "base:1", "packages": ["hostname", "sed"]});
    let first = world.done("push", "", &installed).await.1;
    assert_eq!(first["layers"][1]["package"], "sed");
    assert_eq!(world.done("push", "", &installed).await.1, first);
    let unknown = json!({"image": "base:1", "packages": ["no-such-package"]});
    assert_eq!(world.run("push", "", &unknown).await.status, Status::Error);
    // One that takes its time is the same scan.
    registry.offer(&json!({"version": 1, "vulnerabilities": []}));
    world.done("update_vuln_db", "", &json!({})).await;
    let slowly = json!({"image": "base:1", "seconds": 0.5});
    let (scan, _) = world.done("scan_check", "scanCheck=1", &slowly).await;
    for child in world.children(scan).await {
        assert!(child.finished_at.unwrap().ms() - child.started_at.unwrap().ms() >= 500);
        assert_eq!(child.result.unwrap()["components"], 1);
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_kept_in_order() {
    let registry = Registry::new();
    let (one, two) = (registry.package("one", "1"), registry.package("two", "1"));
    let world = World::of(&registry).await;
    world.push("base:1", &[&one, &two]).await;
    world.push("base:1", &[&two]).await;

    let links = world.done("bloblinkmigration", "", &json!({})).await.1;
    let tags = world.done("tagmigration", "", &json!({})).await.1;
    assert_eq!((links, tags), (json!({"links": 2}), json!({"tags": 1})));

    // The first manifest with its configuration, and the layer that only it had.
    assert_eq!(registry.blobs().len(), 6);
    let (_, young) = world.done("gc", "", &json!({})).await;
    assert_eq!(
        (&young["deleted"], registry.blobs().len()),
        (&json!(0), 6),
        "they are being pushed"
    );
    let now = json!({"min_age_seconds": 0});
    let (_, dry) = world.done("gc", "", &json!({"min_age_seconds": 0, "dry_run": true})).await;
    assert_eq!((&dry["deleted"], registry.blobs().len()), (&json!(3), 6));
    assert_eq!(world.done("gc", "", &now).await.1["deleted"], 3);
    assert_eq!(registry.blobs().len(), 3);
    assert_eq!(world.done("gc", "", &now).await.1["deleted"], 0);

    // A database that is damaged, or older, changes nothing.
    let database = |version: u32| json!({"version": version, "vulnerabilities": []});
    registry.offer(&database(2));
    let update = async || world.run("update_vuln_db", "", &json!({})).await;
    assert_eq!(update().await.result, Some(json!({"version": 2, "updated": true})));
    assert_eq!(update().await.result, Some(json!({"version": 2, "updated": false})));
    registry.offer(&database(1));
    assert_eq!(update().await.status, Status::Error);
    registry.offer(&database(3));
    std::fs::write(registry.0.join("feed/vulnerabilities.json"), database(4).to_string()).unwrap();
    assert_eq!(update().await.status, Status::Error);
    let kept = std::fs::read_to_string(registry.0.join("vulnerabilities.json")).unwrap();
    assert_eq!(kept, database(2).to_string());

    std::fs::write(registry.0.join("feed/license"), "example 2099-12-31\n").unwrap();
    let line = "sha256sum license >license.sha256";
    succeeds(Command::new("sh").args(["-c", line]).current_dir(registry.0.join("feed")));
    for extended in [true, false] {
        let license = world.done("license_update", "", &json!({})).await.1;
        assert_eq!(license, json!({"expires": "2099-12-31", "extended": extended}));
    }
    world.close().await;
}
