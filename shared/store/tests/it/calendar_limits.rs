//! Calendar limits: how many jobs start in each window, also when a window ends, when it is another
//! one, and when the ends of windows are not known.

use std::time::Duration;

use domain::job::{JobId, Timestamp, WorkerId};
use domain::limit::{CalendarQuota, RateLimit, Window};
use domain::lock::LockName;
use store::{ClaimAnswer, LimitState, Settings, Sweep};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claim, dump, submit, worker};

struct Limited {
    env: TestEnv,
    worker: WorkerId,
}

impl Limited {
    async fn new() -> Limited {
        let env = TestEnv::new().await;
        Limited { worker: worker(&env).await, env }
    }

    async fn set(&self, name: &str, limit: RateLimit) {
        self.env.store().set_limit(&name.parse().unwrap(), limit).await.unwrap();
    }

    /// Sets a limit of these starts, whose windows end in `ends_in_ms` from now.
    async fn set_ends(&self, quota: u32, ends_in_ms: &[i64]) {
        let now = self.now().await;
        let ends: Vec<String> = ends_in_ms.iter().map(|ms| (now + ms).to_string()).collect();
        let text = format!("calendar {quota} day UTC {}", ends.join(" "));
        self.env.redis("hset", "limits", &["geo", &text]).await;
    }

    async fn now(&self) -> i64 {
        self.env.store().now().await.unwrap().ms()
    }

    /// Submits a job for each key and claims it; the letters say which run and which wait.
    async fn start(&self, keys: &[&str]) -> (String, Vec<JobId>) {
        let (mut letters, mut waiting) = (String::new(), Vec::new());
        for key in keys {
            let mut new = job("noop", "");
            new.spec.locks.add(LockName::of_rate(key).unwrap(), 1);
            let id = submit(&self.env, &new).await;
            let runs = self.claims(id).await;
            letters.push(if runs { 'r' } else { 'w' });
            waiting.extend((!runs).then_some(id));
            assert_consistent(self.env.store()).await;
        }
        (letters, waiting)
    }

    async fn claims(&self, id: JobId) -> bool {
        match claim(&self.env, &self.worker, id).await {
            ClaimAnswer::Claimed(_) => true,
            ClaimAnswer::Parked(_) => false,
            other @ (ClaimAnswer::Gone
            | ClaimAnswer::Refused(_)
            | ClaimAnswer::Unreadable(..)
            | ClaimAnswer::Failed(_)) => panic!("{id}: {other:?}"),
        }
    }

    /// Waits until the ticker has offered a job, and claims it.
    async fn starts_later(&self, id: JobId) {
        let runs = async || {
            self.env.store().due().await.unwrap();
            assert_consistent(self.env.store()).await;
            self.claims(id).await
        };
        self.env.eventually("the job starts in the next window", runs).await;
    }

    async fn state(&self) -> LimitState {
        let limit = self.env.store().limit(&"geo".parse().unwrap()).await.unwrap().unwrap();
        limit.state.unwrap()
    }

    async fn hold_back(&self, ms: u64) {
        let key = LockName::of_rate("geo").unwrap();
        assert!(self.env.store().hold_back(&key, Duration::from_millis(ms)).await.unwrap());
    }
}

fn per(quota: i64, window: Window) -> RateLimit {
    RateLimit::Calendar(CalendarQuota::new(quota, window, "UTC".parse().unwrap()).unwrap())
}

#[tokio::test]
async fn as_many_jobs_start_in_a_window_as_the_quota_and_the_others_when_it_ends() {
    let one = Limited::new().await;
    one.set_ends(2, &[400, 3_600_000]).await;
    let (letters, waiting) = one.start(&["geo"; 5]).await;
    assert_eq!(letters, "rrwww");
    one.starts_later(waiting[0]).await;
    one.starts_later(waiting[1]).await;
    one.env.store().due().await.unwrap();
    assert!(!one.claims(waiting[2]).await, "two have started in the second window");
    assert_eq!(one.state().await.used, 2);
    one.env.close().await;
}

#[tokio::test]
async fn the_state_says_when_the_next_window_begins() {
    let one = Limited::new().await;
    let limit = per(2, Window::Month);
    let RateLimit::Calendar(month) = limit else { panic!() };
    one.set("geo", limit).await;
    assert_eq!(one.start(&["geo"]).await.0, "r");
    let LimitState { used, next_at, .. } = one.state().await;
    assert!(used == 1 && next_at.ms() <= one.now().await);
    assert_eq!(one.start(&["geo", "geo"]).await.0, "rw");
    let LimitState { used, next_at, waiting } = one.state().await;
    let begins = month.ends(Timestamp::from_ms(one.now().await)).next();
    assert_eq!((used, waiting, Some(next_at)), (2, 1, begins));
    one.env.close().await;
}

