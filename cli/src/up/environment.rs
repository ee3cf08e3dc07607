//! `.capstan/env`: a shell file with the variables that another terminal needs to use the fleet.

use std::env;
use std::fs::{DirBuilder, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;

/// The path of the file, in the working directory.
pub(super) const PATH: &str = ".capstan/env";

/// Settings of this process that a client or another worker needs too.
const INHERITED: [&str; 12] = [
    "CAPSTAN_TOKEN",
    "CAPSTAN_TOKEN_FILE",
    "CAPSTAN_CA",
    "CAPSTAN_NAMESPACE",
    "CAPSTAN_LEASE",
    "CAPSTAN_QUEUE_TYPE",
    "CAPSTAN_REDIS_PASSWORD_FILE",
    "CAPSTAN_REDIS_SENTINEL_PASSWORD_FILE",
    "CAPSTAN_REDIS_WAIT",
    "CAPSTAN_REDIS_CA",
    "CAPSTAN_AMQP_PASSWORD_FILE",
    "CAPSTAN_AMQP_CA",
];

/// The file of a fleet that runs. Dropping it deletes the file.
///
/// The file is locked as long as its fleet runs. A file without a lock was left behind when its
/// owner was killed, and is written anew.
pub(super) struct EnvironmentFile {
    _locked: File,
}

impl EnvironmentFile {
    /// Writes the file. Fails if the file of another running fleet is there.
    #[expect(clippy::disallowed_methods, reason = "the settings are passed on, not used")]
    pub(super) fn write(
        variables: &[(&'static str, String)],
        programs: &Path,
    ) -> anyhow::Result<EnvironmentFile> {
        let folder = Path::new(PATH).parent().unwrap_or(Path::new("."));
        let writing = || format!("cannot write {PATH}");
        DirBuilder::new().mode(0o700).recursive(true).create(folder).with_context(writing)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(PATH).with_context(writing)?;
        anyhow::ensure!(
            file.try_lock().is_ok(),
            "{PATH} leads to another fleet that was started here and still runs; it is unchanged"
        );
        file.set_permissions(Permissions::from_mode(0o600)).with_context(writing)?;
        let inherited = INHERITED.into_iter().filter_map(|name| Some((name, env::var(name).ok()?)));
        let inherited: Vec<_> = inherited.filter(|(_, value)| !value.is_empty()).collect();
        let text = text(variables.iter().chain(&inherited), programs);
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).with_context(writing)?;
        Ok(EnvironmentFile { _locked: file })
    }
}

impl Drop for EnvironmentFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(PATH);
        // Fails unless the folder is empty.
        let _ = Path::new(PATH).parent().map(std::fs::remove_dir);
    }
}

fn text<'a>(
    variables: impl Iterator<Item = &'a (&'static str, String)>,
    programs: &Path,
) -> String {
    let lines = variables.map(|(name, value)| format!("export {name}={}\n", quoted(value)));
    let programs = quoted(&programs.display().to_string());
    lines.chain([format!("export PATH={programs}:\"$PATH\"\n")]).collect()
}

/// Quotes a text for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn values_are_quoted_for_a_shell() {
        let variables =
            [("CAPSTAN_API", "http://[::1]:80".to_owned()), ("A", "it's $1".to_owned())];
        expect![[r#"
            export CAPSTAN_API='http://[::1]:80'
            export A='it'\''s $1'
            export PATH='/opt/my programs':"$PATH"
        "#]]
        .assert_eq(&text(variables.iter(), Path::new("/opt/my programs")));
    }
}
