//! Flags that several commands share, and the request bodies that flags become.

mod body;
mod job_template;
mod paging;
mod parameters;

pub(crate) use body::body;
pub(crate) use job_template::JobTemplate;
pub(crate) use paging::Paging;
pub(crate) use parameters::ParameterFlags;
