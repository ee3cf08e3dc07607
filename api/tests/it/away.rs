//! While Redis is away, when it comes back, and when it goes in the middle of something.

use serde_json::{Value, json};
use shared::job::JobId;
use shared::store::Filter;

use crate::house::{eventually, free_address, house_over, send};
use crate::proxy::Proxy;

#[tokio::test]
async fn every_route_answers_503_with_retry_after_while_redis_is_away() {
    let redis = format!("redis://{}", free_address());
    house_over(&redis, async |house| {
        let id = JobId::random();
        let one = format!("/jobs/{id}");
        let logs = format!("/jobs/{id}/logs");
        let stream = format!("/jobs/{id}/logs?stream=true");
        for path in ["/jobs", &one, &logs, &stream, "/workers", "/workers/0123456789ab"] {
            let answer = house.get(path).await;
            assert_eq!(answer.code(), "503 UNAVAILABLE", "{path}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
        }
        let batch = json!({"jobs": [{"action": "noop"}]});
        for (path, body) in [("/jobs", json!({"action": "noop"})), ("/jobs/batch", batch)] {
            let answer = house.post(path, &body).await;
            assert_eq!(answer.code(), "503 UNAVAILABLE", "{path}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
        }
        assert_eq!(house.get("/docs.json").await.status, 200);
        assert_eq!(house.post("/jobs", &json!({})).await.code(), "400 INVALID_PARAMETERS");
        let ready = send(house.client.get(format!("{}/readyz", house.admin))).await;
        assert_eq!(ready.status, 503, "{}", ready.text);
        assert_eq!(send(house.client.get(format!("{}/livez", house.admin))).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn it_serves_as_soon_as_redis_is_there() {
    let address = free_address();
    house_over(&format!("redis://{address}"), async |house| {
        assert_eq!(house.get("/jobs").await.code(), "503 UNAVAILABLE");
        let _proxy = Proxy::open(address, u64::MAX).await;
        eventually(async || house.get("/jobs").await, |answer| answer.status == 200).await;
        house.submit(&json!({"action": "noop"})).await;
        let ready = async || send(house.client.get(format!("{}/readyz", house.admin))).await;
        eventually(ready, |answer| answer.status == 200).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_whose_connection_breaks_is_neither_cut_nor_doubled() {
    let address = free_address();
    let proxy = Proxy::open(address, 400_000).await;
    house_over(&format!("redis://{address}"), async |house| {
        let job = |at: u32| json!({"action": "noop", "parameters": {"at": at}});
        let jobs: Vec<Value> = (0..5_000).map(job).collect();
        let answer = house.post("/jobs/batch", &json!({"jobs": jobs})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert!(proxy.has_cut());
        let answered = answer.json();
        assert_eq!(answered["jobs"].as_array().unwrap().len(), 5_000);
        let kept = house.store.jobs(&Filter::default(), 0, 0).await.unwrap().total;
        assert_eq!(kept, 5_000);
    })
    .await;
}