#[tokio::test]
async fn a_changed_quota_applies_at_once_and_another_window_begins_a_new_count() {
    let one = Limited::new().await;
    one.set("geo", per(1, Window::Month)).await;
    let (letters, waiting) = one.start(&["geo"; 4]).await;
    assert_eq!(letters, "rwww");
    one.set("geo", per(2, Window::Month)).await;
    assert!(one.claims(waiting[0]).await && !one.claims(waiting[1]).await);
    one.set("geo", per(1, Window::Month)).await;
    assert_eq!(one.state().await.used, 2, "more than the smaller quota");
    one.set("geo", per(1, Window::Week)).await;
    assert!(one.claims(waiting[1]).await && !one.claims(waiting[2]).await);
    // Neither kind of limit counts what started under the other.
    one.set("geo", RateLimit::new(1, Duration::from_secs(1_000), 1).unwrap()).await;
    assert!(one.claims(waiting[2]).await);
    assert_eq!(one.start(&["geo"]).await.0, "w");
    assert_consistent(one.env.store()).await;
    one.env.close().await;
}

#[tokio::test]
async fn each_key_of_a_pattern_has_its_own_quota() {
    let one = Limited::new().await;
    one.set("geo-*", per(1, Window::Month)).await;
    assert_eq!(one.start(&["geo-1", "geo-2", "geo-1", "geo-2"]).await.0, "rrww");
    one.env.close().await;
}

#[tokio::test]
async fn starts_after_the_last_known_window_count_until_after_it_is_renewed() {
    let one = Limited::new().await;
    one.set_ends(3, &[-172_800_000, -86_400_000]).await;
    assert_eq!(one.start(&["geo"; 2]).await.0, "rr");
    assert_eq!(one.env.store().renew_windows().await.unwrap(), 1);
    assert_eq!(one.env.store().renew_windows().await.unwrap(), 0, "it has enough");
    let (letters, _) = one.start(&["geo"; 2]).await;
    assert_eq!(letters, "rw", "at most the quota before and after");
    one.env.close().await;
}

#[tokio::test]
async fn a_limit_is_renewed_when_half_of_its_windows_are_over_or_the_time_zone_has_new_rules() {
    let one = Limited::new().await;
    one.set("geo", per(1, Window::Day)).await;
    one.set("other", RateLimit::new(1, Duration::from_secs(1), 1).unwrap()).await;
    let kept = one.env.redis("hget", "limits", &["geo"]).await;
    let words: Vec<&str> = kept.split_whitespace().collect();
    let text = |words: &[&str]| words.join(" ");
    let renewed = async |text: String| {
        one.env.redis("hset", "limits", &["geo", &text]).await;
        let renewed = one.env.store().renew_windows().await.unwrap();
        let is_whole = one.env.redis("hget", "limits", &["geo"]).await.trim() == kept.trim();
        (renewed, is_whole)
    };
    assert_eq!(renewed(text(&words[..4 + 24])).await, (0, false));
    assert_eq!(renewed(text(&words[..4 + 23])).await, (1, true));
    let mut moved = words.clone();
    let early = (words[10].parse::<i64>().unwrap() - 3_600_000).to_string();
    moved[10] = &early;
    assert_eq!(renewed(text(&moved)).await, (1, true));
    one.env.close().await;
}

#[tokio::test]
async fn a_key_that_is_held_back_keeps_the_count_of_its_window() {
    let one = Limited::new().await;
    one.set_ends(2, &[3_600_000, 7_200_000]).await;
    assert_eq!(one.start(&["geo"]).await.0, "r");
    one.hold_back(60_000).await;
    one.hold_back(1).await;
    let LimitState { used, next_at, .. } = one.state().await;
    let next_in = next_at.ms() - one.now().await;
    assert!(used == 2 && (50_000..=60_000).contains(&next_in), "{next_in}");
    assert_eq!(one.start(&["geo"]).await.0, "w");
    one.env.close().await;

    let one = Limited::new().await;
    one.set_ends(2, &[3_600_000, 7_200_000]).await;
    assert_eq!(one.start(&["geo"]).await.0, "r");
    one.hold_back(200).await;
    let (letters, waiting) = one.start(&["geo"; 2]).await;
    assert_eq!(letters, "ww");
    one.starts_later(waiting[0]).await;
    assert!(!one.claims(waiting[1]).await, "the window is used up");
    one.env.close().await;
}

#[tokio::test]
async fn keys_whose_window_is_over_leave_nothing_behind() {
    let one = Limited::new().await;
    one.set_ends(1, &[100, 200, 300, 3_600_000]).await;
    assert_eq!(one.start(&["geo"]).await.0, "r");
    let removed = async || {
        one.env.store().trim(&Settings::default(), &mut Sweep::default()).await.unwrap();
        let world = dump(&one.env).await;
        !world.contains_key("calendar:used") && !world.contains_key("calendar:ends")
    };
    one.env.eventually("the counts are removed", removed).await;
    one.env.close().await;
}

#[tokio::test]
async fn starts_that_count_for_too_long_since_the_clock_was_set_back_are_corrected() {
    let one = Limited::new().await;
    one.set_ends(2, &[86_400_000, 172_800_000]).await;
    assert_eq!(one.start(&["geo"]).await.0, "r");
    one.hold_back(86_400_000).await;
    one.set_ends(2, &[60_000, 120_000]).await;
    one.env.store().clamp_times(Duration::from_secs(60)).await.unwrap();
    let kept = one.env.redis("hget", "calendar:used", &["geo"]).await;
    let words: Vec<i64> = kept.split(' ').take(3).map(|word| word.parse().unwrap()).collect();
    let latest = one.now().await + 60_000;
    assert!(words[0] == 1 && words[1] <= latest && words[2] <= latest, "{kept}");
    one.env.close().await;
}
