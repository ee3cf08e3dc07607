//! Lists of jobs: every filter, compared with a plain filter over all jobs.

use domain::job::{Cancellation, Job, Label, Labels, NewJob, Outcome, Status, Timestamp};
use store::{JobFilter, JobIndex};
use testkit::{TestEnv, job};

use crate::calls::{claimed, end, failed, finish, worker};

/// 60 jobs of two actions, over two workers, in four statuses, due a second apart in the past.
async fn listed_jobs() -> (TestEnv, Vec<Job>) {
    let env = TestEnv::new().await;
    let workers = [worker(&env).await, worker(&env).await];
    let mut ids = Vec::new();
    for index in 0..60_usize {
        let mut one = job(if index % 3 == 0 { "sleep" } else { "noop" }, "");
        one.scheduled_at = Some(Timestamp::from_ms(1_000_000 + 1_000 * (index as i64 / 2)));
        env.store().submit(std::slice::from_ref(&one)).await.unwrap();
        ids.push(one.id);
        if index % 4 == 0 {
            continue;
        }
        let run = claimed(&env, &workers[index % 2], one.id).await;
        match index % 4 {
            1 => finish(&env, &end(one.id, run.token, Outcome::Done(None))).await,
            2 => finish(&env, &end(one.id, run.token, failed())).await,
            _ => continue,
        };
    }
    let mut all = env.store().jobs_by_id(&ids).await.unwrap();
    all.sort_by_key(|job| std::cmp::Reverse((job.scheduled_at, job.id.to_string())));
    (env, all)
}

#[tokio::test]
async fn every_filter_lists_the_jobs_that_match_newest_first_with_their_exact_number() {
    let (env, all) = listed_jobs().await;
    let actions = [None, Some("noop".parse().unwrap()), Some("sleep".parse().unwrap())];
    let workers = [None, all.iter().find_map(|job| job.worker.clone())];
    let statuses = [
        vec![],
        vec![Status::Waiting],
        vec![Status::Done, Status::Error],
        vec![Status::Running, Status::Waiting, Status::Done],
        vec![Status::Cancel],
    ];
    let times = [(None, None), (Some(1_005_000), None), (Some(1_003_000), Some(1_020_000))];
    for (action, worker, status, (since, until)) in actions.iter().flat_map(|action| {
        let rest = workers.iter().flat_map(|worker| statuses.iter().map(move |s| (worker, s)));
        rest.flat_map(|(w, s)| times.iter().map(move |t| (action, w, s, t))).collect::<Vec<_>>()
    }) {
        let filter = JobFilter {
            action: action.clone(),
            worker: worker.clone(),
            statuses: status.clone(),
            since: since.map(Timestamp::from_ms),
            until: until.map(Timestamp::from_ms),
            ..JobFilter::default()
        };
        let matches = |job: &&Job| {
            filter.action.as_ref().is_none_or(|action| job.spec.action == *action)
                && filter.worker.as_ref().is_none_or(|worker| job.worker.as_ref() == Some(worker))
                && (filter.statuses.is_empty() || filter.statuses.contains(&job.status))
                && filter.since.is_none_or(|since| job.scheduled_at >= since)
                && filter.until.is_none_or(|until| job.scheduled_at <= until)
        };
        let mut matching: Vec<_> = all.iter().filter(matches).collect();
        let wanted: Vec<_> = matching.iter().map(|job| job.id).collect();
        let page = env.store().jobs(&filter, 3, 7).await.unwrap();
        assert_eq!(page.total, wanted.len() as u64, "{filter:?}");
        let found: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
        let wanted: Vec<_> = wanted.into_iter().skip(3).take(7).collect();
        assert_eq!(found, wanted, "{filter:?}");

        matching.sort_by_key(|job| std::cmp::Reverse(job.number));
        let newest = env.store().newest_job_ids(&filter, 3, 7).await.unwrap();
        let wanted: Vec<_> = matching.iter().skip(3).take(7).map(|job| job.id).collect();
        assert_eq!(newest.ids, wanted, "{filter:?}");
        assert_eq!((newest.total, newest.cut), (matching.len() as u64, false), "{filter:?}");
    }
    env.close().await;
}

/// Whether the job with this index matches.
type Matches = fn(usize) -> bool;

