//! Why a schedule is not valid.

/// A schedule is not valid: in which field, why, and an example of a valid one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidSchedule {
    field: Option<&'static str>,
    reason: String,
}

impl InvalidSchedule {
    /// An error in one field.
    pub(super) fn in_field(field: &'static str, reason: String) -> InvalidSchedule {
        InvalidSchedule { field: Some(field), reason }
    }

    /// An error in the line as a whole.
    pub(super) fn in_line(reason: impl std::fmt::Display) -> InvalidSchedule {
        let example = "write it like 0 30 3 * * * (03:30:00 every day)";
        InvalidSchedule { field: None, reason: format!("{reason}; {example}") }
    }

    /// An error in `@every`.
    pub(super) fn in_interval(reason: impl std::fmt::Display) -> InvalidSchedule {
        InvalidSchedule { field: None, reason: format!("{reason}; write it like @every 90s") }
    }

    /// The name of the invalid field; `None` if the line as a whole is invalid.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }
}
