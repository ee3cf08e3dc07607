//! Reads a search: splits it into terms, and each term into its key and its value.

use super::condition::{Condition, Key, find_key};
use super::error::{MAX_CHARACTERS, MAX_TERMS};
use super::error::{SearchError, SearchProblem};
use super::term::Term;

/// The characters that have not been read yet.
struct Input<'a> {
    text: &'a str,
    /// The offset of the next character in bytes.
    at: usize,
}

/// Parses a search into its terms.
pub(super) fn parse(text: &str) -> Result<Vec<Term>, SearchError> {
    let mut input = Input { text, at: 0 };
    if text.chars().count() > MAX_CHARACTERS {
        let at = MAX_CHARACTERS + 1;
        return Err(SearchError { at, problem: SearchProblem::TooLong });
    }
    let mut terms: Vec<Term> = Vec::new();
    loop {
        input.skip_whitespace();
        let start = input.at;
        if input.peek().is_none() {
            return Ok(terms);
        }
        let term = input.term()?;
        let key = term.condition.key();
        let is_same = |other: &Term| !other.is_excluded && other.condition.key() == key;
        if !term.is_excluded && !term.condition.may_repeat() && terms.iter().any(is_same) {
            return Err(input.error(start, SearchProblem::Repeated(term.condition.key_name())));
        }
        if terms.len() == MAX_TERMS {
            return Err(input.error(start, SearchProblem::TooManyTerms));
        }
        terms.push(term);
    }
}

impl<'a> Input<'a> {
    fn term(&mut self) -> Result<Term, SearchError> {
        let is_excluded = self.peek() == Some('-');
        if is_excluded {
            self.at += 1;
        }
        let start = self.at;
        let (name, has_key) = self.key();
        if !has_key {
            let text = self.value()?;
            return match (text, is_excluded) {
                (Some(text), _) => Ok(Term { is_excluded, condition: Condition::Text(text) }),
                (None, _) => Err(self.error(start, SearchProblem::NoTerm)),
            };
        }
        let known = find_key(name);
        let key = known.ok_or_else(|| self.error(start, unknown_key(name)))?;
        if let (true, Some(other)) = (is_excluded, key.instead_of_excluding()) {
            let problem = SearchProblem::NotExcludable(key.name(), other);
            return Err(self.error(start, problem));
        }
        let value_at = self.at;
        let value = self.value()?;
        let no_value = || SearchProblem::NoValue(format!("{name}:"));
        let value = value.ok_or_else(|| self.error(value_at, no_value()))?;
        let condition = self.condition(&key, value, value_at)?;
        Ok(Term { is_excluded, condition })
    }

    fn condition(&self, key: &Key<'_>, value: String, at: usize) -> Result<Condition, SearchError> {
        let problem = |reason| SearchProblem::Value { key: key.name(), reason };
        key.condition(value).map_err(|reason| self.error(at, problem(reason)))
    }

    /// Reads a key and its colon. Without a colon before the next space or quotation mark there is
    /// no key, and nothing is read.
    fn key(&mut self) -> (&'a str, bool) {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c == ':' || c == '"' || c.is_whitespace());
        match end {
            Some(end) if rest[end..].starts_with(':') => {
                self.at += end + 1;
                (&rest[..end], true)
            }
            Some(_) | None => ("", false),
        }
    }

    /// Reads a value; `None` if there is none.
    fn value(&mut self) -> Result<Option<String>, SearchError> {
        if self.peek() == Some('"') {
            return self.quoted().map(Some);
        }
        let rest = &self.text[self.at..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.at += end;
        Ok(Some(rest[..end].to_owned()).filter(|value| !value.is_empty()))
    }

    fn quoted(&mut self) -> Result<String, SearchError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        let mut is_escaped = false;
        while let Some(character) = self.peek() {
            self.at += character.len_utf8();
            match character {
                '"' | '\\' if is_escaped => value.push(character),
                '\\' => {
                    is_escaped = true;
                    continue;
                }
                '"' => {
                    if self.peek().is_some_and(|next| !next.is_whitespace()) {
                        return Err(self.error(self.at, SearchProblem::AfterQuote));
                    }
                    return Ok(value);
                }
                _ => {
                    // A backslash before another character stands for itself.
                    if is_escaped {
                        value.push('\\');
                    }
                    value.push(character);
                }
            }
            is_escaped = false;
        }
        Err(self.error(start, SearchProblem::OpenQuote))
    }

    fn skip_whitespace(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Returns an error at an offset in bytes.
    fn error(&self, at: usize, problem: SearchProblem) -> SearchError {
        SearchError { at: self.text[..at].chars().count() + 1, problem }
    }
}

fn unknown_key(name: &str) -> SearchProblem {
    SearchProblem::UnknownKey(name.chars().take(32).collect())
}
