//! Part two: many jobs that run a program on real files. Each must have run once, on either worker,
//! and its log must hold the digest that `sha256sum` prints when it is run without Capstan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use shared::job::{JobId, Status, Timestamp};

use super::{Part, Stage, files, seconds_since};
use crate::api::Api;
use crate::failure::Failure;
use crate::jobs::wait::{Ended, until_over};
use crate::out;
use crate::wire::{Job, Jobs, LogLine};

const ACTION: &str = "sha256";
/// With so many jobs every worker gets some.
const ENOUGH_FOR_BOTH: usize = 100;
/// Logs that are read in one go.
const AT_ONCE: usize = 4;
/// Sentences of one kind that are printed.
const MOST_WRONG: usize = 10;

/// Plays it.
pub(super) async fn play(stage: &Stage<'_>) -> Result<Part, Failure> {
    let files = files::pick(&files::ROOTS, stage.count);
    if files.len() < stage.count {
        let (have, roots) = (files.len(), files::ROOTS.join(" "));
        let why = format!("only {have} of {} files to digest were found in {roots}", stage.count);
        return Ok(Part { wrong: vec![why], ..Part::default() });
    }
    let ids = submit(stage.api, &files).await?;
    let expected = tokio::task::spawn_blocking(move || files::digest_lines(&files)).await;
    let expected = expected.map_err(anyhow::Error::from)??;
    let ended = until_over(stage.api, &ids, Some(stage.left())).await?;
    let logs = logs(stage.api, &ended).await?;
    Ok(judged(&ended, &logs, &expected))
}

async fn submit(api: &Api, files: &[PathBuf]) -> Result<Vec<JobId>, Failure> {
    let jobs = files.iter().map(|file| json!({"action": ACTION, "parameters": {"file": file}}));
    let batch: Vec<Value> = jobs.collect();
    let answer: Jobs = api.post("/jobs/batch", &json!({"jobs": batch})).await?;
    if answer.jobs.len() != files.len() {
        let why = format!("{} jobs were submitted, {} answered", files.len(), answer.jobs.len());
        return Err(Failure::Away(why));
    }
    Ok(answer.jobs.iter().map(|job| job.id).collect())
}

async fn logs(api: &Api, ended: &[Ended]) -> Result<Vec<Vec<LogLine>>, Failure> {
    let paths = ended.iter().map(|one| format!("/jobs/{}/logs", one.job.id));
    let reads = stream::iter(paths).map(|path| async move { api.get(&path).await });
    reads.buffered(AT_ONCE).try_collect().await
}

/// One row of the table.
struct Share {
    jobs: usize,
    first_start: Timestamp,
    last_end: Timestamp,
    right: usize,
}

fn judged(ended: &[Ended], logs: &[Vec<LogLine>], expected: &[String]) -> Part {
    let mut wrong = Vec::new();
    let mut right = BTreeSet::new();
    for ((one, log), line) in ended.iter().zip(logs).zip(expected) {
        match why_wrong(one, log, line) {
            None => drop(right.insert(one.asked)),
            Some(why) => wrong.push(format!("{ACTION} job {}: {why}", one.asked)),
        }
    }
    if let Some(more) = wrong.len().checked_sub(MOST_WRONG).filter(|more| *more > 0) {
        wrong.truncate(MOST_WRONG);
        wrong.push(format!("and {more} more {ACTION} jobs"));
    }
    let shares = shares(ended, &right);
    if ended.len() >= ENOUGH_FOR_BOTH && shares.len() < 2 {
        wrong.push(format!("of {} {ACTION} jobs not both workers got some", ended.len()));
    }
    let submitted = ended.iter().filter_map(|one| one.job.created_at).min();
    let table = table(submitted, &shares);
    Part { table, jobs: ended.len(), digests: right.len(), wrong }
}

/// Why a job is not as it should be.
fn why_wrong(one: &Ended, log: &[LogLine], expected: &str) -> Option<String> {
    let Job { status, attempt, .. } = &one.job;
    if *status != Status::Done {
        let why = one.job.exception.as_ref().map(|exception| exception.message.as_str());
        return Some(format!("ended as {status}: {}", why.unwrap_or("no reason given")));
    }
    if *attempt != 1 || one.job.id != one.asked {
        return Some(format!("took attempt {attempt}, as {}", one.job.id));
    }
    let digests: Vec<&str> = log.iter().map(|line| line.data.trim_end()).collect();
    let digests: Vec<&str> = digests.into_iter().filter(|line| is_digest_line(line)).collect();
    if digests != [expected] {
        return Some(format!("its log has {digests:?}, sha256sum says {expected:?}"));
    }
    None
}

