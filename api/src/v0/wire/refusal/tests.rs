//! The answers to all errors, as one table.

use super::*;
use domain::access_tokens::{Owner, Role};
use domain::explanation::ERRORS;
use domain::job::{JobId, Status, Timestamp};
use domain::signal::SignalName;
use expect_test::expect;
use store::{Quota, QuotaExceeded};

#[test]
fn every_error_has_the_shape_of_the_surface() {
    let (method, route) = ("PUT".to_owned(), "/x".to_owned());
    let id: JobId = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".parse().unwrap();
    let errors = [
        Error::NoSuchJob("x".to_owned()),
        Error::NoSuchWorker("x".to_owned()),
        Error::NoSuchCron("x".to_owned()),
        Error::NoSuchLock("x".to_owned()),
        Error::NoSuchLimit("x".to_owned()),
        Error::NoSuchClass("x".to_owned()),
        Error::NoSuchAction("x y".to_owned()),
        Error::NoSuchActionConfig("x".to_owned()),
        Error::NoSuchSubscription("x".to_owned()),
        Error::NoSuchBulkOperation("x".to_owned()),
        Error::NotAuthenticated("there is no such token"),
        Error::TooManyWrongTokens,
        Error::TooManyRequests { owner: Owner::example(), rate: "600/1m".to_owned(), wait_s: 3 },
        Error::NotAuthorized {
            owner: "ci".parse().unwrap(),
            role: Role::Viewer,
            needed: Role::Admin,
        },
        Error::NoSuchRoute("/x".to_owned()),
        Error::NotAllowed { method, route },
        Error::MediaType("text/xml".to_owned()),
        Error::Json("end of file".to_owned()),
        Error::invalid("retries", "is too many").in_job(7),
        Error::TooLarge { at: FieldPath::new("parameters"), limit_bytes: 65536 },
        Error::TooManyQueues("a=1.normal".to_owned()),
        Error::TooManyQueues("a=1@b.c.normal".to_owned()),
        Error::QuotaExceeded(QuotaExceeded {
            owner: "ci".to_owned(),
            quota: Quota::Bytes,
            waiting: 90,
            limit: 100,
        }),
        Error::TooManyCrons,
        Error::TooManyLimits,
        Error::TooManyActionConfigs,
        Error::TooManySubscriptions,
        Error::TooManyBulkOperations,
        Error::SpentKey { at: FieldPath::new("Idempotency-Key"), id }.in_job(2),
        Error::NotFinished { id, status: Status::Running },
        Error::AlreadyStarted { id, status: Status::Done },
        Error::AlreadyStarted { id, status: Status::Waiting },
        Error::AlreadyRetried { id, follow_up: id },
        Error::UniqueKeyTaken { id, holder: id },
        Error::SignalSent { id, name: SignalName::example(), at: Timestamp::from_ms(0) },
        Error::JobOver { id, status: Status::Done },
        Error::TooManySignals(id),
        Error::NoSuchSignalLink,
        Error::WorkerGone("f97ebb52f0f6".parse().unwrap()),
        Error::Unavailable("the store does not answer"),
        Error::Unreadable("cron nightly".to_owned()),
        Error::Internal,
    ];
    let explained: Vec<&str> = ERRORS.iter().map(|one| one.code).collect();
    for error in &errors {
        assert!(explained.contains(&code(error)), "not in domain::explanation: {}", code(error));
    }
    let text = |error: &Error| {
        let (status, Errors { errors }) = answer(error);
        let ErrorEntry { code, message, detail } = &errors[0];
        let detail = json!(detail);
        format!("{} {code} {detail}\n  {message}\n", status.as_u16())
    };
    expect![[r#"
        404 NO_SUCH_JOB {"id":"x"}
          there is no job "x"
        404 NO_SUCH_WORKER {"id":"x"}
          there is no worker "x"
        404 NO_SUCH_CRON {"name":"x"}
          there is no cron "x"
        404 NO_SUCH_LOCK {"name":"x"}
          lock "x" is not held, waited for or configured
        404 NO_SUCH_LIMIT {"name":"x"}
          there is no rate limit "x"
        404 NO_SUCH_CLASS {"name":"x"}
          "x" is not a valid class of jobs: write it like scan=1 or cpu=2+scan=1, with the types in alphabetical order
        404 NO_SUCH_ACTION {"name":"x y"}
          "x y" is not a valid action name
        404 NO_SUCH_ACTION_CONFIG {"action":"x"}
          action "x" has no configuration
        404 NO_SUCH_SUBSCRIPTION {"name":"x"}
          there is no subscription "x"
        404 NO_SUCH_BULK_OPERATION {"id":"x"}
          there is no bulk operation "x"
        401 NOT_AUTHENTICATED {}
          there is no such token
        429 NOT_AUTHENTICATED {}
          too many wrong tokens from this address; try again in a second
        429 TOO_MANY_REQUESTS {"name":"ci","rate":"600/1m","retryAfter":3}
          token ci has sent more requests than 600/1m; try again in 3 s
        403 NOT_AUTHORIZED {"name":"ci","needed":"admin","role":"viewer"}
          token ci has role viewer; admin is required
        404 NO_SUCH_ROUTE {"route":"/x"}
          there is no route "/x"
        405 NOT_ALLOWED {"method":"PUT","route":"/x"}
          /x does not allow PUT
        415 UNSUPPORTED_MEDIA_TYPE {"contentType":"text/xml"}
          the body must be application/json, not "text/xml"
        400 INVALID_JSON {}
          the body is not valid JSON: end of file
        400 INVALID_PARAMETERS {"field":"retries","index":7}
          jobs[7].retries: is too many
        413 INVALID_PARAMETERS {"field":"parameters","limitBytes":65536}
          parameters: larger than the limit of 65536 bytes
        409 CONFLICT {"queue":"a=1.normal"}
          queue "a=1.normal" would exceed the limit of 256 shared queues of a namespace, or of 128 of one submitter: use fewer different capacity maps; unused queues are removed after 10 minutes
        409 CONFLICT {"queue":"a=1@b.c.normal"}
          queue "a=1@b.c.normal" would exceed the limit of 1024 queues of single actions of a namespace, or of 512 of one submitter: use fewer different capacity maps, or declare action b.c on every worker; unused queues are removed after 10 minutes
        429 QUOTA_EXCEEDED {"limit":100,"owner":"ci","quota":"bytes","waiting":90}
          ci has 90 bytes waiting, of 100 that it may have: wait until some have started, cancel some, or have an admin raise the quota
        409 CONFLICT {}
          this namespace already has 200000 crons, which is the limit
        409 CONFLICT {}
          this namespace already has 1000 rate limits, or 100 that end in *, which is the limit
        409 CONFLICT {}
          this namespace already configures 1000 actions, which is the limit
        409 CONFLICT {}
          this namespace already has 100 subscriptions, which is the limit
        409 CONFLICT {}
          100 bulk operations are running, which is the limit; stop one
        409 CONFLICT {"field":"Idempotency-Key","id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","index":2}
          jobs[2].Idempotency-Key: the job that was created with this key has been removed
        409 CONFLICT {"id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","status":"running"}
          job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b is running; only a finished job that is not deleted can be retried
        409 CONFLICT {"id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","status":"done"}
          job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b is done; only a job that has not started can be changed
        409 CONFLICT {"id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","status":"waiting"}
          job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b is waiting after its run; only a job that has not started can be changed
        409 CONFLICT {"followUpID":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b"}
          job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b was already retried as job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b
        409 CONFLICT {"holderID":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b"}
          job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b, which has not finished, has the unique key of job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b
        409 CONFLICT {"at":"1970-01-01T00:00:00Z","id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","name":"approved"}
          the signal approved of job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b was sent at 1970-01-01T00:00:00Z, or the time for it was over then
        409 CONFLICT {"id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b","status":"done"}
          job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b is done; only a job that has not finished can receive a signal
        409 CONFLICT {"id":"1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b"}
          16 signals are kept for job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b, which is the limit
        404 NO_SUCH_LINK {}
          there is no such link to a signal
        409 CONFLICT {"id":"f97ebb52f0f6"}
          worker f97ebb52f0f6 is dead or has shut down
        503 UNAVAILABLE {}
          the store does not answer; try again in a second
        500 INTERNAL_ERROR {}
          cron nightly cannot be read, see the service log: set it again or delete it
        500 INTERNAL_ERROR {}
          internal error; see the service log
    "#]]
    .assert_eq(&errors.iter().map(text).collect::<String>());
    let shape = json!(answer(&errors[0]).1);
    let entry = r#"{"code":"NO_SUCH_JOB","detail":{"id":"x"},"message":"there is no job \"x\""}"#;
    assert_eq!(shape.to_string(), format!(r#"{{"errors":[{entry}]}}"#));
}
