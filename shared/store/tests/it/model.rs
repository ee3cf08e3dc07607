//! The store against a model of it: random histories of calls, and after every call the whole store, key by key, and the
//! answer must be what the model says. A failure prints the seed and the history up to the first call that went wrong.
//!
//! Times are not waited for: what shall be over is over in the past or within a moment, what shall not is hours away.
//! The moment of each step is read off what it wrote; every time that it wrote must then be that moment's.

mod changes;
mod ends;
mod expected;
mod generator;
mod jobs;
mod random;
mod relations;
mod scheduler;
mod state;
mod step;
mod step_time;
mod waiting;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use domain::job::Status;
use store::StoreConfig;
use store::{Dumped, Outbox, Store};
use testkit::{TestEnv, disagreements};

use crate::calls::dump_of;
use generator::Generator;
use state::{Model, World};
use step::{Repeated, Step};
use step_time::step_time;
use tokio::task::JoinSet;
use waiting::Position;

/// How many histories there are, unless `CAPSTAN_TEST_HISTORIES` asks for more.
const HISTORIES: u64 = 50;
/// How many are made at most, when a rare move of the table was not made yet: the store may choose (which jobs of a dead
/// worker end first), and time goes on, so that a seed does not make the same history for ever.
const MOST: u64 = 2 * HISTORIES;
/// So many moves may be left out even then: each is tested by itself too.
const LEFT_OUT: usize = 2;
/// How many steps each has.
const STEPS: usize = 80;
/// How many are made side by side.
const AT_ONCE: usize = 4;
/// Anything that shall be over soon is over after this.
const SETTLED: Duration = Duration::from_millis(3);

#[tokio::test]
async fn every_history_leaves_the_store_as_the_model_says() {
    let env = TestEnv::new().await;
    let first = number("CAPSTAN_TEST_SEED", 1);
    let histories = number("CAPSTAN_TEST_HISTORIES", HISTORIES);
    let mut seeds = first..;
    let (mut under_way, mut walked, mut steps) = (JoinSet::new(), BTreeSet::new(), 0);
    loop {
        let more = |seed: &u64| {
            let far = seed - first;
            far < histories
                || (far < MOST && histories >= HISTORIES && !missing(&walked).is_empty())
        };
        while under_way.len() < AT_ONCE && more(&seeds.start) {
            let seed = seeds.next().unwrap();
            under_way.spawn(history(env.store_config().clone(), seed));
        }
        match under_way.join_next().await {
            Some(Ok((count, mut moves))) => {
                steps += count;
                walked.append(&mut moves);
            }
            Some(Err(failed)) => {
                under_way.shutdown().await;
                std::panic::resume_unwind(failed.into_panic());
            }
            None => break,
        }
    }
    let histories_made = seeds.start - first;
    println!(
        "{histories_made} histories, {steps} steps, {} moves of the table, not made: {:?}",
        walked.len(),
        missing(&walked)
    );
    if histories >= HISTORIES {
        assert!(missing(&walked).len() <= LEFT_OUT, "moves are not made: {:?}", missing(&walked));
    }
    env.close().await;
}

/// Makes one history in a namespace of its own; returns how many steps it had and which moves of the table.
async fn history(mut config: StoreConfig, seed: u64) -> (usize, BTreeSet<String>) {
    config.namespace = format!("{}-{seed}", config.namespace);
    let mut history = History::new(Store::new(&config).unwrap(), seed).await;
    history.run().await;
    history.store.remove_namespace().await.unwrap();
    (history.told.len(), std::mem::take(&mut history.model.transitions))
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var_os(variable).and_then(|value| value.into_string().ok());
    given.map_or(otherwise, |value| value.parse().expect("a number"))
}

/// Moves of the table that no history made.
fn missing(walked: &BTreeSet<String>) -> Vec<String> {
    use domain::job::Transition as E;
    let events: [E; 12] = [
        E::Claim,
        E::Finish,
        E::Fail,
        E::Stopped,
        E::Await,
        E::Settle,
        E::Shutdown,
        E::Cancel,
        E::Expire,
        E::Refuse,
        E::Resurrect,
        E::Delete,
    ];
    let all = Status::ALL.into_iter().flat_map(|status| events.map(|event| (status, event)));
    let moves = all.filter(|(status, event)| status.next(*event).is_some());
    let names = moves.map(|(status, event)| format!("{status} {event:?}"));
    names.filter(|name| !walked.contains(name)).collect()
}

/// One history, while it is made.
struct History {
    store: Store,
    outbox: Outbox,
    seed: u64,
    generator: Generator,
    model: Model,
    /// The store after the last step.
    world: World,
    told: Vec<String>,
}

