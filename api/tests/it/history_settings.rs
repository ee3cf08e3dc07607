//! The settings of the namespace.

use serde_json::json;

use crate::env::with_env;

#[tokio::test]
async fn a_change_of_some_settings_returns_all_of_them() {
    with_env(async |env| {
        let default = json!({
            "jobHistoryCompactionEnabled": true, "jobHistoryToKeep": 1_000_000,
            "jobHistoryMaxAge": "720h", "scanningDeadline": 0,
            "maxWaitingJobs": 1_000_000, "maxWaitingBytes": 1_073_741_824_u64,
        });
        assert_eq!(env.get("/meta/settings").await.json(), default);
        let nothing = env.post("/meta/settings", &json!({"jobHistoryToKeep": null})).await;
        assert_eq!((nothing.status, nothing.json()), (202, default));

        let changes = json!({"jobHistoryToKeep": 5, "scanningDeadline": 60});
        let changed = json!({
            "jobHistoryCompactionEnabled": true, "jobHistoryToKeep": 5,
            "jobHistoryMaxAge": "720h", "scanningDeadline": 60,
            "maxWaitingJobs": 1_000_000, "maxWaitingBytes": 1_073_741_824_u64,
        });
        let answer = env.post("/meta/settings", &changes).await;
        assert_eq!((answer.status, answer.json()), (202, changed));

        let changes = json!({"jobHistoryCompactionEnabled": false, "jobHistoryMaxAge": ""});
        assert_eq!(env.post("/meta/settings", &changes).await.status, 202);
        let changed = json!({
            "jobHistoryCompactionEnabled": false, "jobHistoryToKeep": 5, "jobHistoryMaxAge": "",
            "scanningDeadline": 60, "maxWaitingJobs": 1_000_000,
            "maxWaitingBytes": 1_073_741_824_u64,
        });
        assert_eq!(env.get("/meta/settings").await.json(), changed);
        let kept = env.store.settings().await.unwrap();
        assert_eq!((kept.job_history_to_keep, kept.job_history_compaction_enabled), (5, false));
    })
    .await;
}
