//! The threads of a service.

use std::future::Future;
use std::num::NonZero;
use std::thread::available_parallelism;

/// Runs a service to its end, on half as many threads as there are processors. Redis, RabbitMQ and
/// the other services usually share the machine, and a service spends much of its time waking
/// threads: on two processors, a job took a fifth less processor time with one thread per service
/// than with two.
pub fn run<T, E: From<std::io::Error>>(
    service: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(processors.div_ceil(2)).enable_all().build()?.block_on(service)
}
