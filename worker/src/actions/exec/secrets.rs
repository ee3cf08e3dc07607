//! Secrets that a command or a webhook was given, and that must not appear in its log.

/// Shorter secrets are not hidden, because they would match too much other text.
const MIN_BYTES: usize = 6;

/// The secrets of one run.
#[derive(Debug, Default)]
pub(in crate::actions) struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a secret. Each line of it is hidden, because the log consists of lines.
    pub(in crate::actions) fn add(&mut self, secret: &str) {
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= MIN_BYTES);
        self.0.extend(lines.map(ToOwned::to_owned));
    }

    /// Returns a line as text, with every secret replaced by `***`.
    pub(in crate::actions) fn hide(&self, line: &[u8]) -> String {
        let line = String::from_utf8_lossy(line).into_owned();
        self.0.iter().fold(line, |line, secret| {
            if line.contains(secret) { line.replace(secret, "***") } else { line }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_secret_is_hidden_anywhere_in_a_line() {
        let mut secrets = Secrets::default();
        secrets.add("correct horse\nbattery staple\nab\n");
        assert_eq!(secrets.hide(b"<correct horse><battery staple>"), "<***><***>");
        assert_eq!(secrets.hide(b"a cab \xff"), "a cab \u{fffd}");
    }
}
