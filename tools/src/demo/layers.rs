//! What the scans found in each layer, compared with the output of `sha256sum` for the blobs and of
//! `dpkg-query` for the packages. Both run as jobs, because the blobs are on the workers' disk.

use std::fmt::Write;

use client::ClientError;
use client::command::table;
use client::wire::Job;
use domain::job::JobId;
use serde_json::json;

use crate::fleet::Fleet;
use crate::job_table::abbreviate;
use crate::registry::{Images, Layer};
use crate::section::Section;

const TITLE: &str = "Findings in each layer, compared with sha256sum and dpkg-query on the workers";
/// The vulnerable packages of the feed in examples/registry.
const VULNERABLE: [(&str, &str); 2] =
    [("hostname", "EXAMPLE-2026-0001"), ("ncurses-base", "EXAMPLE-2026-0003")];

/// What other programs report about a layer.
struct Reference {
    digest: String,
    package: String,
}

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet, images: &Images) -> Result<Section, ClientError> {
    let mut section = Section::new(TITLE);
    let mut rows = Vec::new();
    let references = references(fleet, images).await?;
    for (layer, reference) in images.layers.iter().zip(&references) {
        let scan = images.scans.iter().find(|scan| scan.parameters["SHA256SUM"] == layer.digest);
        let Some(scan) = scan else {
            section.problems.push(format!("layer {} was not scanned", layer.digest));
            continue;
        };
        let log = fleet.log(scan.id).await?;
        let problems = section.problems.len();
        check_scan(&mut section, layer, (scan, &log), reference);
        rows.push(row(layer, scan, section.problems.len() == problems));
    }
    section.jobs = 2 * references.len();
    let header = ["LAYER", "PACKAGE", "VERSION", "BYTES", "VULNERABLE", "SCANNED BY", "CHECK"];
    section.table = table(&header, rows);
    if let Some(scan) = images.scans.iter().find(|scan| !vulnerabilities(scan).is_empty()) {
        let _ = write!(section.table, "\n\nLog of {} {}:", scan.action, scan.id);
        for line in fleet.log(scan.id).await? {
            let _ = write!(section.table, "\n  | {line}");
        }
    }
    Ok(section)
}

async fn references(fleet: &Fleet, images: &Images) -> Result<Vec<Reference>, ClientError> {
    let mut ids: Vec<JobId> = Vec::new();
    for layer in &images.layers {
        let file = format!("{}/{}", images.blobs, layer.digest);
        for (action, name, value) in
            [("sha256", "file", &file), ("dpkg_query", "package", &layer.package)]
        {
            let job = json!({"action": action, "parameters": {name: value}});
            ids.push(fleet.submit(&job).await?.id);
        }
    }
    let mut logs = Vec::new();
    for job in fleet.finished(&ids).await? {
        logs.push(fleet.log(job.id).await?.join("\n"));
    }
    let references = logs.chunks_exact(2).map(|pair| Reference {
        digest: pair[0].split("  ").next().unwrap_or_default().to_owned(),
        package: pair[1].clone(),
    });
    Ok(references.collect())
}

fn check_scan(
    section: &mut Section,
    layer: &Layer,
    (scan, log): (&Job, &[String]),
    reference: &Reference,
) {
    let Layer { digest, package, version, .. } = layer;
    section.check_done(scan);
    section.check(scan.result["SHA256SUM"] == reference.digest, || {
        format!("the digest of layer {digest} is {:?} by sha256sum", reference.digest)
    });
    let line = format!("{package} {version}");
    section.check(reference.package == line, || {
        format!("the package is {:?} by dpkg-query, not {line:?}", reference.package)
    });
    section.check(log.contains(&line), || format!("the log of the scan of {package} is {log:?}"));
    let expected = VULNERABLE.iter().find(|(name, _)| name == package).map(|(_, id)| *id);
    let found = vulnerabilities(scan);
    section.check(found == Vec::from_iter(expected), || {
        format!("the scan of {line} found {found:?}, not {expected:?}")
    });
}

fn vulnerabilities(scan: &Job) -> Vec<&str> {
    let found = scan.result["vulnerabilities"].as_array();
    found.into_iter().flatten().filter_map(|one| one["id"].as_str()).collect()
}

fn row(layer: &Layer, scan: &Job, is_right: bool) -> Vec<String> {
    vec![
        abbreviate(&layer.digest),
        layer.package.clone(),
        layer.version.clone(),
        layer.size.to_string(),
        vulnerabilities(scan).join(","),
        scan.worker_id.clone(),
        if is_right { "ok" } else { "mismatch" }.to_owned(),
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

    fn problems(scan: &Job, log: &str, digest: &str, package: &str) -> Vec<String> {
        let layer = Layer {
            digest: "aa".to_owned(),
            size: 1,
            package: "hostname".to_owned(),
            version: "3.23".to_owned(),
        };
        let reference = Reference { digest: digest.to_owned(), package: package.to_owned() };
        let mut section = Section::default();
        check_scan(&mut section, &layer, (scan, &[log.to_owned()]), &reference);
        section.problems
    }

    #[test]
    fn a_scan_that_differs_from_the_reference_is_a_problem() {
        let found = json!([{"id": "EXAMPLE-2026-0001"}]);
        let good = problems(&scan("aa", &found), "hostname 3.23", "aa", "hostname 3.23");
        assert_eq!(good, Vec::<String>::new());
        let bad = problems(&scan("aa", &json!([])), "hostname 3.22", "bb", "hostname 3.24");
        expect![[r#"
            the digest of layer aa is "bb" by sha256sum
            the package is "hostname 3.24" by dpkg-query, not "hostname 3.23"
            the log of the scan of hostname is ["hostname 3.22"]
            the scan of hostname 3.23 found [], not Some("EXAMPLE-2026-0001")"#]]
        .assert_eq(&bad.join("\n"));
    }
}
