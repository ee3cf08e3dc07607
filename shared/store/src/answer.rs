//! Decodes the answers of scripts. Each verb lists its answers once, as a match on words; any other
//! answer is an error.

use std::collections::HashMap;

use redis::{RedisResult, Value};

use crate::error::StoreError;
use crate::quota::QuotaExceeded;

/// The answer of a script: a word, or a list of words and of further lists.
#[derive(Debug)]
pub(crate) struct Answer {
    script: &'static str,
    value: Value,
}

impl Answer {
    pub(crate) fn new(script: &'static str, value: Value) -> Answer {
        Answer { script, value }
    }

    /// Decodes a list of words. `decode` returns `None` for words that the script's header does not
    /// list.
    pub(crate) fn decode<T>(
        self,
        decode: impl FnOnce(&[&str]) -> Option<T>,
    ) -> Result<T, StoreError> {
        let words = words(&self.value);
        // Every script that creates jobs may refuse to create a queue.
        if let Some(["too_many_queues", queue]) = words.as_deref() {
            return Err(StoreError::TooManyQueues((*queue).to_owned()));
        }
        if let Some(["quota_exceeded", owner, quota, waiting, limit]) = words.as_deref() {
            let exceeded = QuotaExceeded::read(owner, quota, waiting, limit);
            return exceeded.map_or_else(|| Err(self.unexpected()), |why| Err(why.into()));
        }
        words.as_deref().and_then(decode).ok_or_else(|| self.unexpected())
    }

    /// Decodes a list of lists of words, one by one.
    pub(crate) fn decode_each<T>(
        self,
        decode: impl Fn(&[&str]) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.parts()?.into_iter().map(|part| part.decode(&decode)).collect()
    }

    /// The word at this position, in an answer that may hold other things than words.
    pub(crate) fn word(&self, position: usize) -> Option<&str> {
        let Value::Array(values) = &self.value else { return None };
        values.get(position).and_then(word)
    }

    /// Splits a list into its leading words, as one answer, and the lists that follow them.
    pub(crate) fn split(self) -> Result<(Answer, Vec<Answer>), StoreError> {
        let script = self.script;
        let (lists, words): (Vec<Answer>, Vec<Answer>) =
            self.parts()?.into_iter().partition(|part| matches!(part.value, Value::Array(_)));
        let head = Value::Array(words.into_iter().map(|word| word.value).collect());
        Ok((Answer { script, value: head }, lists))
    }

    /// The elements of a list.
    pub(crate) fn parts(self) -> Result<Vec<Answer>, StoreError> {
        let script = self.script;
        if let Value::Array(values) = self.value {
            return Ok(values.into_iter().map(|value| Answer { script, value }).collect());
        }
        Err(self.unexpected())
    }

    fn unexpected(&self) -> StoreError {
        StoreError::UnexpectedAnswer { script: self.script, answer: format!("{:?}", self.value) }
    }
}

/// Reads the answers to two commands about one record: a hash, and a count.
pub(crate) fn hash_and_count(
    pair: &[RedisResult<Value>],
) -> RedisResult<(HashMap<String, String>, u64)> {
    let [hash, count] = pair else { return Ok((HashMap::new(), 0)) };
    let (hash, count) = (hash.as_ref().map_err(Clone::clone)?, count.as_ref());
    let count = count.map_err(Clone::clone)?;
    Ok((redis::from_redis_value_ref(hash)?, redis::from_redis_value_ref(count)?))
}

fn words(value: &Value) -> Option<Vec<&str>> {
    let Value::Array(values) = value else { return None };
    values.iter().map(word).collect()
}

fn word(value: &Value) -> Option<&str> {
    let Value::BulkString(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Value {
        let word = |word: &&str| Value::BulkString(word.as_bytes().to_vec());
        Value::Array(words.iter().map(word).collect())
    }

    #[test]
    fn a_listed_answer_is_decoded_and_any_other_is_an_error_that_shows_it() {
        let decode = |words: &[&str]| match words {
            ["moved", count] => count.parse::<u64>().ok(),
            _ => None,
        };
        let answer = |value| Answer::new("due", value).decode(decode);
        assert_eq!(answer(list(&["moved", "3"])).unwrap(), 3);
        for value in [list(&["moved", "x"]), list(&["lost"]), list(&[]), Value::Nil, Value::Okay] {
            let error = answer(value).unwrap_err();
            assert!(error.to_string().starts_with("script due answered "), "{error}");
        }
        let refused = answer(list(&["too_many_queues", "cpu=1.high"])).unwrap_err();
        assert!(matches!(refused, StoreError::TooManyQueues(queue) if queue == "cpu=1.high"));
    }

    #[test]
    fn leading_words_and_the_lists_after_them_are_split() {
        let Value::Array(mut values) = list(&["claims", "2"]) else { unreachable!() };
        values.extend([list(&["a"]), list(&["b", "c"])]);
        let (head, lists) = Answer::new("claim", Value::Array(values)).split().unwrap();
        head.decode(|words| (words == ["claims", "2"]).then_some(())).unwrap();
        assert_eq!(lists.len(), 2);
    }
}
