//! Files for a test: tokens of each role, and whatever else; gone when the test is over.

use std::path::{Path, PathBuf};

use api::Exposure;
use domain::access_tokens::{AccessToken, AccessTokenEntry, Role};
use domain::job::WorkerId;
use reqwest::{Method, RequestBuilder};

use crate::env::{Answer, TestEnv, redis_url, send, with_env_exposed};

/// A directory of a test's own.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        let path = std::env::temp_dir().join(format!("capstan-test-{}", WorkerId::random()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    /// Where a file of it is.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file as one step.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (new, path) = (self.at(&format!("{name}.new")), self.at(name));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &path).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A token of each role, called `vera` (viewer), `otto` (operator), `anna` (admin).
pub(crate) struct Tokens {
    directory: Directory,
    secrets: Vec<(Role, AccessToken)>,
    pub(crate) lines: Vec<String>,
}

impl Tokens {
    pub(crate) fn new() -> Tokens {
        let names = ["vera", "otto", "anna"];
        let (mut secrets, mut lines) = (Vec::new(), Vec::new());
        for (role, name) in Role::ALL.into_iter().zip(names) {
            let secret = AccessToken::random().unwrap();
            lines.push(AccessTokenEntry::new(name.parse().unwrap(), role, &secret).to_string());
            secrets.push((role, secret));
        }
        let tokens = Tokens { directory: Directory::new(), secrets, lines };
        tokens.write(&tokens.lines);
        tokens
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.at("tokens")
    }

    /// Puts these lines in the place of all.
    pub(crate) fn write(&self, lines: &[String]) {
        self.directory.write("tokens", &(lines.join("\n") + "\n"));
    }

    /// The token of a role.
    pub(crate) fn of(&self, role: Role) -> &str {
        self.secrets.iter().find(|(known, _)| *known == role).unwrap().1.reveal()
    }

    pub(crate) fn exposure(&self) -> Exposure {
        exposure(&self.path())
    }
}

/// Settings with these tokens.
pub(crate) fn exposure(tokens: &Path) -> Exposure {
    Exposure { tokens: Some(tokens.to_owned()), ..Exposure::default() }
}

/// Runs a test in a env where one must say who one is.
pub(crate) async fn guarded(test: impl AsyncFnOnce(&TestEnv, &Tokens)) {
    let tokens = Tokens::new();
    let redis = redis_url();
    with_env_exposed(&redis, tokens.exposure(), async |env| test(env, &tokens).await).await;
}

impl TestEnv {
    /// A request to a path of the v0 surface, with a token.
    pub(crate) fn asks(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, self.at(path)).bearer_auth(token)
    }

    /// Its answer.
    pub(crate) async fn asked(&self, method: &str, path: &str, token: &str) -> Answer {
        send(self.asks(method, path, token)).await
    }
}
