use super::*;
use domain::job::JobId;
use domain::job::{AwaitedSignal, Cancellation, Exception, JobSpec, NewJob, Status};
use expect_test::expect;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + seconds * 1000)
}

/// A job that was submitted at 0 s and is due then.
fn job(number: u64) -> Job {
    let spec = JobSpec::of("noop".parse().unwrap());
    let new = NewJob {
        id: JobId::random(),
        class: "default=1".to_owned().try_into().unwrap(),
        scheduled_at: None,
        reserve_id: false,
        request_hash: None,
        spec,
    };
    Job::waiting(new, number, at(0), at(0))
}

fn text(jobs: Vec<Job>, now: i64) -> String {
    let timeline = of(jobs, at(now));
    let mut text = String::new();
    for step in &timeline.steps {
        let seconds = (step.at.ms() - at(0).ms()) / 1000;
        let line = format!("{seconds} {} {} {}", step.what, step.who, step.why);
        text.push_str(&format!("{}: {}\n", step.attempt, line.trim_end()));
    }
    let Spans { wait, run_ms } = timeline.spans;
    let Wait { due, dependency, lock, rate, queue, children, signal } = wait;
    let sum = [due, dependency, lock, queue, children, run_ms].map(|ms| ms / 1000);
    let rate = if rate > 0 { format!(", rate: {}", rate / 1000) } else { String::new() };
    let signal = if signal > 0 { format!(", signal: {}", signal / 1000) } else { String::new() };
    text + &format!("due, dependency, lock, queue, children, run: {sum:?}{rate}{signal}\n")
}

#[test]
fn each_span_begins_where_the_one_before_it_ended() {
    let mut one = job(1);
    one.spec.depends_on = vec![JobId::random(), JobId::random()];
    one.spec.locks = "sw1".parse().unwrap();
    one.spec.scheduled_by = Some("indy".to_owned());
    one.scheduled_at = at(50);
    one.passed.unblocked_at = Some(at(40));
    one.passed.parked_at = Some(at(52));
    one.passed.granted_at = Some(at(60));
    one.started_at = Some(at(61));
    one.passed.cancel_at = Some(at(65));
    one.cancelled = Some(Cancellation { by: "me".to_owned(), reason: "too late".to_owned() });
    one.status = Status::Cancel;
    one.finished_at = Some(at(69));
    expect![[r#"
        1: 0 submitted indy
        1: 40 unblocked  all 2 jobs that it depends on have ended
        1: 50 due
        1: 52 parked  for sw1
        1: 60 granted
        1: 61 started
        1: 65 cancel_requested me too late
        1: 69 cancel me too late
        due, dependency, lock, queue, children, run: [10, 40, 8, 3, 0, 8]
    "#]]
    .assert_eq(&text(vec![one], 100));
}

#[test]
fn a_retry_adds_its_back_off_and_its_run() {
    let mut first = job(1);
    first.started_at = Some(at(2));
    first.finished_at = Some(at(5));
    first.status = Status::Error;
    first.exception = Some(Exception::new("ExitCode", "it exited with 1"));
    let mut second = job(2);
    second.attempt = 2;
    (second.created_at, second.scheduled_at) = (at(5), at(15));
    second.started_at = Some(at(16));
    second.passed.ran_until = Some(at(20));
    second.status = Status::Waiting;
    second.awaits_children = true;
    expect![[r#"
        1: 0 submitted
        1: 2 started
        1: 5 error  ExitCode: it exited with 1
        2: 5 retried  attempt 1 failed
        2: 15 due
        2: 16 started
        2: 20 awaits_children
        due, dependency, lock, queue, children, run: [10, 0, 0, 3, 10, 7]
    "#]]
    .assert_eq(&text(vec![first, second], 30));
}

#[test]
fn a_wait_for_a_rate_limit_is_no_wait_for_a_lock() {
    let mut one = job(1);
    one.spec.locks = "rate:mail".parse().unwrap();
    one.passed.parked_at = Some(at(1));
    one.parked_for = Some("rate:mail".parse().unwrap());
    one.passed.granted_at = Some(at(9));
    expect![[r#"
        1: 0 submitted
        1: 1 parked  for the rate limit mail
        1: 9 granted
        due, dependency, lock, queue, children, run: [0, 0, 0, 2, 0, 0], rate: 8
    "#]]
    .assert_eq(&text(vec![one], 10));
}

#[test]
fn a_job_waits_for_a_signal_between_two_attempts() {
    let awaited = |sent_by: Option<&str>| {
        let (name, sent_by) = ("approved".parse().unwrap(), sent_by.map(str::to_owned));
        Some(AwaitedSignal { name, until: None, role: None, sent_by })
    };
    let attempt = |attempt: u32, begin: i64| {
        let mut job = job(attempt.into());
        job.attempt = attempt;
        (job.created_at, job.scheduled_at) = (at(begin), at(begin));
        job.started_at = Some(at(begin + 1));
        (job.status, job.finished_at) = (Status::Done, Some(at(begin + 10)));
        job
    };
    let (mut first, mut second) = (attempt(1, 0), attempt(2, 10));
    first.passed.ran_until = Some(at(3));
    first.awaited_signal = awaited(Some("ann"));
    second.passed.ran_until = Some(at(12));
    second.awaited_signal = awaited(None);
    expect![[r#"
        1: 0 submitted
        1: 1 started
        1: 3 awaits_signal  approved
        1: 10 done
        2: 10 continued ann sent the signal approved
        2: 11 started
        2: 12 awaits_signal  approved
        2: 20 done
        3: 20 continued  the signal approved was not sent in time
        3: 21 started
        3: 30 done
        due, dependency, lock, queue, children, run: [0, 0, 0, 3, 0, 12], signal: 15
    "#]]
    .assert_eq(&text(vec![first, second, attempt(3, 20)], 40));
}

#[test]
fn a_job_that_still_waits_is_counted_until_now() {
    let mut blocked = job(1);
    blocked.spec.depends_on = vec![JobId::random()];
    blocked.awaits_dependencies = true;
    let mut parked = job(1);
    parked.spec.locks = "sw1".parse().unwrap();
    parked.passed.parked_at = Some(at(3));
    let mut due = job(1);
    due.scheduled_at = at(90);
    let texts = [blocked, parked, due, job(1)].map(|one| text(vec![one], 10));
    expect![[r#"
        1: 0 submitted
        due, dependency, lock, queue, children, run: [0, 10, 0, 0, 0, 0]
        1: 0 submitted
        1: 3 parked  for sw1
        due, dependency, lock, queue, children, run: [0, 0, 7, 3, 0, 0]
        1: 0 submitted
        due, dependency, lock, queue, children, run: [10, 0, 0, 0, 0, 0]
        1: 0 submitted
        due, dependency, lock, queue, children, run: [0, 0, 0, 10, 0, 0]
    "#]]
    .assert_eq(&texts.concat());
}
