//! The CNaaS-NMS surface, `/api/v1.0`, as clients see it.

mod abort;
mod fixtures;
mod job;
mod job_list;
mod joblocks;
mod outage;
