//! The OpenAPI document describes every route completely.

use expect_test::expect;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::env::{TestEnv, send, with_env};

struct Operation {
    path: String,
    method: Method,
    spec: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Returns the path with values for its parameters.
    fn example_path(&self) -> String {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let id = if self.path.contains("worker") { "0123456789ab" } else { id };
        let path = self.path.replace("{id}", id).replace("{name}", "gc");
        path.replace("{class}", "cpu=2+scan=1").replace("{action}", "scan")
    }
}

async fn document(env: &TestEnv) -> Value {
    let answer = env.get("/docs.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, spec) in methods.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            operations.push(Operation { path: path.clone(), method, spec: spec.clone() });
        }
    }
    operations
}

#[tokio::test]
async fn the_document_has_its_version_and_every_route() {
    with_env(async |env| {
        let document = document(env).await;
        assert_eq!(document["info"]["version"], "2.9.0");
        let mut names: Vec<String> = operations(&document).iter().map(Operation::name).collect();
        names.sort();
        expect![[r#"
            DELETE /api/v0/action_configs/{action}
            DELETE /api/v0/crons/{name}
            DELETE /api/v0/jobs/{id}
            DELETE /api/v0/limits/{name}
            DELETE /api/v0/locks/{name}
            DELETE /api/v0/queues/{class}
            DELETE /api/v0/subscriptions/{name}
            GET /api/v0/action_configs
            GET /api/v0/action_configs/{action}
            GET /api/v0/audit
            GET /api/v0/bulk
            GET /api/v0/bulk/{id}
            GET /api/v0/crons
            GET /api/v0/crons/{name}
            GET /api/v0/crons/{name}/next
            GET /api/v0/docs.json
            GET /api/v0/events
            GET /api/v0/failures
            GET /api/v0/jobs
            GET /api/v0/jobs/{id}
            GET /api/v0/jobs/{id}/logs
            GET /api/v0/jobs/{id}/timeline
            GET /api/v0/limits
            GET /api/v0/limits/{name}
            GET /api/v0/locks
            GET /api/v0/locks/{name}
            GET /api/v0/meta/settings
            GET /api/v0/metrics/series
            GET /api/v0/queues
            GET /api/v0/quotas
            GET /api/v0/scaling
            GET /api/v0/status
            GET /api/v0/subscriptions
            GET /api/v0/subscriptions/{name}
            GET /api/v0/verdict
            GET /api/v0/waiting
            GET /api/v0/workers
            GET /api/v0/workers/{id}
            PATCH /api/v0/action_configs/{action}
            PATCH /api/v0/crons/{name}
            PATCH /api/v0/jobs/{id}
            PATCH /api/v0/workers/{id}/capacity
            POST /api/v0/action_configs
            POST /api/v0/actions/{action}/pause
            POST /api/v0/actions/{action}/resume
            POST /api/v0/bulk
            POST /api/v0/bulk/{id}/stop
            POST /api/v0/crons
            POST /api/v0/crons/{name}/pause
            POST /api/v0/crons/{name}/resume
            POST /api/v0/crons/{name}/run
            POST /api/v0/jobs
            POST /api/v0/jobs/batch
            POST /api/v0/jobs/cancel
            POST /api/v0/jobs/{id}/cancel
            POST /api/v0/jobs/{id}/retry
            POST /api/v0/jobs/{id}/signals/{name}
            POST /api/v0/jobs/{id}/signals/{name}/link
            POST /api/v0/limits
            POST /api/v0/locks
            POST /api/v0/meta/settings
            POST /api/v0/queues/{class}/pause
            POST /api/v0/queues/{class}/resume
            POST /api/v0/signals/{link}
            POST /api/v0/subscriptions
            POST /api/v0/subscriptions/{name}/pause
            POST /api/v0/subscriptions/{name}/resume
            POST /api/v0/subscriptions/{name}/test
            POST /api/v0/workers/{id}/capacity
            POST /api/v0/workers/{id}/drain
            POST /api/v0/workers/{id}/resume"#]]
        .assert_eq(&names.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn every_documented_route_is_served_with_no_other_method() {
    with_env(async |env| {
        let document = document(env).await;
        let operations = operations(&document);
        for operation in &operations {
            let path = operation.example_path();
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let url = format!("{}{path}", env.url);
                let answer = send(env.client.request(method.clone(), url)).await;
                let documented =
                    operations.iter().any(|one| one.path == operation.path && one.method == method);
                assert_eq!(answer.status != 405, documented, "{method} {path}: {answer:?}");
                assert!(!answer.text.contains("NO_SUCH_ROUTE"), "{method} {path}: {answer:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_route_accepts_a_trailing_slash_and_refuses_unknown_parameters() {
    with_env(async |env| {
        for operation in operations(&document(env).await) {
            let url = format!("{}{}", env.url, operation.example_path());
            let request = async |url: String| {
                let request = env.client.request(operation.method.clone(), url);
                send(request.body("{}")).await
            };
            let (bare, slashed) = (request(url.clone()).await, request(format!("{url}/")).await);
            assert_eq!(bare.status, slashed.status, "{}", operation.name());
            // The first request is in the audit log that the second one reads, and the status says
            // when each service was last seen.
            let varies = ["/audit", "/status"].iter().any(|end| operation.path.ends_with(end));
            let same = bare.text == slashed.text || varies;
            assert!(same, "{}: {} and {}", operation.name(), bare.text, slashed.text);
            let refused = request(format!("{url}/?nonsense=1")).await;
            assert_eq!(refused.code(), "400 INVALID_PARAMETERS", "{}", operation.name());
            let detail = &refused.json()["errors"][0]["detail"];
            assert_eq!(*detail, json!({"field": "nonsense"}), "{}", operation.name());
        }
    })
    .await;
}

#[tokio::test]
async fn every_operation_has_descriptions_examples_and_errors() {
    with_env(async |env| {
        let document = document(env).await;
        for operation in operations(&document) {
            let (name, spec) = (operation.name(), &operation.spec);
            for field in ["operationId", "summary", "tags"] {
                assert!(spec.get(field).is_some(), "{name} has no {field}");
            }
            let parameters = spec["parameters"].as_array().cloned().unwrap_or_default();
            for parameter in &parameters {
                for field in ["name", "in", "description", "schema", "example"] {
                    assert!(parameter.get(field).is_some(), "{name}: {parameter} has no {field}");
                }
            }
            let in_path = parameters.iter().filter(|one| one["in"] == "path").count();
            assert_eq!(in_path, operation.path.matches('{').count(), "{name}");
            if spec.get("requestBody").is_some() {
                let body = &spec["requestBody"]["content"]["application/json"];
                let schema = resolved(&document, &body["schema"]);
                let example = schema.get("example").or(schema.get("examples"));
                assert!(example.is_some(), "{name} has no example of its body");
            }
            errors_are_described(&document, &operation);
        }
        every_reference_is_resolved(&document, &document);
        every_field_is_described(&document);
    })
    .await;
}

fn errors_are_described(document: &Value, operation: &Operation) {
    let name = operation.name();
    let responses = operation.spec["responses"].as_object().unwrap();
    let mut expected = vec!["400"];
    if !name.contains("docs.json") {
        expected.extend(["500", "503"]);
    }
    if operation.path.contains('{') {
        expected.push("404");
    }
    if operation.spec.get("requestBody").is_some() {
        expected.extend(["413", "415"]);
    }
    let conflicts = [
        "/jobs",
        "/batch",
        "/retry",
        "/capacity",
        "/drain",
        "/resume",
        "/crons",
        "/run",
        "_configs",
        "/subscriptions",
        "/test",
        "/signals/{name}",
        "/signals/{name}/link",
        "/signals/{link}",
    ];
    let nouns = ["crons", "queues", "actions", "subscriptions"];
    let is_of_noun = nouns.iter().any(|of| operation.path.starts_with(&format!("/api/v0/{of}/")));
    let only_resumes = is_of_noun && operation.path.ends_with("/resume");
    let may_conflict = !only_resumes && conflicts.iter().any(|end| operation.path.ends_with(end));
    let changes = operation.method == Method::PATCH
        && ["/api/v0/jobs/", "/api/v0/workers/"].iter().any(|of| operation.path.starts_with(of));
    if operation.method == Method::POST && may_conflict || changes {
        expected.push("409");
    }
    for status in expected {
        let response = responses.get(status).unwrap_or_else(|| panic!("{name} has no {status}"));
        let content = &response["content"]["application/json"];
        assert!(resolved(document, &content["schema"])["properties"]["errors"].is_object());
        for example in content["examples"].as_object().unwrap().values() {
            assert!(example["value"]["errors"][0]["code"].is_string(), "{name} {status}");
        }
    }
    assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

fn every_reference_is_resolved(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
            }
            fields.values().for_each(|value| every_reference_is_resolved(document, value));
        }
        Value::Array(values) => {
            values.iter().for_each(|value| every_reference_is_resolved(document, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn every_field_is_described(document: &Value) {
    let schemas: &Map<String, Value> = document["components"]["schemas"].as_object().unwrap();
    for name in ["JobDetails", "LogLine", "Errors"] {
        assert!(schemas.contains_key(name), "there is no schema {name}");
    }
    // An example must have exactly the fields of its schema.
    let with_examples =
        ["Job", "JobSubmission", "BatchSubmission", "Worker", "Backoff", "Settings"];
    for name in with_examples.into_iter().chain([
        "SettingsUpdate",
        "CapacityUpdate",
        "BulkCancelResult",
        "Cron",
        "CronCreate",
        "JobUpdate",
        "Lock",
        "SetLock",
        "Limit",
        "SetLimit",
        "Queue",
        "Children",
        "ActionConfig",
        "ActionConfigCreate",
        "Subscription",
        "SubscriptionCreate",
        "EventFilter",
    ]) {
        let mut fields: Vec<_> = schemas[name]["properties"].as_object().unwrap().keys().collect();
        let mut example: Vec<_> = schemas[name]["example"].as_object().unwrap().keys().collect();
        fields.sort();
        example.sort();
        assert_eq!(fields, example, "{name}");
    }
    let job = schemas["Job"]["properties"].as_object().unwrap();
    let fields = ["id", "retryFromID", "workerID", "capacityMap", "followUpID", "fencingToken"];
    assert!(fields.iter().all(|field| job.contains_key(*field)), "{job:?}");
    assert_eq!(schemas["JobSubmission"]["required"], json!(["action"]));
    assert_eq!(schemas["JobSubmission"]["additionalProperties"], json!(false));
}
