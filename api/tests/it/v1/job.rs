//! A job is returned by number.

use serde_json::json;

use super::fixtures::{error, numbers, submit_eight};
use crate::env::with_env;

#[tokio::test]
async fn a_job_has_every_key_of_the_reference() {
    with_env(async |env| {
        submit_eight(env).await;
        let answer = env.get_v1("/job/03/?filter_jobresult=config,diff").await;
        let start =
            r#"{"status":"success","data":{"jobs":[{"id":3,"status":"FINISHED","scheduled_time":"#;
        assert!(
            answer.text.starts_with(start),
            "the keys have the order of the reference: {}",
            answer.text
        );
        assert_eq!(numbers(&answer), [3]);
        let job = &answer.json()["data"]["jobs"][0];
        assert_eq!(job.as_object().unwrap().len(), 15);
        assert_eq!((&job["status"], &job["next_job_id"]), (&json!("FINISHED"), &json!(8)));
        assert_eq!(
            (&job["change_score"], &job["function_name"]),
            (&json!(21), &json!("sync_devices"))
        );
        let tasks = json!([{"task_name": "push"}]);
        assert_eq!(job["result"]["devices"]["eosdist"]["job_tasks"], tasks);
        let exception = &env.get_v1("/job/4").await.json()["data"]["jobs"][0]["exception"];
        assert_eq!(exception["type"], "ExitCode");
        let due = &env.get_v1("/job/7").await.json()["data"]["jobs"][0]["scheduled_time"];
        assert_eq!(due, "2100-01-01T00:00:00.500000");

        for path in ["/job/9", "/job/0", "/job/99999999999999999999999999"] {
            let number = path.rsplit('/').next().unwrap();
            let expected = format!("400 No job with id {number} found");
            assert_eq!(error(&env.get_v1(path).await), expected);
        }
        for path in ["/job/abc", "/job/-1", "/job", "/jobs/1", "", "/devices", "/job/%ff"] {
            let route = format!("there is no route \"/api/v1.0{path}\"");
            assert_eq!(error(&env.get_v1(path).await), format!("404 Not Found: {route}"));
        }
    })
    .await;
}
