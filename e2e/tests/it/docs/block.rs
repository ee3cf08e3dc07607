//! How a fenced block is checked, by its info string.
//!
//! | info string | the block |
//! |---|---|
//! | `sh` | is run |
//! | `sh no-run` | may contain only commands of [`NO_RUN`] |
//! | `console` | `$ command` lines are run; the lines below are the expected output, `…` is anything |
//! | `json` | is valid JSON |
//! | `json job`, `json batch` | is accepted by `POST /jobs`, `POST /jobs/batch` |
//! | `toml actions`, `toml crons` | is part of the page's file of actions or crons |
//! | `rust no_run` | compiles as a documentation test of the worker library, which includes the page |
//! | `LANGUAGE file:PATH` | is found in that file, which has tests of its own |
//! | `bash` | is a fragment with valid syntax |
//! | `text` | is a picture or a message, and contains no command |

use std::path::Path;

use super::markdown::Block;
use super::read;

/// The commands that cannot be run in a test, because they need Docker, other machines, or the whole
/// test run itself. Nothing else can be skipped.
pub(super) const NO_RUN: &[&str] = &[
    "./dev up",
    "./dev up --no-demo",
    "./dev test",
    "./dev test -E 'test(sentinel) or test(failover) or test(lost_writes) or test(outage)'",
    "docker compose up --build",
    "docker compose up --build --scale worker=5 -d",
    "docker compose up --build --scale demo=0 -d",
    "docker compose up --build --scale worker=5 --scale demo=0 -d",
    "docker compose down",
    "docker compose exec api capstan workers",
    "docker compose exec -T api cat /var/lib/capstan/access/admin-token",
    "docker compose run --rm demo capstan jobs list",
    "capstan() { docker compose exec -T api capstan \"$@\"; }",
    "mkdir -p actions",
    "cp hello.toml actions/actions.toml",
    "export ACTIONS=$PWD/actions COMPOSE_FILE=docker-compose.yml:compose.actions.yml",
    "export ACTIONS=/srv/capstan/actions COMPOSE_FILE=docker-compose.yml:compose.actions.yml",
    "capstan jobs submit hello -p name=world --wait",
    "docker compose config --resolve-image-digests >compose.pinned.yml",
    "docker compose -f compose.pinned.yml up -d",
    "docker compose exec api cat /var/lib/capstan/access/admin-token",
    "docker compose logs demo",
    "sudo apt-get install -y redis-server rabbitmq-server",
    "cargo build --release --workspace --bins",
    "export PATH=\"$PWD/target/release:$PATH\"",
    "capstan up --data ~/capstan",
    "capstan up --data ~/capstan --actions hello.toml",
    "capstan up --data ~/capstan --workers 4",
    "capstan init --access access --secrets secrets",
    "openssl rand -hex 32 >cookie",
    "kubectl create namespace capstan",
    "for service in scheduler worker api redis rabbitmq; do kubectl -n capstan create secret generic capstan-$service --from-file=secrets/$service; done",
    "kubectl -n capstan create secret generic capstan-access --from-file=access/tokens",
    "kubectl -n capstan create secret generic rabbitmq-cookie --from-file=cookie",
    "kubectl apply -k deploy/kubernetes/high-availability",
    "sudo capstan init --access /etc/capstan/access --secrets /etc/capstan/secrets",
    "export REDIS_ADMIN_URL=redis://default:secret@redis.example.org:6379",
    "redis-cli -u \"$REDIS_ADMIN_URL\" --rdb capstan.rdb",
    "redis-cli -u \"$REDIS_ADMIN_URL\" HGET '{capstan}:store' format >capstan.format",
    "export CAPSTAN_REDIS_URL=redis://redis:6379",
    "export CAPSTAN_AMQP_URL=amqp://capstan:secret@rabbitmq:5672/%2f",
    "capstan bench scale",
    "capstan-scheduler",
    "CAPSTAN_JOB_USER=10002:10002 capstan-worker",
    "capstan-worker --capacity scan=4,cpu=8 --actions /etc/capstan/actions.toml",
    "capstan-api --listen 127.0.0.1:8080",
    "capstan-api --listen 0.0.0.0:8443 --tokens tokens --tls-cert cert.pem --tls-key key.pem",
    "export CAPSTAN_API=https://api.example.org:8443",
    "CAPSTAN_TOKEN=$TOKEN capstan jobs list",
    "curl -s \"$CAPSTAN_API/api/v0/jobs\" -H \"Authorization: Bearer $TOKEN\"",
];

/// What marks a command in a block that should have none.
const COMMANDS: [&str; 6] = ["$ ", "capstan ", "capstan-", "curl ", "./dev", "docker "];

/// How a block is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Shell,
    NoRun,
    Console,
    Json,
    Job,
    Batch,
    Actions,
    Crons,
    Rust,
    Excerpt(String),
    Fragment,
    Text,
}

impl Kind {
    /// Reads the info string.
    pub(super) fn of(block: &Block) -> Result<Kind, String> {
        match block.info.as_str() {
            "sh" => Ok(Kind::Shell),
            "sh no-run" => Ok(Kind::NoRun),
            "console" => Ok(Kind::Console),
            "json" => Ok(Kind::Json),
            "json job" => Ok(Kind::Job),
            "json batch" => Ok(Kind::Batch),
            "toml actions" => Ok(Kind::Actions),
            "toml crons" => Ok(Kind::Crons),
            "rust no_run" => Ok(Kind::Rust),
            "bash" => Ok(Kind::Fragment),
            "text" => Ok(Kind::Text),
            other => match other.split_once(" file:") {
                Some((_, path)) => Ok(Kind::Excerpt(path.to_owned())),
                None => Err(format!("the info string {other:?} is not one of those in block.rs")),
            },
        }
    }

    /// Checks what can be checked without a fleet.
    pub(super) fn check(&self, block: &Block, page: &Path) -> Result<(), String> {
        match self {
            Kind::NoRun => {
                match block.commands().iter().find(|it| !NO_RUN.contains(&it.as_str())) {
                    Some(command) => Err(format!("{command:?} is not in the list of block.rs")),
                    None => Ok(()),
                }
            }
            Kind::Json | Kind::Job | Kind::Batch => {
                let parsed = serde_json::from_str::<serde_json::Value>(&block.text);
                parsed.map(drop).map_err(|error| format!("not valid JSON: {error}"))
            }
            Kind::Rust => {
                let include = format!("include_str!(\"../../{}\")", page.display());
                let included = read("worker/src/lib.rs").contains(&include);
                included.then_some(()).ok_or(format!("worker/src/lib.rs has no {include}"))
            }
            Kind::Excerpt(path) => {
                let found = read(path).contains(&block.text);
                found.then_some(()).ok_or(format!("{path} differs from this block"))
            }
            Kind::Text => {
                let is_command = |line: &str| COMMANDS.iter().any(|mark| line.starts_with(mark));
                match block.text.lines().find(|line| is_command(line)) {
                    Some(line) => Err(format!("{line:?} is a command: use sh or console")),
                    None => Ok(()),
                }
            }
            Kind::Shell | Kind::Console | Kind::Actions | Kind::Crons | Kind::Fragment => Ok(()),
        }
    }

    /// Whether the block is checked against a running fleet.
    pub(super) fn needs_fleet(&self) -> bool {
        match self {
            Kind::Shell
            | Kind::Console
            | Kind::Job
            | Kind::Batch
            | Kind::Actions
            | Kind::Crons
            | Kind::Fragment => true,
            Kind::NoRun | Kind::Json | Kind::Rust | Kind::Excerpt(_) | Kind::Text => false,
        }
    }
}