/// 64 hexadecimal digits, two blanks, a path.
pub(super) fn is_digest_line(line: &str) -> bool {
    line.split_once("  ").is_some_and(|(digest, _)| {
        digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// What each worker did, by action and worker.
fn shares(ended: &[Ended], right: &BTreeSet<JobId>) -> BTreeMap<(String, String), Share> {
    let mut shares = BTreeMap::new();
    for one in ended {
        let job = &one.job;
        let (Some(start), Some(end)) = (job.started_at, job.finished_at) else { continue };
        let key = (job.action.clone(), job.worker_id.clone());
        let new = Share { jobs: 0, first_start: start, last_end: end, right: 0 };
        let share = shares.entry(key).or_insert(new);
        share.jobs += 1;
        share.first_start = share.first_start.min(start);
        share.last_end = share.last_end.max(end);
        share.right += usize::from(right.contains(&one.asked));
    }
    shares
}

fn table(submitted: Option<Timestamp>, shares: &BTreeMap<(String, String), Share>) -> String {
    let rows = shares.iter().map(|((action, worker), share)| {
        let from = submitted.unwrap_or(share.first_start);
        vec![
            action.clone(),
            worker.clone(),
            share.jobs.to_string(),
            seconds_since(from, Some(share.first_start)),
            seconds_since(from, Some(share.last_end)),
            share.right.to_string(),
        ]
    });
    let header = ["ACTION", "WORKER", "JOBS", "FIRST START (s)", "LAST END (s)", "DIGESTS RIGHT"];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn ended(number: u32, worker: &str, status: &str, attempt: u32) -> Ended {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let exception = json!({"type": "ExitCode", "message": "exited with 1"});
        let document = json!({
            "id": id, "action": ACTION, "status": status, "workerID": worker, "attempt": attempt,
            "createdAt": "2026-11-20T16:30:00Z", "scheduledAt": "2026-11-20T16:30:00Z",
            "startedAt": format!("2026-11-20T16:30:00.{number:03}Z"),
            "finishedAt": format!("2026-11-20T16:30:01.{number:03}Z"),
            "exception": (status == "error").then_some(exception),
        });
        Ended { asked: id.parse().unwrap(), job: serde_json::from_value(document).unwrap() }
    }

    fn line(digit: char) -> String {
        format!("{}  /usr/bin/file-{digit}", digit.to_string().repeat(64))
    }

    fn log(lines: &[String]) -> Vec<LogLine> {
        lines.iter().map(|line| LogLine { data: line.clone(), number: 0 }).collect()
    }

    #[test]
    fn each_digest_is_checked_and_each_worker_summed_up() {
        let all = [ended(1, "aa", "done", 1), ended(2, "bb", "done", 1), ended(3, "aa", "done", 1)];
        let expected = ['1', '2', '3'].map(line);
        let noise = "started, by capstan".to_owned();
        let logs = [log(&[noise, line('1')]), log(&[line('2') + "\n"]), log(&[line('3')])];
        let part = judged(&all, &logs, &expected);
        assert_eq!((part.jobs, part.digests, part.wrong), (3, 3, vec![]));
        expect![[r#"
            ACTION  WORKER  JOBS  FIRST START (s)  LAST END (s)  DIGESTS RIGHT
            sha256  aa      2     0.001            1.003         2
            sha256  bb      1     0.002            1.002         1
        "#]]
        .assert_eq(&(part.table + "\n"));
    }

    #[test]
    fn a_job_that_failed_ran_twice_or_lies_is_wrong() {
        let all =
            [ended(1, "aa", "error", 1), ended(2, "aa", "done", 2), ended(3, "aa", "done", 1)];
        let expected = ['1', '2', '3'].map(line);
        let logs = [log(&[]), log(&[line('2')]), log(&[line('3'), line('4')])];
        let part = judged(&all, &logs, &expected);
        assert_eq!((part.digests, part.wrong.len()), (0, 3));
        assert!(part.wrong[0].ends_with("ended as error: exited with 1"));
        assert!(part.wrong[1].contains("took attempt 2"));
    }

    #[test]
    fn many_jobs_on_one_worker_are_wrong_and_a_long_list_is_cut() {
        let all: Vec<Ended> = (0..200).map(|number| ended(number, "aa", "done", 1)).collect();
        let expected = vec![line('1'); 200];
        let good = judged(&all, &vec![log(&[line('1')]); 200], &expected);
        assert_eq!(good.wrong, ["of 200 sha256 jobs not both workers got some"]);
        let bad = judged(&all, &vec![log(&[]); 200], &expected);
        assert_eq!(bad.wrong.len(), MOST_WRONG + 2);
        assert_eq!(bad.wrong[MOST_WRONG], "and 190 more sha256 jobs");
    }
}