/// Labels, a fairness key and a submitter on every second to fourth of 40 jobs.
#[tokio::test]
async fn conditions_that_no_index_serves_are_compared_with_each_job() {
    let env = TestEnv::new().await;
    let mut some: Vec<_> = (0..40).map(|_| job("noop", "")).collect();
    for (index, one) in some.iter_mut().enumerate() {
        let tier = ("tier".to_owned(), (index % 3).to_string());
        let team = (index % 2 == 0).then(|| ("team".to_owned(), "net".to_owned()));
        one.spec.labels = Labels::new(team.into_iter().chain([tier]).collect()).unwrap();
        one.spec.fairness_key = (index % 4 == 0).then(|| "t7".to_owned());
        one.spec.scheduled_by = Some(format!("owner {}", index % 5));
    }
    env.store().submit(&some).await.unwrap();
    let (team, tier): (Label, Label) = ("team:net".parse().unwrap(), "tier:1".parse().unwrap());
    let filter = JobFilter::default;
    let cases: [(JobFilter, Matches); 6] = [
        (JobFilter { labels: vec![team.clone()], ..filter() }, |index| index % 2 == 0),
        (JobFilter { labels: vec![team, tier], ..filter() }, |index| index % 6 == 4),
        (JobFilter { labels: vec!["tier:9".parse().unwrap()], ..filter() }, |_| false),
        (JobFilter { fairness_key: Some("t7".into()), ..filter() }, |index| index % 4 == 0),
        (JobFilter { scheduled_by: Some("owner 3".into()), ..filter() }, |index| index % 5 == 3),
        (JobFilter { cron: Some("gc".parse().unwrap()), ..filter() }, |_| false),
    ];
    for (filter, matches) in cases {
        let of = |(index, job): (usize, &NewJob)| matches(index).then_some(job.id);
        let mut wanted: Vec<_> = some.iter().enumerate().filter_map(of).collect();
        wanted.reverse();
        let newest = env.store().newest_job_ids(&filter, 0, 40).await.unwrap();
        assert_eq!((newest.ids, newest.total), (wanted.clone(), wanted.len() as u64), "{filter:?}");
        let mut found = env.store().job_ids(&filter, 0, 40).await.unwrap().ids;
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{filter:?}");
    }
    env.close().await;
}

/// 1,600 jobs, four due at each time, a third of them cancelled.
async fn many_jobs() -> (TestEnv, Vec<Job>) {
    let env = TestEnv::new().await;
    let mut ids = Vec::new();
    for at in 0..16_i64 {
        let mut some: Vec<_> = (0..100).map(|_| job("noop", "")).collect();
        for (position, one) in some.iter_mut().enumerate() {
            let moment = 1_000_000 + 977 * ((at * 100 + position as i64) / 4);
            one.scheduled_at = Some(Timestamp::from_ms(moment));
        }
        env.store().submit(&some).await.unwrap();
        ids.extend(some.iter().map(|one| one.id));
    }
    let third: Vec<_> = ids.iter().copied().step_by(3).collect();
    env.store().cancel(&third, &Cancellation::default()).await.unwrap();
    let all = env.store().jobs_by_id(&ids).await.unwrap();
    (env, all)
}

#[tokio::test]
async fn a_page_far_down_the_list_has_the_right_jobs() {
    let (env, mut all) = many_jobs().await;
    let several = vec![Status::Waiting, Status::Cancel, Status::Done];
    let until = Timestamp::from_ms(1_000_000 + 977 * 350);
    for (statuses, until) in [
        (several.clone(), None),
        (several.clone(), Some(until)),
        (vec![], None),
        (vec![], Some(until)),
        (vec![Status::Cancel], Some(until)),
    ] {
        all.sort_by_key(|job| std::cmp::Reverse((job.scheduled_at, job.id)));
        let matches = |job: &&Job| {
            (statuses.is_empty() || statuses.contains(&job.status))
                && until.is_none_or(|until| job.scheduled_at <= until)
        };
        let wanted: Vec<_> = all.iter().filter(matches).map(|job| job.id).collect();
        let filter = JobFilter { statuses: statuses.clone(), until, ..JobFilter::default() };
        for start in [0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1333, 1590, 1599, 1600, 5000] {
            let page = env.store().jobs(&filter, start, 9).await.unwrap();
            let found: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
            let wanted: Vec<_> = wanted.iter().copied().skip(start).take(9).collect();
            assert_eq!(found, wanted, "from {start} of {filter:?}");
        }
        all.sort_by_key(|job| std::cmp::Reverse(job.number));
        let matches = |job: &&Job| {
            (statuses.is_empty() || statuses.contains(&job.status))
                && until.is_none_or(|until| job.scheduled_at <= until)
        };
        let wanted: Vec<_> = all.iter().filter(matches).map(|job| job.id).collect();
        for start in [0, 1, 700, 1599] {
            let page = env.store().newest_job_ids(&filter, start, 9).await.unwrap();
            let wanted: Vec<_> = wanted.iter().copied().skip(start).take(9).collect();
            assert_eq!(page.ids, wanted, "newest from {start} of {filter:?}");
        }
    }
    for (index, by_number) in [(JobIndex::Number, true), (JobIndex::Statuses(several), false)] {
        all.sort_by_key(|job| match by_number {
            true => (job.number as i64, job.id),
            false => (job.scheduled_at.ms(), job.id),
        });
        for (start, descending) in [(0, false), (1001, false), (1590, false), (1022, true)] {
            let mut wanted: Vec<_> = all.iter().map(|job| job.id).collect();
            if descending {
                wanted.reverse();
            }
            let (found, total) =
                env.store().page_ids(&index, descending, (start, 30)).await.unwrap();
            let wanted: Vec<_> = wanted.into_iter().skip(start as usize).take(30).collect();
            assert_eq!((found, total), (wanted, 1600), "from {start} of {index:?}");
        }
    }
    env.close().await;
}
