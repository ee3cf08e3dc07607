//! What the scans found, layer by layer, against what other programs say of the same things:
//! `sha256sum` of the blobs, `dpkg-query` of the packages. Run as jobs too, so that they see the
//! workers' disk. Also shows a scan's log.

use std::fmt::Write;

use serde_json::json;
use shared::job::JobId;

use super::registry::{Images, Layer};
use super::{Part, Stage, short};
use crate::failure::Failure;
use crate::out;
use crate::wire::Job;

const TITLE: &str =
    "What was found in each layer; sha256sum and dpkg-query, run on the workers, say the same";
/// What the feed in examples/registry says of the packages.
const VULNERABLE: [(&str, &str); 2] =
    [("hostname", "EXAMPLE-2026-0001"), ("ncurses-base", "EXAMPLE-2026-0003")];

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>, images: &Images) -> Result<Part, Failure> {
    let mut part = Part::of(TITLE);
    let mut rows = Vec::new();
    let truths = truths(stage, images).await?;
    for (layer, truth) in images.layers.iter().zip(&truths) {
        let scan = images.scans.iter().find(|scan| scan.parameters["SHA256SUM"] == layer.digest);
        let Some(scan) = scan else {
            part.wrong.push(format!("layer {} was not scanned", layer.digest));
            continue;
        };
        let log = stage.log(scan.id).await?;
        judge(&mut part, layer, (scan, &log), truth);
        rows.push(row(layer, scan, part.wrong.is_empty()));
    }
    part.jobs = 2 * truths.len();
    part.table = out::table(
        &["LAYER", "PACKAGE", "VERSION", "BYTES", "VULNERABLE", "SCANNED BY", "CHECKED"],
        rows,
    );
    if let Some(scan) = images.scans.iter().find(|scan| !ids(scan).is_empty()) {
        let _ = write!(part.table, "\n\nThe log of {} {}:", scan.action, scan.id);
        for line in stage.log(scan.id).await? {
            let _ = write!(part.table, "\n  | {line}");
        }
    }
    Ok(part)
}

/// What other programs say of a layer.
struct Truth {
    digest: String,
    package: String,
}

async fn truths(stage: &Stage<'_>, images: &Images) -> Result<Vec<Truth>, Failure> {
    let mut ids: Vec<JobId> = Vec::new();
    for layer in &images.layers {
        let file = format!("{}/{}", images.blobs, layer.digest);
        for (action, name, value) in
            [("sha256", "file", &file), ("dpkg_query", "package", &layer.package)]
        {
            let job = json!({"action": action, "parameters": {name: value}});
            ids.push(stage.submit(&job).await?.id);
        }
    }
    let mut said = Vec::new();
    for job in stage.over(&ids).await? {
        said.push(stage.log(job.id).await?.join("\n"));
    }
    let truths = said.chunks_exact(2).map(|pair| Truth {
        digest: pair[0].split("  ").next().unwrap_or_default().to_owned(),
        package: pair[1].clone(),
    });
    Ok(truths.collect())
}

fn judge(part: &mut Part, layer: &Layer, (scan, log): (&Job, &[String]), truth: &Truth) {
    let Layer { digest, package, version, .. } = layer;
    part.must_be_done(scan);
    part.must(scan.result["SHA256SUM"] == truth.digest, || {
        format!("sha256sum says {:?} of layer {digest}", truth.digest)
    });
    let line = format!("{package} {version}");
    part.must(truth.package == line, || format!("dpkg says {:?}, not {line:?}", truth.package));
    part.must(log.contains(&line), || format!("the scan of {package} says {log:?}"));
    let expected = VULNERABLE.iter().find(|(name, _)| name == package).map(|(_, id)| *id);
    let found = ids(scan);
    part.must(found == Vec::from_iter(expected), || {
        format!("the scan of {package} {version} found {found:?}, not {expected:?}")
    });
}

/// The vulnerabilities that a scan found.
fn ids(scan: &Job) -> Vec<&str> {
    let found = scan.result["vulnerabilities"].as_array();
    found.into_iter().flatten().filter_map(|one| one["id"].as_str()).collect()
}

fn row(layer: &Layer, scan: &Job, right: bool) -> Vec<String> {
    vec![
        short(&layer.digest),
        layer.package.clone(),
        layer.version.clone(),
        layer.size.to_string(),
        ids(scan).join(","),
        scan.worker_id.clone(),
        if right { "right" } else { "wrong" }.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::Value;

    fn scan(digest: &str, vulnerabilities: &Value) -> Job {
        let result = json!({"SHA256SUM": digest, "vulnerabilities": vulnerabilities});
        let document = json!({
            "id": JobId::random(), "action": "scan_check_single", "status": "done",
            "scheduledAt": "2026-11-20T16:30:00Z", "result": result,
        });
        serde_json::from_value(document).unwrap()
    }

    fn judged(scan: &Job, log: &str, digest: &str, package: &str) -> Vec<String> {
        let text = |text: &str| text.to_owned();
        let (package_of, version) = (text("hostname"), text("3.23"));
        let layer = Layer { digest: text("aa"), size: 1, package: package_of, version };
        let truth = Truth { digest: text(digest), package: text(package) };
        let mut part = Part::default();
        judge(&mut part, &layer, (scan, &[text(log)]), &truth);
        part.wrong
    }

    #[test]
    fn a_scan_that_differs_from_what_others_say_is_wrong() {
        let found = json!([{"id": "EXAMPLE-2026-0001"}]);
        let good = judged(&scan("aa", &found), "hostname 3.23", "aa", "hostname 3.23");
        assert_eq!(good, Vec::<String>::new());
        let bad = judged(&scan("aa", &json!([])), "hostname 3.22", "bb", "hostname 3.24");
        expect![[r#"
            sha256sum says "bb" of layer aa
            dpkg says "hostname 3.24", not "hostname 3.23"
            the scan of hostname says ["hostname 3.22"]
            the scan of hostname 3.23 found [], not Some("EXAMPLE-2026-0001")"#]]
        .assert_eq(&bad.join("\n"));
    }
}
