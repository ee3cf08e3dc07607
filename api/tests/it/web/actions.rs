//! Forms: who sees them, who may send them, and what they do.

use domain::access_tokens::Role;
use domain::job::{Outcome, Status};
use serde_json::json;
use store::HeartbeatReply;

use super::Visitor;
use crate::env::{send, with_env};
use crate::token_files::with_tokens;

#[tokio::test]
async fn the_page_about_locks_lists_rate_limits() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        assert!(visitor.open("/locks").await.text.contains("action=\"/limits\""));
        for (name, rate) in [("mail", 100), ("sms-*", 1)] {
            let limit = json!({"name": name, "rate": rate, "per": "90s", "burst": 2});
            assert_eq!(env.post("/limits", &limit).await.status, 202);
        }
        let page = visitor.open("/locks").await.text;
        for text in ["Rate limits", "rate-mail", "100 starts per 1m30s, 2 at once", "sms-*"] {
            assert!(page.contains(text), "{text} is not in {page}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_admin_sets_and_deletes_rate_limits_on_the_page_about_locks() {
    with_tokens(async |env, tokens| {
        let otto = Visitor::logged_in(env, tokens.of(Role::Operator)).await;
        assert!(!otto.open("/locks").await.text.contains("action=\"/limits\""));
        assert_eq!(otto.submit("/limits", "name=a&rate=1&per=1s").await.status, 403);
        let anna = Visitor::logged_in(env, tokens.of(Role::Admin)).await;
        let set = anna.submit("/limits", "name=mail%2Feu&rate=100&per=1m&burst=").await;
        assert_eq!(set.header("location"), Some("/locks?did=set-limit"), "{}", set.text);
        let quota = "name=geo&quota=1000&window=day&timeZone=Europe%2FStockholm";
        assert_eq!(anna.submit("/limits", quota).await.status, 303);
        let page = anna.open("/locks?did=set-limit").await.text;
        let texts = [
            "The rate limit is set",
            "mail/eu",
            "100 starts per 1m, 1 at once",
            "1000 starts per day (Europe/Stockholm)",
        ];
        for text in texts {
            assert!(page.contains(text), "{text} is not in {page}");
        }
        let invalid = [
            ("rate=1&per=1s", "name: "),
            ("name=a&rate=x&per=1s", "rate: "),
            ("name=a&rate=1&per=soon", "per: "),
            ("name=a&rate=1&per=1s&quota=2", "rate: it cannot be combined"),
            ("name=a&quota=1&window=day&timeZone=Mars", "timeZone: "),
        ];
        for (form, why) in invalid {
            let refused = anna.submit("/limits", form).await;
            assert_eq!(refused.status, 400, "{form}");
            assert!(refused.text.contains(why), "{form}: {}", refused.text);
        }
        let deleted = anna.submit("/limits/mail%2Feu/delete", "").await;
        assert_eq!(deleted.header("location"), Some("/locks?did=delete-limit"));
        assert_eq!(anna.submit("/limits/mail%2Feu/delete", "").await.status, 404);
        assert!(!anna.open("/locks").await.text.contains("mail/eu"));
    })
    .await;
}

#[tokio::test]
async fn only_the_page_itself_may_send_a_form() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let id = env.submit(&json!({"action": "noop"})).await;
        let path = format!("/jobs/{id}/cancel");
        let own = env.url.clone();
        let senders: [&[(&str, &str)]; 5] = [
            &[],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", &own)],
            &[("origin", "http://evil.example")],
            &[("origin", "null")],
        ];
        for sender in senders {
            let mut form = visitor.form(&path, "");
            for (name, value) in sender {
                form = form.header(*name, *value);
            }
            let answer = send(form).await;
            assert_eq!(answer.status, 403, "{sender:?}");
            assert_eq!(env.store.status(id).await.unwrap(), Some(Status::Waiting), "{sender:?}");
        }
        let answer = send(visitor.form(&path, "").header("origin", &own)).await;
        let next = format!("/jobs/{id}?did=cancel");
        assert_eq!((answer.status, answer.header("location")), (303, Some(next.as_str())));
        assert_eq!(env.store.status(id).await.unwrap(), Some(Status::Cancel));
        assert!(visitor.open(&next).await.text.contains("The job is cancelled"));
    })
    .await;
}

