//! The name of a queue, which has one class, one priority and perhaps one action.

use std::fmt;
use std::str::FromStr;

use crate::capacity::{CapacityError, Class};
use crate::names::ActionName;
use crate::priority::Priority;

/// The name of a queue: `cpu=2+scan=1.normal`, or `cpu=2+scan=1@push.normal` for jobs of one
/// action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName {
    /// The class of its jobs.
    pub class: Class,
    /// The action of its jobs. Only workers that know it consume the queue. `None` for a shared
    /// queue, whose jobs every worker can run.
    pub action: Option<ActionName>,
    /// The priority of its jobs.
    pub priority: Priority,
}

impl QueueName {
    /// Returns the shared queue of a class and a priority.
    #[must_use]
    pub fn shared(class: Class, priority: Priority) -> QueueName {
        QueueName { class, action: None, priority }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.class)?;
        if let Some(action) = &self.action {
            write!(f, "@{action}")?;
        }
        write!(f, ".{}", self.priority)
    }
}

impl FromStr for QueueName {
    type Err = CapacityError;

    fn from_str(text: &str) -> Result<Self, CapacityError> {
        let wrong = || CapacityError::Entry(text.chars().take(64).collect());
        let (jobs, priority) = text.rsplit_once('.').ok_or_else(wrong)?;
        let priority = priority.parse().map_err(|_| wrong())?;
        let (class, action) = match jobs.split_once('@') {
            Some((class, action)) => (class, Some(action.parse().map_err(|_| wrong())?)),
            None => (jobs, None),
        };
        Ok(QueueName { class: class.to_owned().try_into()?, action, priority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_parses_back_and_other_texts_are_refused() {
        let names = [
            "scan=1.normal",
            "a.b=1+cpu=2.high",
            "default=1.low",
            "scan=1@push.normal",
            "a.b=1@v1.push-all.low",
        ];
        for text in names {
            assert_eq!(text.parse::<QueueName>().unwrap().to_string(), text);
        }
        let wrong = [
            "",
            "scan=1",
            "scan=1.urgent",
            "scan.normal",
            ".low",
            "b=1+a=1.low",
            "scan=1@.low",
            "scan=1@a@b.low",
            "@push.low",
            "scan=1@push",
        ];
        for text in wrong {
            assert!(text.parse::<QueueName>().is_err(), "{text}");
        }
    }
}
