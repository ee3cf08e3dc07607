//! The location of a problem in a request, so that each surface can report it in its own shape.

use std::fmt;

/// A field, parameter or header of a request, or of one job in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    /// The index of the job in its batch, from 0.
    pub(crate) index: Option<usize>,
    /// The name of the field, parameter or header; `body` for the whole body.
    pub(crate) field: String,
}

impl FieldPath {
    /// Returns the path of a field of the request itself.
    pub(crate) fn new(field: impl Into<String>) -> FieldPath {
        FieldPath { index: None, field: field.into() }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            None => f.write_str(&self.field),
            Some(index) if self.field.is_empty() => write!(f, "jobs[{index}]"),
            Some(index) => write!(f, "jobs[{index}].{}", self.field),
        }
    }
}
