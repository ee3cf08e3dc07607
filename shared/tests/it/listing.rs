//! Lists: every filter against a plain count over all jobs.

use e2e::{House, job};
use shared::job::{Job, Outcome, Status, Timestamp};
use shared::store::Filter;

use crate::world::{claimed, end, failed, finish, worker};

/// 60 jobs of two actions, over two workers, in four statuses, due a second apart in the past.
async fn full_house() -> (House, Vec<Job>) {
    let house = House::new().await;
    let workers = [worker(&house).await, worker(&house).await];
    let mut ids = Vec::new();
    for index in 0..60_usize {
        let mut one = job(if index % 3 == 0 { "sleep" } else { "noop" }, "");
        one.scheduled_at = Some(Timestamp::from_ms(1_000_000 + 1_000 * (index as i64 / 2)));
        house.store().submit(std::slice::from_ref(&one)).await.unwrap();
        ids.push(one.id);
        if index % 4 == 0 {
            continue;
        }
        let run = claimed(&house, &workers[index % 2], one.id).await;
        match index % 4 {
            1 => finish(&house, &end(one.id, run.token, Outcome::Done(None))).await,
            2 => finish(&house, &end(one.id, run.token, failed())).await,
            _ => continue,
        };
    }
    let mut all = house.store().jobs_by_id(&ids).await.unwrap();
    all.sort_by_key(|job| std::cmp::Reverse((job.scheduled_at, job.id.to_string())));
    (house, all)
}

#[tokio::test]
async fn every_filter_lists_what_it_says_newest_first_with_the_exact_total() {
    let (house, all) = full_house().await;
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
        let filter = Filter {
            parent: None,
            action: action.clone(),
            worker: worker.clone(),
            statuses: status.clone(),
            since: since.map(Timestamp::from_ms),
            until: until.map(Timestamp::from_ms),
        };
        let matches = |job: &&Job| {
            filter.action.as_ref().is_none_or(|action| job.spec.action == *action)
                && filter.worker.as_ref().is_none_or(|worker| job.worker.as_ref() == Some(worker))
                && (filter.statuses.is_empty() || filter.statuses.contains(&job.status))
                && filter.since.is_none_or(|since| job.scheduled_at >= since)
                && filter.until.is_none_or(|until| job.scheduled_at <= until)
        };
        let wanted: Vec<_> = all.iter().filter(matches).map(|job| job.id).collect();
        let page = house.store().jobs(&filter, 3, 7).await.unwrap();
        assert_eq!(page.total, wanted.len() as u64, "{filter:?}");
        let found: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
        let wanted: Vec<_> = wanted.into_iter().skip(3).take(7).collect();
        assert_eq!(found, wanted, "{filter:?}");
    }
    house.close().await;
}
