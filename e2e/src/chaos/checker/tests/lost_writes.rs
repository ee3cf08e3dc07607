//! Lost writes: what they explain, and what they do not.

use super::super::{lost_writes, retry_chains, violations::Violations};
use super::*;

const ROLLED_BACK_US: i64 = 12_000_000;

fn invariants(observations: &Observations) -> Vec<&'static str> {
    let history = history();
    history.add_roll_back_at(ROLLED_BACK_US);
    let mut violations = Violations::new(Vec::new());
    retry_chains::check_records(observations, &mut violations);
    lost_writes::check(observations, &history, &mut violations);
    violations.into_inner().iter().map(|violation| violation.invariant).collect()
}

/// The event of a job that changes its status.
fn change(job: &Job, status: &str, token: &str) -> Event {
    let (id, number) = (job.id.to_string(), job.number.to_string());
    event(
        1,
        &[("job", id.as_str()), ("number", number.as_str()), ("status", status), ("token", token)],
    )
}

#[test]
fn an_acknowledged_job_may_be_lost_but_no_job_may_hang() {
    let mut observed = observations();
    let lost = job(1, Status::Done);
    let kind = workload::named("plain").unwrap();
    observed.ledger.jobs.insert(lost.id, Expectation { kind, retries: 0 });
    observed.runs.push(run(&lost, 1, 2));
    assert_eq!(invariants(&observed), NONE);
    let hanging = job(2, Status::Running);
    observed.jobs.insert(hanging.id, hanging);
    assert_eq!(invariants(&observed), ["an acknowledged job reaches one final status"]);
}

#[test]
fn a_token_and_a_number_are_given_once() {
    let (first, second) = (job(1, Status::Done), job(1, Status::Done));
    let mut observed = observations();
    observed.events = vec![change(&first, "waiting", ""), change(&first, "running", "7")];
    observed.events.push(change(&first, "cancel_request", "7"));
    assert_eq!(invariants(&observed), NONE);
    observed.events.push(change(&first, "running", "7"));
    assert_eq!(invariants(&observed), ["a token is given to one claim"]);
    observed.events = vec![change(&first, "waiting", ""), change(&second, "waiting", "")];
    assert_eq!(invariants(&observed), ["a number is given to one job"]);
    observed.events.clear();
    observed.runs = vec![run(&first, 1, 2), run(&second, 3, 4)];
    assert_eq!(invariants(&observed), ["a token is given to one claim"]);
}

#[test]
fn a_job_runs_twice_at_once_only_after_its_claim_was_lost() {
    let job = job(1, Status::Done);
    let mut observed = observations();
    observed.jobs.insert(job.id, job.clone());
    let again = |start, end| RecordedRun { token: FencingToken(9), ..run(&job, start, end) };
    observed.runs = vec![run(&job, 10, 15), again(13, 14)];
    assert_eq!(invariants(&observed), NONE);
    observed.runs = vec![run(&job, 10, 50), again(13, 14)];
    assert_eq!(invariants(&observed), ["a run whose claim is lost is stopped"]);
    observed.runs = vec![run(&job, 20, 25), again(23, 24)];
    assert_eq!(
        invariants(&observed),
        ["a follow-up starts after its job ended or its worker was lost"]
    );
}
