//! Locks are listed and cleared.

use serde_json::{Value, json};

use crate::env::{send, with_env};

#[tokio::test]
async fn a_lock_is_listed_and_cleared_as_the_reference_does() {
    with_env(async |env| {
    let worker = env.worker("default=16", &["sync"]).await;
    let job =
        json!({"action": "sync", "locks": ["devices", "site-{{site}}"], "parameters": {"site": 7}});
    let holder = env.submit(&job).await;
    env.submit(&json!({"action": "sync", "locks": ["devices"]})).await;
    let none = env.get_v1("/joblocks").await.json();
    assert_eq!(none, json!({"status": "success", "data": {"locks": []}}));
    env.claim(&worker, holder).await;
    let locks = env.get_v1("/joblocks").await.json()["data"]["locks"].clone();
    let shown = |at: usize, field: &str| locks[at][field].clone();
    assert_eq!(locks.as_array().unwrap().len(), 2, "{locks}");
    assert_eq!((shown(0, "name"), shown(1, "name")), (json!("devices"), json!("site-7")));
    assert_eq!((shown(0, "job_id"), shown(0, "abort")), (json!(1), json!(false)));
    let start = shown(0, "start_time").as_str().unwrap().to_owned();
    assert!(start.contains(' ') && !start.contains('Z'), "{start}");

    let limit = env.post("/locks", &json!({"name": "action:sync", "permits": 5})).await;
    assert_eq!(limit.status, 202);
    let url = format!("{}/api/v1.0/joblocks", env.url);
    let clear = async |body: &Value| send(env.client.delete(&url).json(body)).await;
    let cleared = clear(&json!({"name": "devices"})).await;
    let data = json!({"name": "devices", "status": "deleted"});
    assert_eq!(cleared.json(), json!({"status": "success", "data": data}));
    for (body, status, message) in [
        (json!({"name": "devices"}), 404, "No such lock found in database"),
        (json!({"name": "two words"}), 404, "No such lock found in database"),
        (json!({"name": "action:sync"}), 404, "No such lock found in database"),
        (json!({"name": ""}), 400, "No lock name specified"),
        (json!({}), 400, "No lock name specified"),
        (json!({"name": 7}), 400, "Bad Request: name: it must be a string"),
    ] {
        let refused = clear(&body).await;
        assert_eq!(refused.status, status, "{body}");
        assert_eq!(refused.json(), json!({"status": "error", "message": message}), "{body}");
    }
    assert_eq!(
        env.get_v1("/joblocks").await.json()["data"]["locks"].as_array().unwrap().len(),
        1
    );
    })
    .await;
}
