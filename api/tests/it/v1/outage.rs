//! Redis is unavailable.

use serde_json::json;

use super::fixtures::error;
use crate::env::{free_address, with_env_on};

#[tokio::test]
async fn every_route_answers_503_in_the_shape_of_the_surface() {
    let redis = format!("redis://{}", free_address());
    with_env_on(&redis, async |env| {
        let paths = ["/jobs", "/jobs?filter[comment][contains]=x", "/job/1"];
        for path in paths {
            let answer = env.get_v1(path).await;
            assert!(error(&answer).starts_with("503 Service Unavailable"), "{}", answer.text);
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        let answer = env.put_v1(1, &json!({"action": "ABORT"})).await;
        assert!(error(&answer).starts_with("503 Service Unavailable"), "{}", answer.text);
    })
    .await;
}
