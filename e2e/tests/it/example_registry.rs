//! The jobs of `examples/registry`, run unchanged on images of tiny packages that the test pushes.

use std::path::{Path, PathBuf};
use std::process::Command;

use domain::job::{Job, JobId, Status};
use e2e::StartServices;
use serde_json::{Value, json};
use store::JobFilter;
use testkit::{ActionsFile, Service, TestEnv, assert_consistent, job, with_parameters};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The data folder of a registry. Dropping it deletes the folder.
struct Registry(PathBuf);

impl Registry {
    fn new() -> Registry {
        let folder = std::env::temp_dir().join(format!("registry-{}", JobId::random()));
        std::fs::create_dir_all(folder.join("feed")).unwrap();
        Registry(folder)
    }

    /// The actions of the example, with this data folder.
    fn actions(&self) -> ActionsFile {
        let text = std::fs::read_to_string(format!("{ROOT}/examples/registry/actions.toml"));
        let folder = self.0.to_string_lossy();
        let text = text.unwrap().replace("examples/registry/data", &folder);
        let text = text.replace("examples/registry/feed", &format!("{folder}/feed"));
        ActionsFile::new(&text.replace("examples/registry/", &format!("{ROOT}/examples/registry/")))
    }

    /// Builds a Debian package with one file.
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
        run_command(Command::new("dpkg-deb").arg("--build").arg(&tree).arg(&package));
        package
    }

    /// Publishes a vulnerability database with its digest.
    fn publish_database(&self, database: &Value) {
        std::fs::write(self.0.join("feed/vulnerabilities.json"), database.to_string()).unwrap();
        self.write_digest();
    }

    fn write_digest(&self) {
        let line = "sha256sum vulnerabilities.json >vulnerabilities.json.sha256";
        run_command(Command::new("sh").args(["-c", line]).current_dir(self.0.join("feed")));
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

fn run_command(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A scheduler and two workers with the actions of the registry.
struct Fleet {
    env: TestEnv,
    services: Vec<Service>,
    _actions: ActionsFile,
}

impl Fleet {
    async fn new(registry: &Registry) -> Fleet {
        let (env, actions) = (TestEnv::new().await, registry.actions());
        let flags = ["--capacity=scan=1,scanCheck=1", &actions.flag()];
        let workers = [env.worker_with(&flags), env.worker_with(&flags)];
        let services = workers.into_iter().chain([env.scheduler()]).collect();
        Fleet { env, services, _actions: actions }
    }

    async fn run(&self, action: &str, need: &str, parameters: &Value) -> Job {
        let new = with_parameters(job(action, need), parameters);
        self.env.store().submit(std::slice::from_ref(&new)).await.unwrap();
        self.env.finished(new.id).await
    }

    /// Runs a job that must succeed. Returns its id and its result.
    async fn done(&self, action: &str, need: &str, parameters: &Value) -> (JobId, Value) {
        let job = self.run(action, need, parameters).await;
        assert_eq!(job.status, Status::Done, "{:?}\n{}", job.exception, self.log(job.id).await);
        (job.id, job.result.unwrap())
    }

    /// Pushes an image with one layer per package.
    async fn push(&self, image: &str, packages: &[&Path]) -> Value {
        self.done("push", "", &json!({"image": image, "packages": packages})).await.1
    }

    async fn log(&self, id: JobId) -> String {
        let lines = self.env.store().log_lines(id, 0, 1000).await.unwrap();
        lines.into_iter().map(|line| line.text + "\n").collect()
    }

    async fn children(&self, id: JobId) -> Vec<Job> {
        let filter = JobFilter { parent: Some(id), ..JobFilter::default() };
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
async fn the_scan_of_an_image_scans_each_layer_in_a_child_job() {
    let registry = Registry::new();
    let old = registry.package("tar", "1.34-1~bpo1");
    let new = registry.package("tar", "1.34-1");
    let other = registry.package("hostname", "3.23");
    let fixed = json!([{"id": "CVE-1", "package": "tar", "fixed": "1.34-1"}]);
    registry.publish_database(&json!({"version": 1, "vulnerabilities": fixed}));
    let fleet = Fleet::new(&registry).await;
    let pushed = fleet.push("base:1", &[&old, &other]).await;
    assert_eq!(pushed["layers"][0]["package"], "tar");
    assert_eq!(pushed["layers"][0]["version"], "1.34-1~bpo1");
    fleet.push("base:2", &[&new, &other]).await;

    let (_, updated) = fleet.done("update_vuln_db", "", &json!({})).await;
    assert_eq!(updated, json!({"version": 1, "updated": true}));
    let (first, image) = fleet.done("scan_check", "scanCheck=1", &json!({"image": "base:1"})).await;
    let layers: Vec<&str> =
        image["layers"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    let children = fleet.children(first).await;
    assert_eq!(children.len(), 2);
    for (child, layer) in children.iter().zip(layers) {
        assert_eq!((child.spec.action.as_str(), child.status), ("scan_check_single", Status::Done));
        assert_eq!(child.class.as_str(), "scan=1", "the capacity of its action");
        let result = child.result.as_ref().unwrap();
        assert_eq!((&result["SHA256SUM"], &result["components"]), (&json!(layer), &json!(1)));
    }
    let vulnerable = |job: &Job| job.result.as_ref().unwrap()["vulnerabilities"].clone();
    let found =
        json!([{"id": "CVE-1", "package": "tar", "version": "1.34-1~bpo1", "fixed": "1.34-1"}]);
    assert_eq!((vulnerable(&children[0]), vulnerable(&children[1])), (found, json!([])));
    let (second, _) = fleet.done("scan_check", "scanCheck=1", &json!({"image": "base:2"})).await;
    assert!(fleet.children(second).await.iter().all(|child| vulnerable(child) == json!([])));

    // Scans all images again: its children have children.
    let (all, images) = fleet.done("scan_check_all", "scanCheck=1", &json!({})).await;
    assert_eq!(images, json!({"images": ["base:1", "base:2"]}));
    for scan in fleet.children(all).await {
        assert_eq!((scan.status, fleet.children(scan.id).await.len()), (Status::Done, 2));
    }

    // A damaged layer fails its own scan and the scan of the image.
    let damaged = registry.0.join("layout/blobs/sha256").join(image["layers"][1].as_str().unwrap());
    std::fs::write(damaged, "damaged").unwrap();
    let mut scan = with_parameters(job("scan_check", "scanCheck=1"), &json!({"image": "base:1"}));
    scan.spec.priority = "high".parse().unwrap();
    fleet.env.store().submit(std::slice::from_ref(&scan)).await.unwrap();
    let failed = fleet.env.finished(scan.id).await;
    assert_eq!(failed.exception.unwrap().kind, "ChildrenFailed");
    let single = fleet.children(scan.id).await.remove(1);
    assert!(fleet.log(single.id).await.contains("it is damaged"));
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_installed_packages_is_reproducible() {
    let registry = Registry::new();
    let fleet = Fleet::new(&registry).await;
    let installed = json!({"image": "base:1", "packages": ["hostname", "sed"]});
    let first = fleet.done("push", "", &installed).await.1;
    assert_eq!(first["layers"][1]["package"], "sed");
    assert_eq!(fleet.done("push", "", &installed).await.1, first);
    let unknown = json!({"image": "base:1", "packages": ["no-such-package"]});
    assert_eq!(fleet.run("push", "", &unknown).await.status, Status::Error);
    // A scan that is slowed down has the same result.
    registry.publish_database(&json!({"version": 1, "vulnerabilities": []}));
    fleet.done("update_vuln_db", "", &json!({})).await;
    let slow = json!({"image": "base:1", "seconds": 0.5});
    let (scan, _) = fleet.done("scan_check", "scanCheck=1", &slow).await;
    for child in fleet.children(scan).await {
        assert_eq!(child.result.unwrap()["components"], 1);
    }
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_garbage_collection_and_updates_keep_a_registry_in_order() {
    let registry = Registry::new();
    let (one, two) = (registry.package("one", "1"), registry.package("two", "1"));
    let fleet = Fleet::new(&registry).await;
    fleet.push("base:1", &[&one, &two]).await;
    fleet.push("base:1", &[&two]).await;

    let links = fleet.done("bloblinkmigration", "", &json!({})).await.1;
    let tags = fleet.done("tagmigration", "", &json!({})).await.1;
    assert_eq!((links, tags), (json!({"links": 2}), json!({"tags": 1})));

    // Garbage: the first manifest, its configuration, and the layer that only it used.
    assert_eq!(registry.blobs().len(), 6);
    let (_, young) = fleet.done("gc", "", &json!({})).await;
    assert_eq!(
        (&young["deleted"], registry.blobs().len()),
        (&json!(0), 6),
        "young blobs may belong to a push"
    );
    let now = json!({"min_age_seconds": 0});
    let (_, dry) = fleet.done("gc", "", &json!({"min_age_seconds": 0, "dry_run": true})).await;
    assert_eq!((&dry["deleted"], registry.blobs().len()), (&json!(3), 6));
    assert_eq!(fleet.done("gc", "", &now).await.1["deleted"], 3);
    assert_eq!(registry.blobs().len(), 3);
    assert_eq!(fleet.done("gc", "", &now).await.1["deleted"], 0);

    // A damaged or older database changes nothing.
    let database = |version: u32| json!({"version": version, "vulnerabilities": []});
    registry.publish_database(&database(2));
    let update = async || fleet.run("update_vuln_db", "", &json!({})).await;
    assert_eq!(update().await.result, Some(json!({"version": 2, "updated": true})));
    assert_eq!(update().await.result, Some(json!({"version": 2, "updated": false})));
    registry.publish_database(&database(1));
    assert_eq!(update().await.status, Status::Error);
    registry.publish_database(&database(3));
    std::fs::write(registry.0.join("feed/vulnerabilities.json"), database(4).to_string()).unwrap();
    assert_eq!(update().await.status, Status::Error);
    let kept = std::fs::read_to_string(registry.0.join("vulnerabilities.json")).unwrap();
    assert_eq!(kept, database(2).to_string());

    std::fs::write(registry.0.join("feed/license"), "example 2099-12-31\n").unwrap();
    let line = "sha256sum license >license.sha256";
    run_command(Command::new("sh").args(["-c", line]).current_dir(registry.0.join("feed")));
    for extended in [true, false] {
        let license = fleet.done("license_update", "", &json!({})).await.1;
        assert_eq!(license, json!({"expires": "2099-12-31", "extended": extended}));
    }
    fleet.close().await;
}
