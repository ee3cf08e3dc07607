//! A script's answer as words and lists of words; anything that its header does not name is an error.

use std::str::FromStr;

use redis::Value;

use super::StoreError;

/// What a script answered, with the script's name for the error message.
#[derive(Debug)]
pub(super) struct Answer {
    script: &'static str,
    value: Value,
}

impl Answer {
    pub(super) fn new(script: &'static str, value: Value) -> Answer {
        Answer { script, value }
    }

    /// The answer's parts: words, or nested answers.
    pub(super) fn parts(self) -> Result<Vec<Answer>, StoreError> {
        let script = self.script;
        if let Value::Array(values) = self.value {
            return Ok(values.into_iter().map(|value| Answer { script, value }).collect());
        }
        Err(self.unknown())
    }

    /// The answer as a flat list of words.
    pub(super) fn words(self) -> Result<Vec<String>, StoreError> {
        self.parts()?.into_iter().map(Answer::word).collect()
    }

    /// The answer as one word.
    pub(super) fn word(self) -> Result<String, StoreError> {
        if let Value::BulkString(bytes) = self.value {
            return String::from_utf8(bytes).map_err(|error| StoreError::Answer {
                script: self.script,
                answer: format!("{error}"),
            });
        }
        Err(self.unknown())
    }

    /// The error for an answer that the header does not name.
    pub(super) fn unknown(self) -> StoreError {
        StoreError::Answer { script: self.script, answer: format!("{:?}", self.value) }
    }
}

/// Reads a word as a number, an id, a status.
pub(super) fn read<T: FromStr>(script: &'static str, word: &str) -> Result<T, StoreError> {
    word.parse().map_err(|_| StoreError::Answer { script, answer: format!("{word:?}") })
}

/// The error for a list of words that the header does not name.
pub(super) fn unknown(script: &'static str, words: &[String]) -> StoreError {
    StoreError::Answer { script, answer: format!("{words:?}") }
}
