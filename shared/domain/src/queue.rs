//! The name of a queue, which has one class and one priority.

use std::fmt;
use std::str::FromStr;

use crate::capacity::{CapacityError, Class};
use crate::job::NewJob;
use crate::priority::Priority;

/// The queue of a class and a priority, written `cpu=2+scan=1.normal`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName {
    /// The class of its jobs.
    pub class: Class,
    /// The priority of its jobs.
    pub priority: Priority,
}

impl QueueName {
    /// Returns the queue that a job is offered through.
    #[must_use]
    pub fn of(job: &NewJob) -> QueueName {
        QueueName { class: job.class.clone(), priority: job.spec.priority }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class, self.priority)
    }
}

impl FromStr for QueueName {
    type Err = CapacityError;

    fn from_str(text: &str) -> Result<Self, CapacityError> {
        let wrong = || CapacityError::Entry(text.chars().take(64).collect());
        let (class, priority) = text.rsplit_once('.').ok_or_else(wrong)?;
        let priority = priority.parse().map_err(|_| wrong())?;
        Ok(QueueName { class: class.to_owned().try_into()?, priority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_parses_back_and_other_texts_are_refused() {
        for text in ["scan=1.normal", "a.b=1+cpu=2.high", "default=1.low"] {
            assert_eq!(text.parse::<QueueName>().unwrap().to_string(), text);
        }
        for text in ["", "scan=1", "scan=1.urgent", "scan.normal", ".low", "b=1+a=1.low"] {
            assert!(text.parse::<QueueName>().is_err(), "{text}");
        }
    }
}
