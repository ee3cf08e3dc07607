//! Temporary files of a test, such as a tokens file with one token for each role.

use std::path::{Path, PathBuf};

use api::Exposure;
use domain::access_tokens::{AccessToken, AccessTokenEntry, Role};
use domain::job::WorkerId;
use reqwest::{Method, RequestBuilder};

use crate::env::{Answer, TestEnv, redis_url, send, with_env_exposed};

/// A temporary directory, removed on drop.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        let path = std::env::temp_dir().join(format!("capstan-test-{}", WorkerId::random()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    /// Returns the path of a file in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file atomically and returns its path.
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

/// A tokens file with one token for each role: `vera` (viewer), `otto` (operator) and `anna`
/// (admin).
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

    /// Replaces the lines of the file.
    pub(crate) fn write(&self, lines: &[String]) {
        self.directory.write("tokens", &(lines.join("\n") + "\n"));
    }

    /// Returns the token of a role.
    pub(crate) fn of(&self, role: Role) -> &str {
        self.secrets.iter().find(|(known, _)| *known == role).unwrap().1.reveal()
    }

    pub(crate) fn exposure(&self) -> Exposure {
        exposure(&self.path())
    }
}

/// Returns access settings with this tokens file.
pub(crate) fn exposure(tokens: &Path) -> Exposure {
    Exposure { tokens: Some(tokens.to_owned()), ..Exposure::default() }
}

/// Runs a test whose API requires tokens.
pub(crate) async fn with_tokens(test: impl AsyncFnOnce(&TestEnv, &Tokens)) {
    let tokens = Tokens::new();
    let redis = redis_url();
    with_env_exposed(&redis, tokens.exposure(), async |env| test(env, &tokens).await).await;
}

impl TestEnv {
    /// Returns a request to a path of the v0 surface, with a token.
    pub(crate) fn request_as(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, self.at(path)).bearer_auth(token)
    }

    /// Sends a request to a path of the v0 surface, with a token.
    pub(crate) async fn send_as(&self, method: &str, path: &str, token: &str) -> Answer {
        send(self.request_as(method, path, token)).await
    }
}
