//! The audit log is bounded by age and by number, and refused requests displace no changes.

use store::{AUDIT_KEPT, AUDIT_REFUSED_KEPT, AuditFilter, AuditedChange};
use testkit::{PrivateRedis, TestEnv};

use crate::calls::redis_cli;

fn change(who: &str, status: u16) -> AuditedChange {
    let path = "/api/v0/jobs".to_owned();
    AuditedChange { who: who.to_owned(), status, path, ..AuditedChange::default() }
}

async fn count(env: &TestEnv, filter: &AuditFilter) -> usize {
    env.store().audit_records(filter, 0, 1).await.unwrap().1
}

#[tokio::test]
async fn refused_requests_displace_no_changes() {
    let env = TestEnv::new().await;
    let store = env.store();
    store.audit(&[change("anna", 202), change("vera", 403), change("otto", 404)]).await.unwrap();
    for _ in 0..11 {
        store.audit(&vec![change("vera", 403); AUDIT_REFUSED_KEPT / 10]).await.unwrap();
    }
    let refused = AuditFilter { refused: Some(true), ..AuditFilter::default() };
    let kept = count(&env, &refused).await;
    assert!((AUDIT_REFUSED_KEPT..AUDIT_REFUSED_KEPT + 200).contains(&kept), "{kept}");
    let all = AuditFilter::default();
    assert_eq!(count(&env, &all).await, kept + 2);
    let changes = AuditFilter { refused: Some(false), ..all.clone() };
    let (found, total) = store.audit_records(&changes, 0, 10).await.unwrap();
    let who: Vec<&str> = found.iter().map(|entry| entry.change.who.as_str()).collect();
    assert_eq!((who, total), (vec!["otto", "anna"], 2));
    let anna = AuditFilter { who: Some("anna".to_owned()), ..all };
    assert_eq!(count(&env, &anna).await, 1);
    env.close().await;
}

#[tokio::test]
async fn entries_of_both_kinds_are_listed_by_time_in_pages() {
    let env = TestEnv::new().await;
    let store = env.store();
    for at in 0..40 {
        // Calls on their own: entries of one call can have the same time.
        let status = if at % 3 == 0 { 403 } else { 202 };
        store.audit(&[change(&format!("{at}"), status)]).await.unwrap();
        let written = store.now().await.unwrap();
        let later = async || store.now().await.unwrap() > written;
        env.eventually("the next millisecond", later).await;
    }
    let page = async |start, limit| {
        let (found, total) =
            store.audit_records(&AuditFilter::default(), start, limit).await.unwrap();
        assert_eq!(total, 40);
        found.into_iter().map(|entry| entry.change.who.parse().unwrap()).collect::<Vec<usize>>()
    };
    assert_eq!(page(0, 100).await, (0..40).rev().collect::<Vec<_>>());
    assert_eq!(page(7, 5).await, [32, 31, 30, 29, 28]);
    assert_eq!(page(40, 5).await, [] as [usize; 0]);
    env.close().await;
}

#[tokio::test]
async fn entries_are_removed_by_age() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let store = env.store();
    store.audit(&[change("anna", 202), change("vera", 403)]).await.unwrap();
    let keys = redis_cli(redis.url(), ["keys", "*audit*"].map(str::to_owned)).await;
    for key in keys.lines() {
        // The entries above are newer than these, so the stream begins anew.
        redis_cli(redis.url(), ["del", key].map(str::to_owned)).await;
        for at in 1..=100 {
            let entry = ["xadd", key, &format!("{at}-0"), "status", "202", "who", "old"];
            redis_cli(redis.url(), entry.map(str::to_owned)).await;
        }
    }
    assert_eq!(count(&env, &AuditFilter::default()).await, 200);
    store.audit(&[change("anna", 202), change("vera", 403)]).await.unwrap();
    let (found, _) = store.audit_records(&AuditFilter::default(), 0, 10).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    env.close().await;
}

#[tokio::test]
async fn the_number_of_changes_is_bounded() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    env.store().audit(&[change("anna", 202)]).await.unwrap();
    let key = redis_cli(redis.url(), ["keys", "*audit*"].map(str::to_owned)).await;
    let many = AUDIT_KEPT + 1_000;
    let add = format!("for _ = 1, {many} do redis.call('xadd', KEYS[1], '*', 'status', 202) end");
    redis_cli(redis.url(), ["eval", &add, "1", key.trim()].map(str::to_owned)).await;
    assert_eq!(count(&env, &AuditFilter::default()).await, many + 1);
    env.store().audit(&[change("anna", 202)]).await.unwrap();
    let kept = count(&env, &AuditFilter::default()).await;
    assert!((AUDIT_KEPT..AUDIT_KEPT + 200).contains(&kept), "{kept}");
    env.close().await;
}
