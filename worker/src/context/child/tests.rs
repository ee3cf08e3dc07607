//! Children as jobs, valid and invalid, as tables.

use super::*;
use serde_json::json;

const ROOT: &str = "193c061a-c52c-448a-884a-719adc253497";

fn jobs(requested: &[Value]) -> Result<Vec<NewJob>, InvalidChild> {
    let mut spec = JobSpec::of("parent".parse().unwrap());
    spec.scheduled_by = Some("anna".to_owned());
    spec.fairness_key = Some("tenant-7".to_owned());
    let id: JobId = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".parse().unwrap();
    let parent = ParentJob { id, root: ROOT.parse().unwrap(), spec: &spec };
    let scan = json!({"retries": 3, "capacityMap": {"scan": 1}, "parameters": {"deep": true}});
    let defaults = [("scan".parse().unwrap(), serde_json::from_value(scan).unwrap())];
    let defaults = defaults.into_iter().collect();
    let (mut ordinals, mut siblings, mut jobs) = (HashMap::new(), Vec::new(), Vec::new());
    for one in requested {
        let child: Child = serde_json::from_value(one.clone()).unwrap();
        let job = child.job(&parent, &mut ordinals, &siblings, &defaults)?;
        siblings.push(job.id);
        jobs.push(job);
    }
    Ok(jobs)
}

#[test]
fn a_child_inherits_its_parents_fairness_key_and_its_actions_defaults() {
    let requested = [
        json!({"action": "scan", "parameters": {"host": "a"}, "locks": ["device-{{host}}"]}),
        json!({"action": "scan", "retries": 0, "capacityMap": {"cpu": 2}, "fairnessKey": "mine",
               "dependsOn": ["#0", "#0"], "when": "finished"}),
    ];
    let created = jobs(&requested).unwrap();
    let (first, second) = (&created[0], &created[1]);
    assert_eq!((first.class.as_str(), first.spec.retries), ("scan=1", 3));
    assert_eq!(first.spec.parameters, json!({"host": "a", "deep": true}).as_object().cloned());
    assert_eq!(first.spec.locks.to_string(), "device-a=1");
    assert_eq!(first.spec.scheduled_by.as_deref(), Some("anna"));
    assert_eq!(first.spec.fairness_key.as_deref(), Some("tenant-7"));
    assert_eq!((second.class.as_str(), second.spec.retries), ("cpu=2", 0));
    assert_eq!(second.spec.fairness_key.as_deref(), Some("mine"));
    assert_eq!(
        (&second.spec.depends_on, second.spec.when),
        (&vec![first.id], DependencyCondition::Finished)
    );
}

#[test]
fn an_id_derives_from_the_key_or_from_the_content_and_its_ordinal() {
    let ids = |requested: &[Value]| -> Vec<JobId> {
        jobs(requested).unwrap().into_iter().map(|job| job.id).collect()
    };
    let of = |host: &str| json!({"action": "scan", "parameters": {"host": host}});
    let run = ids(&[of("a"), of("b"), of("a")]);
    assert_eq!(run.iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!(
        ids(&[of("a"), of("a"), of("b")]),
        [run[0], run[2], run[1]],
        "the order does not matter"
    );
    let keyed = |host: &str| json!({"action": "scan", "key": "k", "parameters": {"host": host}});
    assert_eq!(ids(&[keyed("a")]), ids(&[keyed("b")]));
    assert!(!run.contains(&ids(&[keyed("a")])[0]));
    // A run may be repeated after an upgrade, so the derived id must never change.
    assert_eq!(ids(&[keyed("a")])[0].to_string(), "e6c28733-612e-51b9-a4d4-cdbe82383deb");
}

#[test]
fn an_error_names_the_invalid_field() {
    let deep = (0..65).fold(json!(1), |inner, _| json!([inner]));
    let cases = [
        (json!({}), "action: it is required"),
        (json!({"action": "a b"}), "action: \"a b\" is not a valid action name"),
        (json!({"action": "a", "key": ""}), "key: it is empty"),
        (json!({"action": "a", "key": "k".repeat(256)}), "key: it is longer than 255"),
        (
            json!({"action": "a", "retries": 101}),
            "retries: it must be a whole number from 0 to 100",
        ),
        (json!({"action": "a", "dependsOn": ["#0"]}), "dependsOn: \"#0\" must refer to an earlier"),
        (json!({"action": "a", "dependsOn": ["x"]}), "dependsOn: \"x\" is not a valid job id"),
        (json!({"action": "a", "locks": ["{{x}}"]}), "locks: lock \"{{x}}\" uses parameter"),
        (json!({"action": "a", "expiresAt": "soon"}), "expiresAt: \"soon\" is not a valid time"),
        (json!({"action": "a", "ticketRef": "t".repeat(33)}), "ticketRef: it is longer"),
        (
            json!({"action": "a", "parameters": {"x": "y".repeat(65536)}}),
            "parameters: it is larger than",
        ),
        (
            json!({"action": "a", "parameters": {"x": deep}}),
            "parameters: it is more than 64 levels",
        ),
        (json!({"action": "a", "backoff": {"base": "6m"}}), "backoff.base: it must not be longer"),
    ];
    for (requested, why) in cases {
        let message = jobs(std::slice::from_ref(&requested)).unwrap_err().to_string();
        assert!(message.starts_with(why), "{message} is not {why}");
    }
}
