//! A registry at work: images are pushed, scanned by the children of their scans, migrated and
//! collected. Each result must follow from what was pushed.

use client::ClientError;
use client::wire::Job;
use domain::job::JobId;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::job_table::{Column, job_table};
use crate::section::Section;

const TITLE: &str = "A container registry's jobs, over an OCI image layout of Debian packages";
/// Packages that every Debian has, a layer each.
pub(crate) const PACKAGES: [&str; 5] = ["hostname", "ncurses-base", "sed", "grep", "gzip"];
/// The image of the first [`BASE_LAYERS`] packages.
pub(crate) const BASE: &str = "base:1";
/// The image of all packages.
pub(crate) const TOOLS: &str = "tools:1";
/// How many layers [`BASE`] has.
pub(crate) const BASE_LAYERS: usize = 3;

/// What was pushed, for the sections that follow.
pub(crate) struct Images {
    /// The layers of [`TOOLS`], in the order of the packages.
    pub(crate) layers: Vec<Layer>,
    /// The directory of the blobs on the workers' disk.
    pub(crate) blobs: String,
    /// The scans of the layers of [`TOOLS`].
    pub(crate) scans: Vec<Job>,
}

/// A layer, as the push reported it.
pub(crate) struct Layer {
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) package: String,
    pub(crate) version: String,
}

/// A job that pushes an image of the first `count` packages.
pub(crate) fn push(image: &str, count: usize) -> Value {
    let parameters = json!({"image": image, "packages": PACKAGES[..count]});
    json!({"action": "push", "parameters": parameters, "locks": ["layout"]})
}

/// A job that scans an image and takes `seconds` for each layer.
pub(crate) fn scan(image: &str, seconds: u32) -> Value {
    json!({"action": "scan_check", "parameters": {"image": image, "seconds": seconds}})
}

struct Run {
    job: Job,
    image: String,
    children: usize,
}

/// Runs the section.
pub(crate) async fn run(fleet: &Fleet) -> Result<(Section, Images), ClientError> {
    let (mut section, mut runs) = (Section::new(TITLE), Vec::new());
    let database = json!({"action": "update_vuln_db", "locks": ["vuln_db"]});
    let first = [push(BASE, BASE_LAYERS), push(TOOLS, PACKAGES.len()), database];
    run_concurrently(fleet, &first, &mut runs).await?;
    run_concurrently(fleet, &[scan(BASE, 0), scan(TOOLS, 0)], &mut runs).await?;
    run_concurrently(fleet, &[json!({"action": "scan_check_all"})], &mut runs).await?;
    let migrations = ["tagmigration", "bloblinkmigration", "license_update"];
    run_concurrently(fleet, &migrations.map(|action| json!({"action": action})), &mut runs).await?;

    let images = pushed_images(fleet, &runs).await?;
    check_results(&mut section, &runs, &images);
    check_scan_of_all(fleet, &mut section, &runs).await?;
    section.jobs += runs.iter().map(|run| 1 + run.children).sum::<usize>();
    section.table = run_table(&runs);
    Ok((section, images))
}

async fn run_concurrently(
    fleet: &Fleet,
    jobs: &[Value],
    runs: &mut Vec<Run>,
) -> Result<(), ClientError> {
    let mut ids: Vec<JobId> = Vec::new();
    for job in jobs {
        ids.push(fleet.submit(job).await?.id);
    }
    let finished = fleet.finished(&ids).await?;
    for (job, (submitted, id)) in finished.into_iter().zip(jobs.iter().zip(ids)) {
        let children = fleet.children(id).await?.len();
        let image = submitted["parameters"]["image"].as_str().unwrap_or_default().to_owned();
        runs.push(Run { job, image, children });
    }
    Ok(())
}

fn find<'a>(runs: &'a [Run], action: &str, image: &str) -> Result<&'a Job, ClientError> {
    let run = runs.iter().find(|run| run.job.action == action && run.image == image);
    run.map(|run| &run.job)
        .ok_or_else(|| ClientError::Unavailable(format!("no job {action} {image} was returned")))
}

async fn pushed_images(fleet: &Fleet, runs: &[Run]) -> Result<Images, ClientError> {
    let pushed = &find(runs, "push", TOOLS)?.result;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let layers = pushed["layers"].as_array().into_iter().flatten().map(|layer| Layer {
        digest: text(&layer["SHA256SUM"]),
        size: layer["size"].as_u64().unwrap_or_default(),
        package: text(&layer["package"]),
        version: text(&layer["version"]),
    });
    let scans = fleet.children(find(runs, "scan_check", TOOLS)?.id).await?;
    Ok(Images { layers: layers.collect(), blobs: text(&pushed["blobs"]), scans })
}

fn check_results(section: &mut Section, runs: &[Run], images: &Images) {
    let packages: Vec<&str> = images.layers.iter().map(|layer| layer.package.as_str()).collect();
    section.check(packages == PACKAGES, || format!("the layers hold the packages {packages:?}"));
    for Run { job, image, children } in runs {
        section.check_done(job);
        let (action, result) = (&job.action, &job.result);
        let at_least = |name: &str, least: u64| result[name].as_u64() >= Some(least);
        let right = match action.as_str() {
            "push" => result["layers"].as_array().is_some_and(|all| all.len() >= BASE_LAYERS),
            "update_vuln_db" => at_least("version", 1),
            "scan_check" => *children == layer_count(image),
            "scan_check_all" => *children >= 2,
            "tagmigration" => at_least("tags", 2),
            // The layers of both manifests, and the configuration of each.
            "bloblinkmigration" => at_least("links", 4 + 6),
            "license_update" => result["expires"] == "2099-12-31",
            _ => true,
        };
        section.check(right, || {
            format!("{action} {image} has {children} children and the result {result}")
        });
    }
}

/// The children of the scan of all images are scans with children of their own.
async fn check_scan_of_all(
    fleet: &Fleet,
    section: &mut Section,
    runs: &[Run],
) -> Result<(), ClientError> {
    let all = find(runs, "scan_check_all", "")?;
    for scan in fleet.children(all.id).await? {
        section.check_done(&scan);
        let image = scan.parameters["image"].as_str().unwrap_or_default();
        let children = fleet.children(scan.id).await?;
        if [BASE, TOOLS].contains(&image) {
            let count = children.len();
            section.check(count == layer_count(image), || {
                format!("the scan of {image} has {count} children")
            });
        }
        for child in &children {
            section.check_done(child);
        }
        section.jobs += children.len();
    }
    Ok(())
}

fn layer_count(image: &str) -> usize {
    if image == BASE { BASE_LAYERS } else { PACKAGES.len() }
}

fn run_table(runs: &[Run]) -> String {
    let children = |job: &Job| {
        let run = runs.iter().find(|run| run.job.id == job.id && run.children > 0);
        run.map(|run| run.children.to_string()).unwrap_or_default()
    };
    let columns = [
        Column::Action,
        Column::Image,
        Column::Status,
        Column::Other("CHILDREN", &children),
        Column::Worker,
        Column::Started,
        Column::Ended,
    ];
    job_table(runs.iter().map(|run| &run.job), &columns)
}
