//! The store against a model of it. A random history of calls is made of both; after every call the
//! answer and the whole store, key by key, must be what the model says. A failure prints the seed
//! and the history up to the first call that went wrong.
//!
//! The test does not wait for times to pass: what is to be over lies in the past or a millisecond
//! ahead, and what is not lies hours ahead. The time of a step is read from what it wrote; every
//! time that it wrote must be the same.

mod batching;
mod changes;
mod debounce;
mod differences;
mod ends;
mod expected;
mod generator;
mod jobs;
mod offers;
mod position;
mod random;
mod rates;
mod relations;
mod routing;
mod scheduler;
mod signals;
mod state;
mod step;
mod step_time;
mod waiting;
mod windows;
mod workers;

use std::collections::BTreeSet;
use std::time::Duration;

use domain::job::Status;
use store::StoreConfig;
use store::{Dumped, Outbox, Store};
use testkit::{TestEnv, disagreements};

use crate::calls::{dump_of, redis_cli};
use differences::differences;
use generator::Generator;
use routing::{CASES, MAX_ACTION_QUEUES, MAX_SHARED_QUEUES};
use state::{Model, World};
use step::{Repeated, Step};
use step_time::step_time;
use tokio::task::JoinSet;
use waiting::Position;

/// The number of histories, unless `CAPSTAN_TEST_HISTORIES` sets another.
const HISTORIES: u64 = 50;
/// The largest number of histories, when a rare transition has not occurred yet. A seed does not
/// always make the same history: the store may choose (which jobs of a dead worker end first), and
/// time passes.
const MOST_HISTORIES: u64 = 3 * HISTORIES;
/// How many transitions may be missing even then: a test of its own covers each.
const MOST_MISSING: usize = 2;
/// The number of steps of a history.
const STEPS: usize = 120;
/// How many histories run concurrently.
const CONCURRENCY: usize = 4;
/// Whatever is to be over soon is over after this.
const SOON: Duration = Duration::from_millis(3);

#[tokio::test]
async fn after_every_call_of_a_random_history_the_store_is_as_the_model_says() {
    let env = TestEnv::new().await;
    let first = number("CAPSTAN_TEST_SEED", 1);
    let histories = number("CAPSTAN_TEST_HISTORIES", HISTORIES);
    let mut seeds = first..;
    let (mut running, mut occurred, mut steps) = (JoinSet::new(), BTreeSet::new(), 0);
    loop {
        let more = |seed: &u64| {
            let far = seed - first;
            far < histories
                || (far < MOST_HISTORIES
                    && histories >= HISTORIES
                    && !missing(&occurred).is_empty())
        };
        while running.len() < CONCURRENCY && more(&seeds.start) {
            let seed = seeds.next().unwrap();
            running.spawn(history(env.store_config().clone(), seed));
        }
        match running.join_next().await {
            Some(Ok((count, mut transitions))) => {
                steps += count;
                occurred.append(&mut transitions);
            }
            Some(Err(failed)) => {
                running.shutdown().await;
                std::panic::resume_unwind(failed.into_panic());
            }
            None => break,
        }
    }
    let histories_made = seeds.start - first;
    println!(
        "{histories_made} histories, {steps} steps, {} transitions, missing: {:?}",
        occurred.len(),
        missing(&occurred)
    );
    if histories >= HISTORIES {
        assert!(
            missing(&occurred).len() <= MOST_MISSING,
            "transitions did not occur: {:?}",
            missing(&occurred)
        );
    }
    env.close().await;
}

/// Makes one history in its own namespace. Returns the number of its steps and the transitions that
/// occurred.
async fn history(mut config: StoreConfig, seed: u64) -> (usize, BTreeSet<String>) {
    config.namespace = format!("{}-{seed}", config.namespace);
    let mut history = History::new(Store::new(&config).unwrap(), seed).await;
    if seed.is_multiple_of(4) {
        history.crowd(&config, seed.is_multiple_of(8)).await;
    }
    history.run().await;
    history.store.remove_namespace().await.unwrap();
    (history.steps.len(), std::mem::take(&mut history.model.transitions))
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var_os(variable).and_then(|value| value.into_string().ok());
    given.map_or(otherwise, |value| value.parse().expect("a number"))
}

