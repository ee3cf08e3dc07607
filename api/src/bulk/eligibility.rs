//! Which jobs an operation can change, and why it cannot change the others.

use std::collections::BTreeMap;

use domain::job::{ActionName, JobId, Status};
use store::{BulkJob, BulkSpec, BulkVerb};

/// How many jobs were refused, by reason.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Returns the jobs that an operation can change, and counts the others.
pub(crate) fn select(spec: &BulkSpec, jobs: &[BulkJob], refused: &mut Counts) -> Vec<JobId> {
    let mut eligible = Vec::new();
    for job in jobs {
        match refusal(spec, job) {
            None => eligible.push(job.id),
            Some(reason) => count(refused, reason),
        }
    }
    eligible
}

/// Counts a job that was not changed.
pub(super) fn count(refused: &mut Counts, reason: &str) {
    *refused.entry(reason.to_owned()).or_default() += 1;
}

/// Returns why an operation cannot change a job. The scripts decide again: the job may change.
fn refusal(spec: &BulkSpec, job: &BulkJob) -> Option<&'static str> {
    if !spec.may_change_deliveries && job.action == ActionName::deliver().as_str() {
        return Some("notAuthorized");
    }
    match (spec.verb, job.status) {
        (BulkVerb::Cancel, Status::Waiting | Status::Running) => None,
        (BulkVerb::Cancel, Status::CancelRequest) => Some("alreadyStopping"),
        (BulkVerb::Cancel, _) => Some("finished"),
        (_, Status::Deleted) => Some("deleted"),
        (BulkVerb::Retry, status) if !status.is_final() => Some("notFinished"),
        (BulkVerb::Retry, _) if job.follow_up.is_some() => Some("alreadyRetried"),
        (BulkVerb::Retry, _) if job.is_key_taken => Some("uniqueKeyTaken"),
        (BulkVerb::Retry | BulkVerb::Delete, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::JobFilter;

    fn spec(verb: BulkVerb) -> BulkSpec {
        BulkSpec {
            verb,
            filter: JobFilter::default(),
            requested_by: "ci".to_owned(),
            may_change_deliveries: false,
        }
    }

    fn job(status: Status) -> BulkJob {
        BulkJob {
            id: JobId::random(),
            number: 1,
            status,
            action: "noop".to_owned(),
            follow_up: None,
            is_key_taken: false,
        }
    }

    #[test]
    fn the_status_of_a_job_decides_what_can_be_done_with_it() {
        let reasons = |verb| {
            let reason = |status: Status| {
                let why = refusal(&spec(verb), &job(status)).unwrap_or("-");
                format!("{} {why}", status.as_str())
            };
            Status::ALL.map(reason).join(", ")
        };
        assert_eq!(
            reasons(BulkVerb::Cancel),
            "waiting -, running -, cancel_request alreadyStopping, done finished, error finished, \
             cancel finished, worker_dead finished, worker_shutdown finished, \
             worker_resurrection finished, deleted finished"
        );
        assert_eq!(
            reasons(BulkVerb::Retry),
            "waiting notFinished, running notFinished, cancel_request notFinished, done -, \
             error -, cancel -, worker_dead -, worker_shutdown -, worker_resurrection -, \
             deleted deleted"
        );
        assert_eq!(
            reasons(BulkVerb::Delete),
            "waiting -, running -, cancel_request -, done -, error -, cancel -, worker_dead -, \
             worker_shutdown -, worker_resurrection -, deleted deleted"
        );
    }

    #[test]
    fn a_job_that_goes_on_elsewhere_is_not_retried() {
        let retried = BulkJob { follow_up: Some(JobId::random()), ..job(Status::Error) };
        let taken = BulkJob { is_key_taken: true, ..job(Status::Error) };
        let delivery = BulkJob { action: "deliver".to_owned(), ..job(Status::Error) };
        let jobs = [retried, taken, delivery.clone(), job(Status::Error)];
        let mut refused = Counts::new();
        assert_eq!(select(&spec(BulkVerb::Retry), &jobs, &mut refused), [jobs[3].id]);
        let reasons: Vec<_> = refused.into_iter().collect();
        let expected = ["alreadyRetried", "notAuthorized", "uniqueKeyTaken"];
        assert_eq!(reasons, expected.map(|reason| (reason.to_owned(), 1)));
        let admin = BulkSpec { may_change_deliveries: true, ..spec(BulkVerb::Delete) };
        assert_eq!(refusal(&admin, &delivery), None);
    }
}
