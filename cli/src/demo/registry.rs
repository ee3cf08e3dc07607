//! A registry at work: images are pushed, scanned by children of their scans, migrated, collected.
//! What each job answers must follow from what was pushed.

use serde_json::{Value, json};
use shared::job::JobId;

use super::{Part, Stage, seconds_since};
use crate::failure::Failure;
use crate::out;
use crate::wire::Job;

const TITLE: &str = "A registry's jobs, over an OCI image layout of Debian packages";
/// Packages that every Debian has; the second image has all of them, the first one the first three.
pub(super) const PACKAGES: [&str; 5] = ["hostname", "ncurses-base", "sed", "grep", "gzip"];
const BASE: &str = "base:1";
pub(super) const TOOLS: &str = "tools:1";

/// What was pushed, for the parts that come after.
pub(super) struct Images {
    /// All layers, in the order of the packages.
    pub(super) layers: Vec<Layer>,
    /// Where blobs are, on the workers' disk.
    pub(super) blobs: String,
    /// The scans of the layers of [`TOOLS`].
    pub(super) scans: Vec<Job>,
}

/// A layer, as the push told of it.
pub(super) struct Layer {
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) package: String,
    pub(super) version: String,
}

/// A push of the first so many packages.
pub(super) fn push(image: &str, count: usize) -> Value {
    let parameters = json!({"image": image, "packages": PACKAGES[..count]});
    json!({"action": "push", "parameters": parameters, "locks": ["layout"]})
}

/// A push of the second image with all of its layers.
pub(super) fn push_all() -> Value {
    push(TOOLS, PACKAGES.len())
}

/// A scan of the first image, of three layers, or of the second one.
pub(super) fn scan(of_all: bool, seconds: u32) -> Value {
    let image = if of_all { TOOLS } else { BASE };
    json!({"action": "scan_check", "parameters": {"image": image, "seconds": seconds}})
}

/// What is shown of a job.
struct Row {
    job: Job,
    of: String,
    children: usize,
}

/// Plays it. The last layer of the second image is collected at the end.
pub(super) async fn play(stage: &Stage<'_>) -> Result<(Part, Images), Failure> {
    let (mut part, mut rows) = (Part::of(TITLE), Vec::new());
    let database = json!({"action": "update_vuln_db", "locks": ["vuln_db"]});
    let first = [push(BASE, 3), push_all(), database];
    run(stage, &first, &mut rows).await?;
    run(stage, &[scan(false, 0), scan(true, 0)], &mut rows).await?;
    run(stage, &[json!({"action": "scan_check_all"})], &mut rows).await?;
    let migrations = ["tagmigration", "bloblinkmigration", "license_update"];
    run(stage, &migrations.map(|action| json!({"action": action})), &mut rows).await?;

    let images = images(stage, &rows).await?;
    judge(&mut part, &rows, &images);
    judge_all(stage, &mut part, &rows).await?;
    part.jobs = rows.iter().map(|row| 1 + row.children).sum();
    part.table = table(&rows);
    Ok((part, images))
}

/// Runs jobs side by side.
async fn run(stage: &Stage<'_>, jobs: &[Value], rows: &mut Vec<Row>) -> Result<(), Failure> {
    let mut ids: Vec<JobId> = Vec::new();
    for job in jobs {
        ids.push(stage.submit(job).await?.id);
    }
    for (job, (asked, first)) in stage.over(&ids).await?.into_iter().zip(jobs.iter().zip(ids)) {
        let children = stage.children(first).await?.len();
        let of = asked["parameters"]["image"].as_str().unwrap_or_default().to_owned();
        rows.push(Row { job, of, children });
    }
    Ok(())
}

fn found<'a>(rows: &'a [Row], action: &str, of: &str) -> Result<&'a Job, Failure> {
    let row = rows.iter().find(|row| row.job.action == action && row.of == of);
    row.map(|row| &row.job).ok_or_else(|| Failure::Away(format!("no {action} {of} was answered")))
}

async fn images(stage: &Stage<'_>, rows: &[Row]) -> Result<Images, Failure> {
    let pushed = &found(rows, "push", TOOLS)?.result;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let layers = pushed["layers"].as_array().into_iter().flatten().map(|layer| Layer {
        digest: text(&layer["SHA256SUM"]),
        size: layer["size"].as_u64().unwrap_or_default(),
        package: text(&layer["package"]),
        version: text(&layer["version"]),
    });
    let scans = stage.children(found(rows, "scan_check", TOOLS)?.id).await?;
    Ok(Images { layers: layers.collect(), blobs: text(&pushed["blobs"]), scans })
}

fn judge(part: &mut Part, rows: &[Row], images: &Images) {
    for row in rows {
        part.must_be_done(&row.job);
    }
    let packages: Vec<&str> = images.layers.iter().map(|layer| layer.package.as_str()).collect();
    part.must(packages == PACKAGES, || format!("the layers are of {packages:?}"));
    for row in rows {
        let result = &row.job.result;
        let at_least = |name: &str, least: u64| result[name].as_u64() >= Some(least);
        let right = match row.job.action.as_str() {
            "push" => result["layers"].as_array().is_some_and(|layers| layers.len() >= 3),
            "update_vuln_db" => at_least("version", 1),
            "scan_check" => row.children == if row.of == BASE { 3 } else { PACKAGES.len() },
            "scan_check_all" => row.children >= 2,
            "tagmigration" => at_least("tags", 2),
            // A manifest's layers, and its configuration.
            "bloblinkmigration" => at_least("links", 4 + 6),
            "license_update" => result["expires"] == "2099-12-31",
            _ => true,
        };
        let (action, of, children) = (&row.job.action, &row.of, row.children);
        part.must(right, || format!("{action} {of} had {children} children and answered {result}"));
    }
}

/// The scan of all has children that have children.
async fn judge_all(stage: &Stage<'_>, part: &mut Part, rows: &[Row]) -> Result<(), Failure> {
    let all = found(rows, "scan_check_all", "")?;
    for scan in stage.children(all.id).await? {
        part.must_be_done(&scan);
        let image = scan.parameters["image"].as_str().unwrap_or_default().to_owned();
        let expected = if image == BASE { 3 } else { PACKAGES.len() };
        let children = stage.children(scan.id).await?;
        if image == BASE || image == TOOLS {
            let count = children.len();
            part.must(count == expected, || format!("{image} was scanned in {count} parts"));
        }
        for child in &children {
            part.must_be_done(child);
        }
        part.jobs += children.len();
    }
    Ok(())
}

fn table(rows: &[Row]) -> String {
    let begin = rows.iter().filter_map(|row| row.job.created_at).min();
    let rows = rows.iter().map(|Row { job, of, children }| {
        let since = |time| begin.map(|at| seconds_since(at, time)).unwrap_or_default();
        vec![
            job.action.clone(),
            of.clone(),
            job.status.to_string(),
            if *children > 0 { children.to_string() } else { String::new() },
            job.worker_id.clone(),
            since(job.started_at),
            since(job.finished_at),
        ]
    });
    let header = ["ACTION", "IMAGE", "STATUS", "CHILDREN", "WORKER", "STARTED (s)", "ENDED (s)"];
    out::table(&header, rows)
}
