//! The search language for jobs: `status:error action:scan param.host:sw1 -key:t7 since:1h`.
//!
//! A search is a list of terms, and a job must satisfy each of them. A term is `key:value`, or text
//! that must occur in the job; `-` before it excludes the jobs that satisfy it. A value with
//! whitespace or quotation marks is written in quotation marks, in which `\` precedes a quotation
//! mark or another `\`.

mod condition;
mod error;
mod matching;
mod parser;
mod term;
#[cfg(test)]
mod tests;

pub use condition::{Condition, InvalidSearchTime, KEYS, KeyName, PARAMETER_KEY, SearchTime};
pub use error::{MAX_CHARACTERS, MAX_TERMS, SearchError, SearchProblem};
pub use term::Term;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which jobs to find: those that satisfy every term.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Search {
    terms: Vec<Term>,
}

impl Search {
    /// Returns the terms in the order in which they were written.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Returns the search with a term that replaces those of the same key, which is how a link
    /// narrows a search. An excluding term is added to the others.
    #[must_use]
    pub fn with(mut self, term: Term) -> Search {
        if !term.is_excluded {
            let key = term.condition.key();
            self.terms.retain(|other| other.is_excluded || other.condition.key() != key);
        }
        if !self.terms.contains(&term) {
            self.terms.push(term);
        }
        self
    }

    /// Returns the search without the term at this position.
    #[must_use]
    pub fn without(mut self, position: usize) -> Search {
        if position < self.terms.len() {
            self.terms.remove(position);
        }
        self
    }
}

impl FromStr for Search {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Search, SearchError> {
        parser::parse(text).map(|terms| Search { terms })
    }
}

impl TryFrom<String> for Search {
    type Error = SearchError;

    fn try_from(text: String) -> Result<Search, SearchError> {
        text.parse()
    }
}

impl From<Search> for String {
    fn from(search: Search) -> String {
        search.to_string()
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, term) in self.terms.iter().enumerate() {
            let space = if position > 0 { " " } else { "" };
            write!(f, "{space}{term}")?;
        }
        Ok(())
    }
}
