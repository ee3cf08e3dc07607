//! How a service ends: with an exit code, and with the reason on standard error if it failed.

use std::error::Error;
use std::io::{Write, stderr};
use std::process::ExitCode;

/// Returns the exit code of a program that has ended, and prints why it failed.
pub fn exit_code<E: AsRef<dyn Error + Send + Sync>>(
    program: &str,
    ended: Result<(), E>,
) -> ExitCode {
    let Err(error) = ended else { return ExitCode::SUCCESS };
    // If standard error is closed, the reason cannot be reported.
    let _ = writeln!(stderr().lock(), "{program}: {}", reason(error.as_ref()));
    ExitCode::FAILURE
}

/// Returns an error with its causes in one line. Causes that the text has already are not repeated.
fn reason(error: &dyn Error) -> String {
    let mut text = error.to_string().trim_end().to_owned();
    let mut cause = error.source();
    while let Some(one) = cause {
        let one_text = one.to_string();
        if !text.contains(one_text.trim_end()) {
            text.push_str(&format!(": {}", one_text.trim_end()));
        }
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &dyn Error)
        }
    }

    #[test]
    fn a_cause_is_printed_once() {
        let cause = || Some(Box::new(Failed("no such file", None)));
        assert_eq!(reason(&Failed("cannot read a", cause())), "cannot read a: no such file");
        let repeated = Failed("cannot read a: no such file\n", cause());
        assert_eq!(reason(&repeated), "cannot read a: no such file");
    }
}