/// The transitions that no history has made.
fn missing(occurred: &BTreeSet<String>) -> Vec<String> {
    use domain::job::Transition as E;
    let transitions: [E; 13] = [
        E::Claim,
        E::Finish,
        E::Fail,
        E::Stopped,
        E::Await,
        E::ChildrenDone,
        E::Signal,
        E::Shutdown,
        E::Cancel,
        E::Expire,
        E::Refuse,
        E::Resurrect,
        E::Delete,
    ];
    let all = Status::ALL
        .into_iter()
        .flat_map(|status| transitions.map(|transition| (status, transition)));
    let allowed = all.filter(|(status, transition)| status.next(*transition).is_some());
    let names = allowed.map(|(status, transition)| format!("{status} {transition:?}"));
    let names = names.chain(CASES.map(str::to_owned));
    names.filter(|name| !occurred.contains(name)).collect()
}

/// A history while it is made.
struct History {
    store: Store,
    outbox: Outbox,
    seed: u64,
    generator: Generator,
    model: Model,
    /// The store after the last step.
    world: World,
    steps: Vec<String>,
}

impl History {
    async fn new(store: Store, seed: u64) -> History {
        let mut outbox = Outbox::new(store.clone(), "relay".into()).unwrap();
        outbox.create_group().await.unwrap();
        let (model, world) = (Model::default(), World::new());
        let generator = Generator::new(seed);
        History { store, outbox, seed, generator, model, world, steps: Vec::new() }
    }

    /// Leaves room for two shared queues only, and for none of an action. The others were used long
    /// ago, and may retire.
    async fn crowd(&mut self, config: &StoreConfig, with_actions: bool) {
        let own = if with_actions { MAX_ACTION_QUEUES } else { 0 };
        let shared = (0..MAX_SHARED_QUEUES - 2).map(|index| format!("filler{index}=1.normal"));
        let own = (0..own).map(|index| format!("filler{index}=1@noop.normal"));
        self.model.queues = shared.chain(own).map(|queue| (queue, 1)).collect();
        let fields = self.model.routing().into_iter();
        let fields = fields.flat_map(|(field, value)| [field, value.to_string()]);
        let key = format!("{{{}}}:routing", config.namespace);
        let command = ["hset".to_owned(), key].into_iter().chain(fields);
        redis_cli(&config.redis_url, command).await;
    }

    async fn run(&mut self) {
        while self.steps.len() < STEPS {
            let step = self.generator.step(&self.model);
            self.make(&step).await;
            if self.generator.random.percent(30) {
                self.make_again(&step).await;
            }
        }
    }

    /// Makes a step of the store and of the model, and compares them.
    async fn make(&mut self, step: &Step) {
        if step.asks_for_age() {
            self.pass_time().await;
        }
        self.steps.push(step.line());
        let answered = step.call(&self.store, &mut self.outbox).await;
        let answered = answered.unwrap_or_else(|error| panic!("the store did not answer: {error}"));
        let after = world(&self.store).await;
        self.model.clock = self.store.now().await.unwrap().ms();
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
        if self.changes_soon() {
            self.pass_time().await;
        }
    }

    /// Repeats a step, as a caller does that did not receive the answer.
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
        assert!(wrong.is_empty(), "a repeated call changed the store:\n{wrong}");
    }

    /// True when a lease ends or a job is due within the next second.
    fn changes_soon(&self) -> bool {
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
        let mut expiring = self.model.jobs.values().filter_map(state::Record::expires);
        leases.any(|at| soon.contains(&at))
            || expiring.any(|at| soon.contains(&at))
            || due.any(|at| soon.contains(&at))
    }

    /// Lets that happen. It is the store's clock that has to move on, so this cannot wait for
    /// anything else.
    async fn pass_time(&mut self) {
        tokio::time::sleep(SOON).await;
        self.model.now += SOON.as_millis() as i64;
    }
}

impl Drop for History {
    #[expect(clippy::print_stderr, reason = "shows how to repeat a failed history")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, step) = (self.seed, self.steps.len());
            eprintln!("CAPSTAN_TEST_SEED={seed} CAPSTAN_TEST_HISTORIES=1, at step {step} of:");
            for (index, step) in self.steps.iter().enumerate() {
                eprintln!("{:3} {step}", index + 1);
            }
        }
    }
}

/// The contents of the store, without empty streams: they come and go with their groups.
async fn world(store: &Store) -> World {
    let mut world = dump_of(store).await;
    world.retain(|_, value| *value != Dumped::Stream(Vec::new()));
    expected::sort_outbox(&mut world);
    world
}
