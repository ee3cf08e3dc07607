//! The children that a command asks for, read from its pipe as it asks and made at once, those that
//! come together in one call. A line that is wrong fails the run: nobody must believe that all
//! children are there when one is not.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use domain::job::{Exception, JobId};
use store::Source;
use tokio_util::sync::CancellationToken;

use super::lines::{Lines, Read};
use crate::actions::Log;
use crate::child::Child;
use crate::family::Family;

/// The longest line: the largest parameters, and what stands around them.
pub(super) const CHILD_BYTES: usize = 128 * 1024;

/// How much is said of what is wrong.
const MOST_CHARACTERS: usize = 512;

/// The one line that is no child.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Await {
    r#await: bool,
}

/// Makes the children that are asked for until the command is `over` and all is read. After an
/// error the rest is read, so that nobody waits to write it, and left alone.
pub(super) async fn spawn_children(
    mut lines: Lines,
    family: &Family,
    log: &Log,
    over: &CancellationToken,
) -> Result<(), Exception> {
    let (mut ids, mut outcome) = (Vec::new(), Ok(()));
    while let Some(read) = lines.next(over).await {
        if outcome.is_ok() {
            outcome = spawn(&read, family, &mut ids).await;
            if let Err(Exception { message, .. }) = &outcome {
                let told = format!("{message}; no more children are made, and the run fails");
                log.line(Source::Capstan, told).await;
            }
        }
    }
    outcome
}

/// Makes those of one read; the ones before a line that is wrong too.
async fn spawn(read: &Read, family: &Family, ids: &mut Vec<JobId>) -> Result<(), Exception> {
    let (mut children, mut wrong) = (Vec::new(), None);
    for line in &read.lines {
        match said(line) {
            Ok(Said::Child(child)) => children.push(*child),
            Ok(Said::Await) => family.await_children(),
            Err(why) => {
                let place = ids.len() + children.len();
                wrong = Some(bad_child(format!("child {place}: {why}")));
                break;
            }
        }
    }
    if !children.is_empty() {
        family.spawn_after(ids, children).await?;
    }
    if read.too_long && wrong.is_none() {
        wrong = Some(bad_child(format!("a child has more than {CHILD_BYTES} bytes")));
    }
    wrong.map_or(Ok(()), Err)
}

fn bad_child(message: String) -> Exception {
    Exception::new("BadChild", message)
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub(in crate::actions) enum Said {
    /// Another child.
    Child(Box<Child>),
    /// No more; the job waits for those that there are.
    Await,
}

pub(in crate::actions) fn said(line: &[u8]) -> Result<Said, String> {
    let value: Value = serde_json::from_slice(line).map_err(|why| format!("no JSON: {why}"))?;
    if !value.is_object() {
        return Err("it is no object".to_owned());
    }
    if value.get("await").is_none() {
        return Ok(Said::Child(Box::new(read(value)?)));
    }
    let Await { r#await } = read(value)?;
    if r#await { Ok(Said::Await) } else { Err("await: it must be true".to_owned()) }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let wrong = |error: serde_path_to_error::Error<serde_json::Error>| {
        let told = match error.path().to_string() {
            path if path == "." => error.inner().to_string(),
            path => format!("{path}: {}", error.inner()),
        };
        told.chars().take(MOST_CHARACTERS).collect()
    };
    serde_path_to_error::deserialize(value).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_child_or_asks_to_wait_for_them() {
        let good = br#"{"action": "scan", "key": "k", "parameters": {"a": 1}}"#;
        let child = Child::of("scan").key("k").parameter("a", 1);
        assert_eq!(said(good), Ok(Said::Child(Box::new(child))));
        assert_eq!(said(br#"{"await": true}"#), Ok(Said::Await));
        let wrong = [
            ("scan", "no JSON: expected value"),
            ("[]", "it is no object"),
            (r#"{"action": 7}"#, "action: invalid type: integer"),
            (r#"{"action": "a", "parent": "x"}"#, "unknown field `parent`"),
            (r#"{"action": "a", "deadline": "x"}"#, "deadline: "),
            (r#"{"await": false}"#, "await: it must be true"),
            (r#"{"await": true, "action": "a"}"#, "action: unknown field"),
        ];
        for (line, why) in wrong {
            let told = said(line.as_bytes()).unwrap_err();
            assert!(told.contains(why), "{line}: {told}");
        }
    }
}
