//! What each call of a script costs: Redis reports every command that it carries out to `MONITOR`,
//! those of scripts included.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::calls::redis_cli;

/// The most commands that one call of each script has carried out.
pub(super) type Costs = BTreeMap<String, u64>;

/// The name of every script, with the first line of its file.
pub(super) fn scripts() -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()) {
            if path.is_dir() && path != source.join("includes") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lua") {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(name, text.lines().next().unwrap().to_owned());
            }
        }
    }
    found
}

/// Counts the commands of scripts until it is stopped.
pub(super) struct Monitor {
    url: String,
    _process: Child,
    counting: JoinSet<Costs>,
}

impl Monitor {
    /// Starts to count. The scripts must not be loaded yet: what is loaded tells their names.
    pub(super) async fn start(url: &str) -> Monitor {
        let mut process = Command::new("redis-cli")
            .args(["-u", url, "monitor"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-cli is installed");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("OK"));
        let mut counting = JoinSet::new();
        counting.spawn(async move {
            let mut counter = Counter::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.ends_with(r#""ECHO" "the end""#) || line.ends_with(r#""echo" "the end""#) {
                    break;
                }
                counter.count(&line);
            }
            counter.costs()
        });
        Monitor { url: url.to_owned(), _process: process, counting }
    }

    /// What the calls since the start have cost.
    pub(super) async fn stop(mut self) -> Costs {
        redis_cli(&self.url, ["echo", "the end"].map(str::to_owned)).await;
        self.counting.join_next().await.unwrap().unwrap()
    }
}

/// Reads lines such as `1.5 [0 lua] "HGET" "key" "field"`.
struct Counter {
    scripts: BTreeMap<String, String>,
    /// The name of the script that is loaded, until its hash is known.
    loaded: Option<String>,
    /// Names by hash.
    names: BTreeMap<String, String>,
    /// The hash of the script that runs, and how many commands it has carried out.
    running: (String, u64),
    /// The most commands of one call, by hash.
    most: BTreeMap<String, u64>,
}

impl Counter {
    fn new() -> Counter {
        let line = |(name, first): (String, String)| (name, format!(r"\n{first}\n"));
        Counter {
            scripts: scripts().into_iter().map(line).collect(),
            loaded: None,
            names: BTreeMap::new(),
            running: (String::new(), 0),
            most: BTreeMap::new(),
        }
    }

    fn count(&mut self, line: &str) {
        let Some((head, words)) = line.split_once("] ") else { return };
        if head.ends_with(" lua") {
            self.running.1 += 1;
            return;
        }
        self.end();
        let mut words = words.splitn(3, ' ');
        let first = words.next().unwrap_or_default().to_ascii_uppercase();
        let (second, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match first.as_str() {
            "\"EVALSHA\"" => {
                self.running = (second.to_owned(), 0);
                if let Some(name) = self.loaded.take() {
                    self.names.insert(second.to_owned(), name);
                }
            }
            "\"SCRIPT\"" => {
                let name = self.scripts.iter().find(|(_, line)| rest.contains(line.as_str()));
                self.loaded = name.map(|(name, _)| name.clone());
            }
            _ => {}
        }
    }

    /// Ends the call of a script.
    fn end(&mut self) {
        let (script, count) = std::mem::take(&mut self.running);
        if !script.is_empty() {
            let most = self.most.entry(script).or_default();
            *most = count.max(*most);
        }
    }

    fn costs(mut self) -> Costs {
        self.end();
        let name = |hash: &String| self.names.get(hash).cloned().unwrap_or_else(|| hash.clone());
        self.most.iter().map(|(hash, count)| (name(hash), *count)).collect()
    }
}
