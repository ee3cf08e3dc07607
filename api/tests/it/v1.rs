//! The CNaaS-NMS surface as its clients meet it.

use reqwest::Method;
use serde_json::{Value, json};
use shared::job::{JobId, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{Answer, House, free_address, house, house_over, redis_url, send};

impl House {
    /// Asks for a path of the v1.0 surface.
    pub(crate) async fn get_v1(&self, path: &str) -> Answer {
        send(self.client.get(format!("{}/api/v1.0{path}", self.url))).await
    }

    async fn put_v1(&self, number: u64, body: &Value) -> Answer {
        let url = format!("{}/api/v1.0/job/{number}", self.url);
        send(self.client.put(url).json(body)).await
    }

    async fn running(&self, action: &str) -> (JobId, Token) {
        let worker = self.worker("default=16", &[action]).await;
        let id = self.submit(&json!({"action": action, "comment": "Night of 50%"})).await;
        (id, self.claim(&worker, id).await)
    }
}

/// Writes what an action's own words will write: that one job goes on with another.
async fn link(house: &House, from: JobId, to: JobId) {
    let keys = house.store.keys_of_namespace().await.unwrap();
    let key = keys.iter().find(|key| key.ends_with(&format!("job:{from}"))).unwrap();
    let url = redis_url();
    let address = url.trim_start_matches("redis://").split('/').next().unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(format!("HSET {key} next {to}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 4];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b":1\r\n");
}

/// Numbers of the jobs that were answered.
fn numbers(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["status"], "success");
    let jobs = json["data"]["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_u64().unwrap()).collect()
}

fn error(answer: &Answer) -> String {
    let json = answer.json();
    assert_eq!(json["status"], "error", "{}", answer.text);
    assert_eq!(json.as_object().unwrap().len(), 2, "{}", answer.text);
    format!("{} {}", answer.status, json["message"].as_str().unwrap())
}

/// Jobs 1 to 8: scheduled, running, finished, an exception, aborted, aborting, scheduled in a far
/// year, and the one that job 3 goes on with.
async fn eight(house: &House) {
    house.submit(&json!({"action": "gc", "ticketRef": "OPS-1"})).await;
    house.running("scan").await;
    let (third, token) = house.running("sync_devices").await;
    let tasks = json!([{"task_name": "push"}, {"task_name": "generate"}, {"task_name": "sync"}]);
    let result = json!({"change_score": 21, "devices": {"eosdist": {"job_tasks": tasks}}});
    house.finish(third, token, Some(result)).await;
    let (failed, token) = house.running("scan").await;
    house.fail(failed, token).await;
    let aborted = house.submit(&json!({"action": "gc"})).await;
    assert_eq!(house.command(&format!("/jobs/{aborted}/cancel")).await.status, 204);
    let (aborting, _) = house.running("scan").await;
    assert_eq!(house.command(&format!("/jobs/{aborting}/cancel")).await.status, 204);
    house.submit(&json!({"action": "gc", "scheduledAt": "2100-01-01T00:00:00.5Z"})).await;
    let last = house.submit(&json!({"action": "gc"})).await;
    link(house, third, last).await;
}

#[tokio::test]
async fn each_filter_lists_what_it_names() {
    house(async |house| {
        eight(house).await;
        let started = house.get_v1("/job/3").await.json()["data"]["jobs"][0]["start_time"].clone();
        let started = started.as_str().unwrap().to_owned();
        let cases: [(&str, &[u64]); 35] = [
            ("", &[1, 2, 3, 4, 5, 6, 7, 8]),
            ("sort=-id", &[8, 7, 6, 5, 4, 3, 2, 1]),
            ("sort=-scheduled_time&per_page=1", &[7]),
            ("sort=status", &[1, 7, 8, 2, 3, 4, 5, 6]),
            ("sort=-start_time&per_page=4", &[8, 7, 5, 1]),
            ("sort=ticket_ref&per_page=2", &[1, 2]),
            ("sort=-change_score&per_page=8", &[8, 7, 6, 5, 4, 2, 1, 3]),
            ("sort=next_job_id&per_page=1", &[3]),
            ("sort=function_name", &[1, 5, 7, 8, 2, 4, 6, 3]),
            ("filter[status]=scheduled", &[1, 7, 8]),
            ("filter[status]=SCHEDULED&sort=-id", &[8, 7, 1]),
            ("filter[status]=SCHEDULED&sort=-scheduled_time", &[7, 8, 1]),
            ("filter[status]=RUNNING", &[2]),
            ("filter[status]=FINISHED", &[3]),
            ("filter[status]=EXCEPTION", &[4]),
            ("filter[status]=ABORTED", &[5]),
            ("filter[status]=ABORTING", &[6]),
            ("filter[status]=UNKNOWN", &[]),
            ("filter[function.name]=scan", &[2, 4, 6]),
            ("filter[function.name]=scan&filter[status]=RUNNING", &[2]),
            ("filter[function_name]=sc an", &[]),
            ("filter[function_name][contains]=SYNC", &[3]),
            ("filter[id]=4", &[4]),
            ("filter[id]=4&filter[status]=RUNNING", &[]),
            ("filter[id]=-1", &[]),
            ("filter[id]=4&filter[id][eq]=2", &[]),
            ("filter[next.job.id]=8", &[3]),
            ("filter[next_job_id]=77", &[]),
            ("filter[change_score]=21", &[3]),
            ("filter[comment][contains]=night%20of%2050_", &[2, 3, 4, 6]),
            ("filter[comment][contains]=", &[2, 3, 4, 6]),
            ("filter[ticket_ref]=OPS-1", &[1]),
            ("filter[ticket_ref]=ops-1", &[]),
            ("filter[scheduled_by]=unknown&filter[status]=finished", &[3]),
            ("filter[scheduled_time]=2100-01-01%2000:00:00.500000", &[7]),
        ];
        for (query, expected) in cases {
            let answer = house.get_v1(&format!("/jobs?{query}")).await;
            assert_eq!(numbers(&answer), expected, "{query}");
            assert_eq!(answer.header("x-result-truncated"), None);
            assert_eq!(answer.header("x-result-order"), None);
            let total = if query.contains("per_page") { 8 } else { expected.len() };
            assert_eq!(answer.header("x-total-count"), Some(&*total.to_string()), "{query}");
        }
        let query = format!("/jobs?filter[start_time]={started}");
        assert!(numbers(&house.get_v1(&query).await).contains(&3), "{query}");
    })
    .await;
}

#[tokio::test]
async fn a_job_is_shown_with_what_is_known_of_it() {
    house(async |house| {
        eight(house).await;
        let answer = house.get_v1("/job/03/?filter_jobresult=config,diff").await;
        let start =
            r#"{"status":"success","data":{"jobs":[{"id":3,"status":"FINISHED","scheduled_time":"#;
        assert!(answer.text.starts_with(start), "in the order of the reference: {}", answer.text);
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
        let exception = &house.get_v1("/job/4").await.json()["data"]["jobs"][0]["exception"];
        assert_eq!(exception["type"], "ExitCode");
        let due = &house.get_v1("/job/7").await.json()["data"]["jobs"][0]["scheduled_time"];
        assert_eq!(due, "2100-01-01T00:00:00.500000");

        for path in ["/job/9", "/job/0", "/job/99999999999999999999999999"] {
            let number = path.rsplit('/').next().unwrap();
            let expected = format!("400 No job with id {number} found");
            assert_eq!(error(&house.get_v1(path).await), expected);
        }
        for path in ["/job/abc", "/job/-1", "/job", "/jobs/1", "", "/devices", "/job/%ff"] {
            let route = format!("there is no route \"/api/v1.0{path}\"");
            assert_eq!(error(&house.get_v1(path).await), format!("404 Not Found: {route}"));
        }
    })
    .await;
}

#[tokio::test]
async fn pages_lead_on_to_the_last_one() {
    house(async |house| {
        let jobs = vec![json!({"action": "noop"}); 7];
        assert_eq!(house.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let base = format!("{}/api/v1.0/jobs", house.url);
        let first = house.get_v1("/jobs/?per_page=3").await;
        assert_eq!(numbers(&first), [1, 2, 3]);
        assert_eq!(first.header("x-total-count"), Some("7"));
        let next = format!("<{base}?per_page=3&page=2>; rel=\"next\"");
        let last = format!("<{base}?per_page=3&page=3>; rel=\"last\"");
        assert_eq!(first.header("link"), Some(&*format!("{next},{last}")));
        let last = house.get_v1("/jobs?per_page=3&page=3&sort=-id").await;
        assert_eq!((numbers(&last), last.header("link")), (vec![1], None));
        for page in ["4", "99999999999999999999999", "18446744073709551615"] {
            for query in ["", "&filter[comment][contains]=x", "&sort=comment"] {
                let far = house.get_v1(&format!("/jobs?page={page}{query}")).await;
                assert_eq!((numbers(&far), far.header("x-total-count")), (vec![], Some("0")));
                assert_eq!(far.header("link"), None);
            }
        }
        let refused = house.get_v1("/jobs?per_page=1001").await;
        let text = "400 Unable to filter jobs: per_page argument must be integer between 1-1000";
        assert_eq!(error(&refused), text);
        let refused = house.get_v1("/jobs?filter[foo]=1").await;
        let text = "400 Unable to filter jobs: foo is not a valid attribute to filter on";
        assert_eq!(error(&refused), text);
    })
    .await;
}

#[tokio::test]
async fn many_jobs_of_an_index_keep_its_order_and_the_answer_says_so() {
    house(async |house| {
        let jobs: Vec<Value> = (0..2_100)
            .map(|at| {
                let due = format!("2020-01-01T00:{:02}:{:02}Z", 59 - at / 60, 59 - at % 60);
                json!({"action": "noop", "scheduledAt": due})
            })
            .collect();
        assert_eq!(house.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        for query in ["filter[status]=scheduled", "filter[function_name]=noop"] {
            let answer = house.get_v1(&format!("/jobs?{query}&per_page=2")).await;
            assert_eq!(numbers(&answer), [2100, 2099], "{query}");
            assert_eq!(answer.header("x-result-order"), Some("scheduled_time"));
            assert_eq!(answer.header("x-total-count"), Some("2100"));
            let both = house.get_v1(&format!("/jobs?{query}&sort=comment&per_page=2")).await;
            assert_eq!((numbers(&both), both.header("x-result-order")), (vec![1, 2], None));
        }
        assert_eq!(numbers(&house.get_v1("/jobs?per_page=2&page=1000").await), [1999, 2000]);
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_job_is_aborted_at_once_and_a_running_one_is_asked_to_stop() {
    house(async |house| {
        house.submit(&json!({"action": "gc"})).await;
        let answer = house.put_v1(1, &json!({"action": "abort", "abort_reason": "no"})).await;
        assert_eq!(numbers(&answer), [1]);
        let job = answer.json()["data"]["jobs"][0].clone();
        assert_eq!(job["status"], "ABORTED");
        assert_eq!(job["result"], json!({"message": "no (aborted by unknown)"}));
        assert_eq!((&job["start_time"], job["finish_time"].is_string()), (&Value::Null, true));

        let (id, token) = house.running("scan").await;
        let long = "x".repeat(300);
        let body = json!({"action": "ABORT", "abort_reason": long});
        let answer = house.put_v1(2, &body).await;
        assert_eq!(answer.json()["data"]["jobs"][0]["status"], "ABORTING");
        let again = house.put_v1(2, &json!({"action": "ABORT"})).await;
        let text =
            "400 Job id 2 is in state JobStatus.ABORTING, must be SCHEDULED or RUNNING to abort";
        assert_eq!(error(&again), text);
        house.stopped(id, token).await;
        let job = house.get_v1("/job/2").await.json()["data"]["jobs"][0].clone();
        let message = format!("{} (aborted by unknown)", "x".repeat(255));
        assert_eq!(
            (&job["status"], &job["result"]["message"]),
            (&json!("ABORTED"), &json!(message))
        );

        // A published client sends no body at all.
        house.submit(&json!({"action": "gc"})).await;
        let url = format!("{}/api/v1.0/job/3", house.url);
        let answer = send(house.client.put(url)).await;
        let result = &answer.json()["data"]["jobs"][0]["result"];
        assert_eq!(*result, json!({"message": "Aborted via API call (aborted by unknown)"}));
    })
    .await;
}

#[tokio::test]
async fn an_abort_that_is_none_is_refused_in_the_words_of_the_reference() {
    house(async |house| {
        let (id, token) = house.running("scan").await;
        let cases = [
            (7, json!({}), "400 Action must be specified"),
            (7, json!({"action": "FOO"}), "400 No job with id 7 found"),
            (1, json!({"action": "foo"}), "400 Unknown action: FOO"),
            (1, json!({"action": null}), "400 Unknown action: NONE"),
            (1, json!({"action": 5}), "400 Unknown action: 5"),
            (1, json!([]), "400 Bad Request: body: it must be a JSON object"),
            (1, json!(null), "400 Bad Request: body: it must be a JSON object"),
        ];
        for (number, body, expected) in cases {
            assert_eq!(error(&house.put_v1(number, &body).await), expected, "{body}");
        }
        let put = |kind: &str, body: &str| {
            let url = format!("{}/api/v1.0/job/1", house.url);
            send(house.client.put(url).header("content-type", kind).body(body.to_owned()))
        };
        let form = put("application/x-www-form-urlencoded", "action=ABORT").await;
        assert!(error(&form).starts_with("415 Unsupported Media Type"), "{}", form.text);
        let broken = put("application/json", "{").await;
        assert!(error(&broken).starts_with("400 Bad Request: the body is no JSON"));
        let large = put("application/json", &" ".repeat(1024 * 1024 + 1)).await;
        assert!(error(&large).starts_with("413 Request Entity Too Large"));
        for method in [Method::POST, Method::DELETE, Method::PATCH] {
            let url = format!("{}/api/v1.0/job/1", house.url);
            let answer = send(house.client.request(method, url)).await;
            assert!(error(&answer).starts_with("405 Method Not Allowed"), "{}", answer.text);
        }
        assert_eq!(house.show(id).await["status"], "running");

        house.finish(id, token, None).await;
        let late = house.put_v1(1, &json!({"action": "ABORT"})).await;
        let text =
            "400 Job id 1 is in state JobStatus.FINISHED, must be SCHEDULED or RUNNING to abort";
        assert_eq!(error(&late), text);
    })
    .await;
}

#[tokio::test]
async fn while_redis_is_away_every_route_says_so_in_the_shape_of_the_surface() {
    let redis = format!("redis://{}", free_address());
    house_over(&redis, async |house| {
        let paths = ["/jobs", "/jobs?filter[comment][contains]=x", "/job/1"];
        for path in paths {
            let answer = house.get_v1(path).await;
            assert!(error(&answer).starts_with("503 Service Unavailable"), "{}", answer.text);
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        let answer = house.put_v1(1, &json!({"action": "ABORT"})).await;
        assert!(error(&answer).starts_with("503 Service Unavailable"), "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn a_lock_is_listed_and_cleared_as_the_reference_does() {
    house(async |house| {
    let worker = house.worker("default=16", &["sync"]).await;
    let job =
        json!({"action": "sync", "locks": ["devices", "site-{{site}}"], "parameters": {"site": 7}});
    let holder = house.submit(&job).await;
    house.submit(&json!({"action": "sync", "locks": ["devices"]})).await;
    let none = house.get_v1("/joblocks").await.json();
    assert_eq!(none, json!({"status": "success", "data": {"locks": []}}));
    house.claim(&worker, holder).await;
    let locks = house.get_v1("/joblocks").await.json()["data"]["locks"].clone();
    let shown = |at: usize, field: &str| locks[at][field].clone();
    assert_eq!(locks.as_array().unwrap().len(), 2, "{locks}");
    assert_eq!((shown(0, "name"), shown(1, "name")), (json!("devices"), json!("site-7")));
    assert_eq!((shown(0, "job_id"), shown(0, "abort")), (json!(1), json!(false)));
    let start = shown(0, "start_time").as_str().unwrap().to_owned();
    assert!(start.contains(' ') && !start.contains('Z'), "{start}");

    let limit = house.post("/locks", &json!({"name": "action:sync", "permits": 5})).await;
    assert_eq!(limit.status, 202);
    let url = format!("{}/api/v1.0/joblocks", house.url);
    let clear = async |body: &Value| send(house.client.delete(&url).json(body)).await;
    let cleared = clear(&json!({"name": "devices"})).await;
    let data = json!({"name": "devices", "status": "deleted"});
    assert_eq!(cleared.json(), json!({"status": "success", "data": data}));
    for (body, status, message) in [
        (json!({"name": "devices"}), 404, "No such lock found in database"),
        (json!({"name": "two words"}), 404, "No such lock found in database"),
        (json!({"name": "action:sync"}), 404, "No such lock found in database"),
        (json!({"name": ""}), 400, "No lock name specified"),
        (json!({}), 400, "No lock name specified"),
        (json!({"name": 7}), 400, "Bad Request: name: it must be a text"),
    ] {
        let refused = clear(&body).await;
        assert_eq!(refused.status, status, "{body}");
        assert_eq!(refused.json(), json!({"status": "error", "message": message}), "{body}");
    }
    assert_eq!(
        house.get_v1("/joblocks").await.json()["data"]["locks"].as_array().unwrap().len(),
        1
    );
    })
    .await;
}
