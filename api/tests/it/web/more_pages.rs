//! The pages that find, change and explain: what they show and what their forms do.

use domain::access_tokens::Role;
use serde_json::json;

use super::Visitor;
use crate::env::{send, with_env};
use crate::token_files::with_tokens;

#[tokio::test]
async fn the_list_is_narrowed_by_links_to_values_with_their_numbers() {
    with_env(async |env| {
        for host in ["sw1", "sw1", "sw 2"] {
            env.submit(&json!({"action": "scan", "parameters": {"host": host}})).await;
        }
        env.submit(&json!({"action": "gc"})).await;
        let visitor = Visitor::new(env);
        let page = visitor.open("/jobs").await.text;
        let link = r#"<a href="/jobs?q=param.host%3Asw1">sw1 <span class="count">2</span></a>"#;
        assert!(page.contains(link), "{page}");
        let quoted = r#"href="/jobs?q=param.host%3A%22sw+2%22""#;
        assert!(page.contains(quoted), "{page}");
        let page = visitor.open("/jobs?q=action:scan+param.host:sw1").await.text;
        assert!(page.contains("1–2 of 2"), "{page}");
        assert!(page.contains(r#"<a href="/jobs?q=action%3Ascan" title="Remove this term">"#));
        assert!(page.contains("capstan jobs list -q &#39;action:scan param.host:sw1&#39;"));
        let invalid = visitor.open("/jobs?q=stat:x").await;
        assert_eq!(invalid.status, 400);
        assert!(invalid.text.contains("q: character 1: unknown key &quot;stat&quot;"));
        assert!(invalid.text.contains(r#"value="stat:x""#), "it can be corrected");
    })
    .await;
}

#[tokio::test]
async fn jobs_actions_workers_crons_and_locks_are_found_by_their_names() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["backup", "scan"]).await;
        let id = env.submit(&json!({"action": "backup", "locks": ["backup/db"]})).await;
        env.claim(&worker, id).await;
        env.post("/crons", &json!({"name": "backup-db", "action": "backup", "schedule": "@daily"}))
            .await;
        let visitor = Visitor::new(env);
        let page = visitor.open("/find?q=BACKUP").await.text;
        for link in ["/jobs?action=backup", "/crons/backup-db", "/locks/backup%2Fdb"] {
            assert!(page.contains(&format!("href=\"{link}\"")), "{link}: {page}");
        }
        assert!(page.contains("href=\"/jobs?q=BACKUP\""), "{page}");
        for text in ["1", "%231", &id.to_string()] {
            let page = visitor.open(&format!("/find?q={text}")).await.text;
            assert!(page.contains(&format!("href=\"/jobs/{id}\"")), "{text}: {page}");
        }
        let page = visitor.open(&format!("/find?q={worker}")).await.text;
        assert!(page.contains(&format!("href=\"/workers/{worker}\"")), "{page}");
        assert!(visitor.open("/find").await.text.contains("href=\"/settings\""));
    })
    .await;
}

#[tokio::test]
async fn the_audit_is_filtered_and_shows_what_was_refused() {
    with_tokens(async |env, tokens| {
        let as_role =
            |role: Role, method: &str, path: &str| env.request_as(method, path, tokens.of(role));
        let job = json!({"action": "noop"});
        send(as_role(Role::Operator, "POST", "/jobs").json(&job)).await;
        send(as_role(Role::Viewer, "POST", "/jobs").json(&job)).await;
        let anna = Visitor::logged_in(env, tokens.of(Role::Admin)).await;
        let page = async |query: &str| anna.open(&format!("/audit{query}")).await.text;
        let has = async |query: &str| {
            let text = page(query).await;
            (text.contains("<td>otto "), text.contains("<td>vera "))
        };
        crate::env::eventually(async || has("").await, |found| *found == (true, true)).await;
        assert_eq!(has("?who=otto").await, (true, false));
        assert_eq!(has("?refused=true").await, (false, true));
        assert_eq!(has("?since=1h&refused=false").await, (true, false));
        let invalid = anna.open("/audit?since=yesterday").await;
        assert_eq!(invalid.status, 400);
        assert!(invalid.text.contains("since: &quot;yesterday&quot; is not valid"));
        let vera = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        assert_eq!(vera.open("/audit").await.status, 403);
        assert!(!vera.open("/").await.text.contains("href=\"/audit\""));
    })
    .await;
}