#[tokio::test]
async fn a_job_is_cancelled_retried_and_deleted_without_javascript() {
    with_env(async |env| {
        let visitor = Visitor::new(env);
        let id = env.submit(&json!({"action": "noop"})).await;
        visitor.submit(&format!("/jobs/{id}/cancel"), "").await;
        let retried = visitor.submit(&format!("/jobs/{id}/retry"), "").await;
        let next = retried.header("location").unwrap();
        assert_eq!(retried.status, 303);
        assert!(next.ends_with("?did=retry") && !next.contains(&id.to_string()), "{next}");
        assert_eq!(visitor.open(next).await.status, 200);
        let again = visitor.submit(&format!("/jobs/{id}/retry"), "").await;
        assert_eq!(again.status, 409);
        assert!(again.text.contains("was already retried"), "{}", again.text);
        let deleted = visitor.submit(&format!("/jobs/{id}/delete"), "").await;
        assert_eq!(deleted.status, 303);
        assert_eq!(env.store.status(id).await.unwrap(), Some(Status::Deleted));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_waits_for_a_signal_is_approved_on_its_page() {
    with_tokens(async |env, tokens| {
        let [vera, otto, _] = Role::ALL.map(|role| tokens.of(role));
        let worker = env.worker("default=16", &["noop"]).await;
        let submitted = env.request_as("POST", "/jobs", otto).json(&json!({"action": "noop"}));
        let id = crate::env::id_of(&send(submitted).await.json());
        let token = env.claim(&worker, id).await;
        let wait = json!({"signal": "approved", "timeout": "1h"});
        let wait = serde_json::from_value(wait).unwrap();
        env.end(id, token, Outcome::Wait(None, wait)).await;
        let page = format!("/jobs/{id}");
        let form = format!("{page}/signals/approved");
        let viewer = Visitor::logged_in(env, vera).await;
        let shown = viewer.open(&page).await.text;
        assert!(shown.contains("it waits for the signal approved until") && !shown.contains(&form));
        let operator = Visitor::logged_in(env, otto).await;
        let shown = operator.open(&page).await.text;
        assert!(shown.contains(&form) && shown.contains(">Approve</button>"), "{shown}");
        let refused = operator.submit(&form, "body=%7B").await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        let sent = operator.submit(&form, "body=%7B%22ticket%22%3A%22NET-7%22%7D").await;
        let next = sent.header("location").unwrap();
        let shown = operator.open(next).await.text;
        for text in ["The signal is sent", "from otto", "NET-7", "sent the signal approved"] {
            assert!(shown.contains(text), "{text} is not in {shown}");
        }
        assert_eq!(operator.submit(&form, "").await.status, 409);
    })
    .await;
}

#[tokio::test]
async fn each_role_sees_the_forms_that_it_may_send() {
    with_tokens(async |env, tokens| {
        let worker = env.worker("default=16", &["noop"]).await;
        let body = json!({"action": "noop", "locks": ["l"]});
        let submitted = env.request_as("POST", "/jobs", tokens.of(Role::Admin)).json(&body);
        let id = crate::env::id_of(&send(submitted).await.json());
        env.claim(&worker, id).await;
        let cron = json!({"action": "noop", "schedule": "@daily"});
        send(env.request_as("POST", "/crons", tokens.of(Role::Admin)).json(&cron)).await;
        let mut numbers = Vec::new();
        for role in Role::ALL {
            let visitor = Visitor::logged_in(env, tokens.of(role)).await;
            let job = format!("/jobs/{id}");
            let worker = format!("/workers/{worker}");
            let pages = [job.as_str(), &worker, "/workers", "/queues", "/crons/noop", "/locks/l"];
            let mut number = 0;
            for path in pages {
                let page = visitor.open(path).await;
                assert_eq!(page.status, 200, "{path}");
                let forms = page.text.split("<form method=\"post\" action=\"").skip(1);
                let forms = forms.map(|rest| rest.split('"').next().unwrap());
                for form in forms.filter(|form| *form != "/logout") {
                    // Not sent by the page, so the role is all that is checked here.
                    let answer = send(visitor.form(form, "")).await;
                    assert!(answer.text.contains("was not sent from this page"), "{role} {form}");
                    number += 1;
                }
            }
            numbers.push(number);
        }
        let [viewer, operator, admin] = numbers[..] else { panic!("{numbers:?}") };
        assert!(viewer == 0 && operator > 4 && admin > operator, "{numbers:?}");
        let vera = Visitor::logged_in(env, tokens.of(Role::Viewer)).await;
        let refused = vera.submit(&format!("/jobs/{id}/cancel"), "").await;
        assert_eq!(refused.status, 403);
        assert!(refused.text.contains("token vera has role viewer; operator is required"));
    })
    .await;
}

#[tokio::test]
async fn permits_and_capacity_are_changed_without_javascript() {
    with_env(async |env| {
        let worker = env.worker("default=16,scan=2", &["noop"]).await;
        env.post("/locks", &json!({"name": "a/b", "permits": 2})).await;
        let visitor = Visitor::new(env);
        let page = visitor.open("/locks/a%2Fb").await.text;
        assert!(page.contains(r#"action="/locks/a%2Fb/permits""#), "{page}");
        let set = visitor.submit("/locks/a%2Fb/permits", "permits=5").await;
        let next = "/locks/a%2Fb?did=permits";
        assert_eq!((set.status, set.header("location")), (303, Some(next)));
        assert_eq!(env.get("/locks/a%2Fb").await.json()["permits"], 5);
        for invalid in ["0", "-1", "many", "1000001", "99999999999999999999"] {
            let body = format!("permits={invalid}");
            let refused = visitor.submit("/locks/a%2Fb/permits", &body).await;
            assert_eq!(refused.status, 400, "{invalid}");
            assert!(refused.text.contains("permits: it must be a whole number"), "{invalid}");
        }
        assert_eq!(visitor.submit("/locks/a%2Fb/permits", "permits=").await.status, 303);
        assert_eq!(env.get("/locks/a%2Fb").await.status, 404, "it has no setting any more");

        let path = format!("/workers/{worker}/capacity");
        let page = visitor.open(&format!("/workers/{worker}")).await.text;
        assert!(page.contains(r#"name="capacity" value="default=16,scan=2""#), "{page}");
        assert_eq!(visitor.submit(&path, "capacity=scan%3D4").await.status, 303);
        let reply = env.heartbeat(&worker, "default=16,scan=2", &["noop"]).await;
        let HeartbeatReply::Renewed(renewed) = &reply else { panic!("{reply:?}") };
        assert_eq!(renewed.wanted, Some("default=16,scan=4".parse().unwrap()));
        for (body, message) in
            [("", "capacity: it is required"), ("capacity=scan", "capacity: "), ("x=1", "x")]
        {
            let refused = visitor.submit(&path, body).await;
            assert_eq!(refused.status, 400, "{body}");
            assert!(refused.text.contains(message), "{}", refused.text);
        }
    })
    .await;
}

#[tokio::test]
async fn the_queues_show_the_share_of_each_fairness_group_where_several_compete() {
    with_env(async |env| {
        let of = |key: &str, class: u8, count| {
            let job = json!({"action": "noop", "fairnessKey": key, "capacityMap": {"a": class}});
            vec![job; count]
        };
        let jobs = [of("t<7>", 1, 90), of("t8", 1, 16), of("alone", 2, 5)].concat();
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        let page = Visitor::new(env).open("/queues").await.text;
        for text in [
            "<code>t&lt;7&gt;</code>",
            "80 %",
            "20 %",
            "href=\"/jobs?q=status%3Awaiting+priority%3Anormal+key%3At8\"",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("alone"), "a single group has the whole queue");
    })
    .await;
}
