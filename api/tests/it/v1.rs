//! Tests of the CNaaS-NMS surface, `/api/v1.0`.

mod abort;
mod fixtures;
mod job;
mod job_list;
mod joblocks;
mod outage;
