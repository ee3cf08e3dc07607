//! Jobs are listed with filters, pages and orders.

use serde_json::{Value, json};

use super::fixtures::{error, numbers, submit_eight};
use crate::env::with_env;

#[tokio::test]
async fn each_filter_lists_the_matching_jobs() {
    with_env(async |env| {
        submit_eight(env).await;
        let started = env.get_v1("/job/3").await.json()["data"]["jobs"][0]["start_time"].clone();
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
            let answer = env.get_v1(&format!("/jobs?{query}")).await;
            assert_eq!(numbers(&answer), expected, "{query}");
            assert_eq!(answer.header("x-result-truncated"), None);
            assert_eq!(answer.header("x-result-order"), None);
            let total = if query.contains("per_page") { 8 } else { expected.len() };
            assert_eq!(answer.header("x-total-count"), Some(&*total.to_string()), "{query}");
        }
        let query = format!("/jobs?filter[start_time]={started}");
        assert!(numbers(&env.get_v1(&query).await).contains(&3), "{query}");
    })
    .await;
}

#[tokio::test]
async fn each_page_except_the_last_links_to_the_next_and_the_last() {
    with_env(async |env| {
        let jobs = vec![json!({"action": "noop"}); 7];
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let base = format!("{}/api/v1.0/jobs", env.url);
        let first = env.get_v1("/jobs/?per_page=3").await;
        assert_eq!(numbers(&first), [1, 2, 3]);
        assert_eq!(first.header("x-total-count"), Some("7"));
        let next = format!("<{base}?per_page=3&page=2>; rel=\"next\"");
        let last = format!("<{base}?per_page=3&page=3>; rel=\"last\"");
        assert_eq!(first.header("link"), Some(&*format!("{next},{last}")));
        let last = env.get_v1("/jobs?per_page=3&page=3&sort=-id").await;
        assert_eq!((numbers(&last), last.header("link")), (vec![1], None));
        for page in ["4", "99999999999999999999999", "18446744073709551615"] {
            for query in ["", "&filter[comment][contains]=x", "&sort=comment"] {
                let far = env.get_v1(&format!("/jobs?page={page}{query}")).await;
                assert_eq!((numbers(&far), far.header("x-total-count")), (vec![], Some("0")));
                assert_eq!(far.header("link"), None);
            }
        }
        let refused = env.get_v1("/jobs?per_page=1001").await;
        let text = "400 Unable to filter jobs: per_page argument must be integer between 1-1000";
        assert_eq!(error(&refused), text);
        let refused = env.get_v1("/jobs?filter[foo]=1").await;
        let text = "400 Unable to filter jobs: foo is not a valid attribute to filter on";
        assert_eq!(error(&refused), text);
    })
    .await;
}

#[tokio::test]
async fn a_long_list_keeps_the_order_of_its_index_and_names_it_in_a_header() {
    with_env(async |env| {
        let jobs: Vec<Value> = (0..2_100)
            .map(|at| {
                let due = format!("2020-01-01T00:{:02}:{:02}Z", 59 - at / 60, 59 - at % 60);
                json!({"action": "noop", "scheduledAt": due})
            })
            .collect();
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        for query in ["filter[status]=scheduled", "filter[function_name]=noop"] {
            let answer = env.get_v1(&format!("/jobs?{query}&per_page=2")).await;
            assert_eq!(numbers(&answer), [2100, 2099], "{query}");
            assert_eq!(answer.header("x-result-order"), Some("scheduled_time"));
            assert_eq!(answer.header("x-total-count"), Some("2100"));
            let both = env.get_v1(&format!("/jobs?{query}&sort=comment&per_page=2")).await;
            assert_eq!((numbers(&both), both.header("x-result-order")), (vec![1, 2], None));
        }
        assert_eq!(numbers(&env.get_v1("/jobs?per_page=2&page=1000").await), [1999, 2000]);
    })
    .await;
}