#[tokio::test]
async fn the_settings_name_tokens_to_admins_but_never_their_values() {
    with_tokens(async |env, tokens| {
        let anna = Visitor::logged_in(env, tokens.of(Role::Admin)).await;
        let page = anna.open("/settings").await.text;
        for owner in ["vera", "otto", "anna"] {
            assert!(page.contains(&format!("<td class=\"c-job\">{owner}</td>")), "{page}");
        }
        for role in Role::ALL {
            assert!(!page.contains(tokens.of(role)));
        }
        assert!(page.contains("1,000,000"), "{page}");
        let otto = Visitor::logged_in(env, tokens.of(Role::Operator)).await;
        assert!(!otto.open("/settings").await.text.contains("<td class=\"c-job\">vera</td>"));
    })
    .await;
}

#[tokio::test]
async fn a_subscription_is_paused_resumed_and_tested() {
    with_env(async |env| {
        let subscription = json!({"name": "ops", "url": "http://192.0.2.7/", "events": ["job"]});
        assert_eq!(env.post("/subscriptions", &subscription).await.status, 202);
        let visitor = Visitor::new(env);
        assert!(visitor.open("/subscriptions").await.text.contains("http://192.0.2.7/"));
        let paused = visitor.submit("/subscriptions/ops/pause", "").await;
        let next = "/subscriptions/ops?did=pause-subscription";
        assert_eq!((paused.status, paused.header("location")), (303, Some(next)));
        assert_eq!(env.get("/subscriptions/ops").await.json()["paused"], true);
        visitor.submit("/subscriptions/ops/resume", "").await;
        assert_eq!(env.get("/subscriptions/ops").await.json()["paused"], false);
        let tested = visitor.submit("/subscriptions/ops/test", "").await;
        let job = tested.header("location").unwrap();
        assert!(visitor.open(job).await.text.contains("This job sends the test message."));
        let jobs = "/jobs?q=action%3Adeliver+by%3A%22subscription+ops%22";
        let page = visitor.open("/subscriptions/ops").await.text;
        assert!(page.contains(&format!("href=\"{jobs}\"")), "{page}");
        assert!(visitor.open(jobs).await.text.contains("1–1 of 1"));
        assert_eq!(visitor.open("/subscriptions/other").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_job_is_changed_and_any_job_is_submitted_again_with_changes() {
    with_env(async |env| {
        let job = json!({"action": "scan", "parameters": {"host": "sw1"}, "capacityMap": {"a": 2},
            "locks": ["l"], "priority": "low", "retries": 3});
        let id = env.submit(&job).await;
        let visitor = Visitor::new(env);
        let page = visitor.open(&format!("/jobs/{id}/edit")).await.text;
        assert!(page.contains("&quot;host&quot;: &quot;sw1&quot;"), "{page}");
        let change = format!("/jobs/{id}/change");
        let changed = visitor.submit(&change, "priority=high&scheduledAt=1h").await;
        assert_eq!(changed.status, 303, "{}", changed.text);
        assert_eq!(env.show(id).await["priority"], "high");
        let refused = visitor.submit(&change, "priority=high&scheduledAt=tomorrow").await;
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains("scheduledAt: &quot;tomorrow&quot; is not valid"));
        assert!(refused.text.contains("value=\"tomorrow\""), "it can be corrected");

        let body =
            "priority=normal&retries=1&comment=again&parameters=%7B%22host%22%3A%22sw2%22%7D";
        let repeated = visitor.submit(&format!("/jobs/{id}/repeat"), body).await;
        let next = repeated.header("location").unwrap();
        let new: domain::job::JobId = next[6..42].parse().unwrap();
        let new = env.show(new).await;
        assert_eq!(new["parameters"], json!({"host": "sw2"}));
        assert_eq!((&new["retriesTotal"], &new["comment"]), (&json!(1), &json!("again")));
        assert_eq!((&new["capacityMap"], &new["locks"]), (&json!({"a": 2}), &json!({"l": 1})));
        let broken = visitor.submit(&format!("/jobs/{id}/repeat"), "parameters=%7B").await;
        assert_eq!(broken.status, 400);
        assert!(broken.text.contains("parameters: it is not valid JSON"), "{}", broken.text);
    })
    .await;
}

#[tokio::test]
async fn a_job_with_hidden_values_is_not_submitted_again_from_the_page() {
    with_env(async |env| {
        let parameters =
            json!({"url": "http://192.0.2.7/", "headers": {"authorization": "hunter2"}});
        let id = env.submit(&json!({"action": "webhook", "parameters": parameters})).await;
        let visitor = Visitor::new(env);
        let page = visitor.open(&format!("/jobs/{id}/edit")).await.text;
        assert!(page.contains("cannot be submitted again") && !page.contains("hunter2"), "{page}");
        let body = "parameters=%7B%22url%22%3A%22http%3A%2F%2Fevil.example%22%7D";
        let refused = visitor.submit(&format!("/jobs/{id}/repeat"), body).await;
        assert_eq!(refused.status, 400);
        assert!(!refused.text.contains("hunter2"));
        assert_eq!(env.get("/jobs").await.header("x-total-count"), Some("1"));
    })
    .await;
}

#[tokio::test]
async fn a_cron_is_explained_created_and_edited_without_javascript() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let explained = "/cron-editor?schedule=0+30+2+*+*+MON-FRI&timeZone=Europe/Berlin";
        let page = visitor.open(explained).await.text;
        assert!(page.contains("02:30:00"), "{page}");
        let invalid = visitor.open("/cron-editor?schedule=61+*+*+*+*").await.text;
        assert!(invalid.contains("class=\"bad\""), "{invalid}");
        let body = "name=nightly&action=backup&schedule=%40daily&parameters=%7B%22db%22%3A1%7D";
        let saved = visitor.submit("/crons", body).await;
        let next = "/crons/nightly?did=save-cron";
        assert_eq!((saved.status, saved.header("location")), (303, Some(next)));
        let again = visitor.submit("/crons", body).await;
        assert_eq!(again.status, 400);
        assert!(again.text.contains("there is a cron nightly already"), "{}", again.text);
        let declared = json!({"name": "nightly", "action": "backup", "schedule": "@daily",
            "parameters": {"db": 1}, "locks": ["db"], "deadline": "15m"});
        env.post("/crons", &declared).await;
        let page = visitor.open("/cron-editor?edit=nightly").await.text;
        assert!(page.contains("value=\"@daily\""), "{page}");
        let body = "edit=nightly&action=backup&schedule=%40hourly&overlap=skip";
        assert_eq!(visitor.submit("/crons", body).await.status, 303);
        let cron = env.get("/crons/nightly").await.json();
        assert_eq!((&cron["schedule"], &cron["overlap"]), (&json!("@hourly"), &json!("skip")));
        assert_eq!((&cron["locks"], &cron["deadline"]), (&json!({"db": 1}), &json!("15m")));
        let broken = visitor.submit("/crons", "action=backup&schedule=never").await;
        assert_eq!(broken.status, 400);
        assert!(broken.text.contains("value=\"never\""), "it can be corrected");
    })
    .await;
}

#[tokio::test]
async fn a_log_is_searched_by_text_and_source() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, id).await;
        let lines: Vec<String> = (0..600).map(|n| format!("Port {n}: closed")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        env.log(id, token, 0, &lines).await;
        let visitor = Visitor::new(env);
        let page = visitor.open(&format!("/jobs/{id}?log=port+7:")).await.text;
        assert!(page.contains("1 match among the last 600 lines"), "{page}");
        assert!(page.contains("Port 7: closed") && !page.contains("Port 8: closed"));
        let page = visitor.open(&format!("/jobs/{id}?source=stderr")).await.text;
        assert!(page.contains("0 matches among the last 600 lines"), "{page}");
        let page = visitor.open(&format!("/jobs/{id}")).await.text;
        assert!(page.contains("Port 599: closed") && !page.contains("Port 7: closed"));
        assert_eq!(visitor.open(&format!("/jobs/{id}?source=x")).await.status, 400);
    })
    .await;
}
