//! Crons in a whole fleet: every tick has exactly one job although schedulers die, and the misfire
//! and overlap policies are applied.

use std::collections::{BTreeMap, BTreeSet};

use domain::cron::CronName;
use domain::job::{Job, Status};
use e2e::StartServices;
use serde_json::{Value, json};
use store::{Cron, JobFilter, SetCron};
use testkit::{TestEnv, assert_consistent};

async fn set_cron(env: &TestEnv, name: &str, spec: Value) {
    let mut full = json!({"action": "noop", "schedule": "* * * * * *", "misfire": "all"});
    full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let spec = serde_json::from_value(full).unwrap();
    let name = name.parse().unwrap();
    let change = SetCron { name, spec, paused: None, declared: false };
    env.store().set_cron(&change).await.unwrap();
}

async fn cron(env: &TestEnv, name: &str) -> Cron {
    env.store().cron(&name.parse::<CronName>().unwrap()).await.unwrap().unwrap()
}

async fn all_jobs(env: &TestEnv) -> Vec<Job> {
    env.store().jobs(&JobFilter::default(), 0, 10_000).await.unwrap().jobs
}

/// The ticks for which each cron has a job, in seconds. Fails the test if a tick has two jobs or a
/// job is early.
fn ticks(jobs: &[Job]) -> BTreeMap<String, BTreeSet<i64>> {
    let mut ticks: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for job in jobs {
        let firing = job.spec.cron.as_ref().unwrap();
        assert_eq!(job.scheduled_at, firing.tick, "{firing}");
        assert!(job.created_at >= firing.tick, "the job of {firing} is early");
        let of_cron = ticks.entry(firing.cron.to_string()).or_default();
        assert!(of_cron.insert(firing.tick.ms() / 1000), "{firing} has two jobs");
    }
    ticks
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tick_has_one_job_while_schedulers_die_and_redis_is_cut_off() {
    let env = TestEnv::new().await;
    let (proxy, flag) = env.redis_proxy().await;
    for index in 0..20 {
        set_cron(&env, &format!("c{index}"), json!({})).await;
    }
    let mut schedulers: Vec<_> = (0..4).map(|_| env.scheduler_with(&[&flag])).collect();
    let worker = env.worker("default=64");
    let fired = async || -> u64 {
        let (crons, _) = env.store().crons(0, 100).await.unwrap();
        crons.iter().map(|cron| cron.fired).sum()
    };
    for round in 0..6 {
        let before = fired().await;
        env.eventually("crons fire", async || fired().await > before).await;
        let replaced = schedulers.remove(0);
        if round % 2 == 0 {
            replaced.kill().await;
        } else {
            replaced.stop().await;
        }
        schedulers.push(env.scheduler_with(&[&flag]));
        if round == 3 {
            proxy.cut();
            let began = env.store().now().await.unwrap();
            env.eventually("a tick is missed", async || {
                env.store().now().await.unwrap().ms() - began.ms() > 1_300
            })
            .await;
            proxy.restore();
        }
    }
    env.eventually("each cron has fired ten times", async || {
        let (crons, _) = env.store().crons(0, 100).await.unwrap();
        crons.iter().all(|cron| cron.fired >= 10)
    })
    .await;
    let (crons, _) = env.store().crons(0, 100).await.unwrap();
    for cron in &crons {
        env.store().delete_cron(&cron.name).await.unwrap();
    }
    env.eventually("all jobs are done", async || {
        let counts = env.store().counts().await.unwrap();
        counts.iter().all(|(status, count)| status.is_final() || *count == 0)
    })
    .await;
    let found = ticks(&all_jobs(&env).await);
    assert_eq!(found.len(), 20);
    for (cron, ticks) in found {
        let (first, last) = (ticks.first().unwrap(), ticks.last().unwrap());
        assert_eq!(ticks.len() as i64, last - first + 1, "{cron} missed a tick");
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    for scheduler in schedulers {
        scheduler.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_missed_without_a_scheduler_follow_the_misfire_policy() {
    let env = TestEnv::new().await;
    // A second may pass between two crons, so each has a first tick of its own.
    let mut first_tick: BTreeMap<&str, i64> = BTreeMap::new();
    for misfire in ["skip", "once", "all"] {
        set_cron(&env, misfire, json!({"misfire": misfire})).await;
        first_tick.insert(misfire, cron(&env, misfire).await.next_run.unwrap().ms() / 1000);
    }
    env.eventually("each cron has missed seven ticks", async || {
        env.store().now().await.unwrap().ms() / 1000 - first_tick["all"] > 7
    })
    .await;
    let scheduler = env.scheduler();
    env.eventually("each cron has fired", async || {
        let (crons, _) = env.store().crons(0, 10).await.unwrap();
        crons.iter().all(|cron| cron.fired > 0)
    })
    .await;
    scheduler.stop().await;
    let jobs = all_jobs(&env).await;
    let ticks = ticks(&jobs);

    let (first, last) = (ticks["all"].first().unwrap(), ticks["all"].last().unwrap());
    assert_eq!(*first, first_tick["all"]);
    assert_eq!(ticks["all"].len() as i64, last - first + 1, "a tick has no job");

    let firings = jobs.iter().filter_map(|job| job.spec.cron.as_ref());
    let of_once = firings.filter(|firing| firing.cron.as_str() == "once");
    let earliest = of_once.min_by_key(|firing| firing.tick).unwrap();
    let missed = earliest.missed as i64;
    let stands_for = earliest.tick.ms() / 1000 - first_tick["once"];
    assert_eq!(stands_for, missed, "it stands for the missed ticks");
    assert!(missed >= 7);

    let skipping = cron(&env, "skip").await;
    let skip = skipping.last_skip.unwrap();
    assert_eq!(skip.reason.as_str(), "missed");
    let skipped = ticks["skip"].first().unwrap() - first_tick["skip"];
    assert!(skipped >= 5, "only {skipped} ticks were skipped");
    assert!(skipping.skipped as i64 >= skipped);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_policy_runs_jobs_one_by_one_and_a_replace_policy_keeps_only_the_last() {
    let env = TestEnv::new().await;
    let long = json!({"action": "sleep", "parameters": {"seconds": 1.5}});
    for overlap in ["queue", "replace"] {
        let mut spec = long.clone();
        spec["overlap"] = json!(overlap);
        set_cron(&env, overlap, spec).await;
    }
    let (scheduler, worker) = (env.scheduler(), env.worker("default=16"));
    env.eventually("each cron has fired three times", async || {
        let (crons, _) = env.store().crons(0, 10).await.unwrap();
        crons.iter().all(|cron| cron.fired >= 3)
    })
    .await;
    for name in ["queue", "replace"] {
        env.store().delete_cron(&name.parse().unwrap()).await.unwrap();
    }
    env.eventually("all jobs have finished", async || {
        let counts = env.store().counts().await.unwrap();
        counts.iter().all(|(status, count)| status.is_final() || *count == 0)
    })
    .await;
    let mut runs: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    for job in all_jobs(&env).await {
        let name = job.spec.cron.as_ref().unwrap().cron.to_string();
        runs.entry(name).or_default().push(job);
    }
    for (name, jobs) in &mut runs {
        jobs.sort_by_key(|job| job.scheduled_at);
        for pair in jobs.windows(2) {
            assert!(
                pair[0].finished_at <= pair[1].started_at.or(pair[1].finished_at),
                "{name}: {pair:#?}"
            );
        }
    }
    assert!(runs["queue"].iter().all(|job| job.status == Status::Done));
    assert!(runs["replace"].iter().any(|job| job.status == Status::Cancel));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crons_of_the_file_are_declared_changed_and_deleted_and_others_are_kept() {
    let env = TestEnv::new().await;
    let folder = std::env::temp_dir().join(format!("capstan-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("crons.toml");
    std::fs::write(&path, "[crons.a]\nschedule = '@daily'\n[crons.b]\nschedule = '@daily'\n")
        .unwrap();
    set_cron(&env, "manual", json!({"schedule": "@daily"})).await;
    let flag = format!("--crons={}", path.display());
    let names = async || -> Vec<(String, bool)> {
        let (crons, _) = env.store().crons(0, 10).await.unwrap();
        crons.into_iter().map(|cron| (cron.name.to_string(), cron.declared)).collect()
    };
    let named = |names: &[(&str, bool)]| -> Vec<(String, bool)> {
        names.iter().map(|(name, declared)| ((*name).to_owned(), *declared)).collect()
    };
    let scheduler = env.scheduler_with(&[&flag]);
    let all = named(&[("a", true), ("b", true), ("manual", false)]);
    env.eventually("the crons are declared", async || names().await == all).await;
    let before = cron(&env, "a").await;
    scheduler.stop().await;

    std::fs::write(&path, "[crons.a]\nschedule = '@daily'\n[crons.manual]\nschedule = '@hourly'\n")
        .unwrap();
    let schedulers = [env.scheduler_with(&[&flag]), env.scheduler_with(&[&flag])];
    let all = named(&[("a", true), ("manual", true)]);
    env.eventually("the changes of the file are applied", async || names().await == all).await;
    assert_eq!(cron(&env, "a").await, before, "an unchanged declaration changes nothing");
    for scheduler in schedulers {
        scheduler.stop().await;
    }
    std::fs::remove_dir_all(folder).unwrap();
    env.close().await;
}