impl History {
    async fn new(store: Store, seed: u64) -> History {
        let mut outbox = Outbox::new(store.clone(), "relay".into()).unwrap();
        outbox.create_group().await.unwrap();
        let (model, world) = (Model::default(), World::new());
        let generator = Generator::new(seed);
        History { store, outbox, seed, generator, model, world, told: Vec::new() }
    }

    async fn run(&mut self) {
        while self.told.len() < STEPS {
            let step = self.generator.step(&self.model);
            self.make(&step).await;
            if self.generator.random.percent(30) {
                self.make_again(&step).await;
            }
        }
    }

    /// Makes a step of both and compares all there is.
    async fn make(&mut self, step: &Step) {
        if step.asks_for_age() {
            self.propagate().await;
        }
        self.told.push(step.told());
        let answered = step.call(&self.store, &mut self.outbox).await;
        let answered = answered.unwrap_or_else(|error| panic!("the store answers: {error}"));
        let after = world(&self.store).await;
        if let Some(now) = answered.moment.or(step_time(&self.world, &after)) {
            assert!(now >= self.model.now, "time goes forward: {now} after {}", self.model.now);
            self.model.now = now;
        }
        let expected = self.model.step(step, &after);
        assert_eq!(answered.text, expected, "left: the store's answer; right: the model's");
        let wrong = differences(&after, &self.model.expected());
        assert!(wrong.is_empty(), "the store is not as the model says:\n{wrong}");
        let wrong = disagreements(&after);
        assert!(wrong.is_empty(), "the store disagrees with itself:\n{}", wrong.join("\n"));
        self.world = after;
        if self.is_unsettled() {
            self.propagate().await;
        }
    }

    /// Makes a step once more, as a caller does who did not hear the answer.
    async fn make_again(&mut self, step: &Step) {
        let mut before = self.world.clone();
        self.make(step).await;
        let mut after = self.world.clone();
        match step.repeated() {
            Repeated::Time => return,
            Repeated::Events => {
                before.remove("events");
                after.remove("events");
            }
            Repeated::Nothing => {}
        }
        let wrong = differences(&after, &before);
        assert!(wrong.is_empty(), "a repeated call changes nothing:\n{wrong}");
    }

    /// True when something is over, or due, within a moment.
    fn is_unsettled(&self) -> bool {
        let soon = self.model.now + 1..self.model.now + 1_000;
        let mut leases = self.model.workers.values().map(|worker| worker.until);
        let mut due = self.model.jobs.values().filter_map(|job| match job.position {
            Position::Due(at) if job.waits() => Some(at),
            Position::Due(_)
            | Position::Offered(_)
            | Position::Backlog
            | Position::Parked
            | Position::Nowhere => None,
        });
        leases.any(|at| soon.contains(&at)) || due.any(|at| soon.contains(&at))
    }

    async fn propagate(&mut self) {
        tokio::time::sleep(SETTLED).await;
        self.model.now += SETTLED.as_millis() as i64;
    }
}

impl Drop for History {
    #[expect(clippy::print_stderr, reason = "it is how a failed history is had again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, step) = (self.seed, self.told.len());
            eprintln!("CAPSTAN_TEST_SEED={seed} CAPSTAN_TEST_HISTORIES=1, at step {step} of:");
            for (index, step) in self.told.iter().enumerate() {
                eprintln!("{:3} {step}", index + 1);
            }
        }
    }
}

/// The store as it is, without streams that are empty: they come and go with their groups.
async fn world(store: &Store) -> World {
    let mut world = dump_of(store).await;
    world.retain(|_, value| *value != Dumped::Stream(Vec::new()));
    world
}

/// What is otherwise in the store than it should be.
fn differences(found: &World, wanted: &World) -> String {
    let mut text = String::new();
    let keys: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for key in keys {
        match (found.get(key), wanted.get(key)) {
            (Some(Dumped::Hash(found)), Some(Dumped::Hash(wanted))) if found != wanted => {
                let _ = writeln!(text, "{key}: {}", fields_that_differ(found, wanted));
            }
            (Some(Dumped::Stream(found)), Some(Dumped::Stream(wanted))) if found != wanted => {
                let same = found.iter().zip(wanted).take_while(|(one, other)| one == other).count();
                let (found, wanted) = (&found[same..], &wanted[same..]);
                let _ = writeln!(text, "{key}, from {same}:\n  is {found:?}\n  not {wanted:?}");
            }
            (found, wanted) if found != wanted => {
                let _ = writeln!(text, "{key}:\n  is {found:?}\n  not {wanted:?}");
            }
            _ => {}
        }
    }
    text
}

fn fields_that_differ(
    found: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> String {
    let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let differ = names.into_iter().filter(|name| found.get(*name) != wanted.get(*name));
    let told =
        differ.map(|name| format!("{name} is {:?} not {:?}", found.get(name), wanted.get(name)));
    told.collect::<Vec<_>>().join(", ")
}
