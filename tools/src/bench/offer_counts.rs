//! How many offers the services have published and received, from the metrics that they serve.

use std::time::Duration;

use reqwest::Client;

use crate::processes::{Process, Processes, Role};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Counts since the services started. `None` if no service of the kind serves its metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfferCounts {
    /// Offers that schedulers have published; each is one message.
    pub(crate) published: Option<u64>,
    /// Jobs in those offers.
    pub(crate) published_jobs: Option<u64>,
    /// Offers that workers have received.
    pub(crate) delivered: Option<u64>,
}

impl OfferCounts {
    /// Reads the metrics of the schedulers and workers.
    pub(crate) async fn read(http: &Client, processes: &Processes) -> OfferCounts {
        let mut counts = OfferCounts::default();
        for process in processes.of([Role::Scheduler, Role::Worker]) {
            for text in metrics(http, process).await {
                add(&mut counts.published, &text, "capstan_scheduler_offers_total");
                add(&mut counts.published_jobs, &text, "capstan_scheduler_offered_jobs_total");
                add(&mut counts.delivered, &text, "capstan_worker_offers_total");
            }
        }
        counts
    }
}

fn add(sum: &mut Option<u64>, metrics: &str, name: &str) {
    let mut samples = metrics.lines().filter_map(|line| line.split_once(' '));
    let found = samples.find(|(found, _)| *found == name);
    if let Some(value) = found.and_then(|(_, value)| value.trim().parse::<u64>().ok()) {
        *sum = Some(sum.unwrap_or_default() + value);
    }
}

/// Reads `/metrics` at each address on which a process listens. Only the admin listener has it.
async fn metrics(http: &Client, process: &Process) -> Vec<String> {
    let mut texts = Vec::new();
    for address in &process.listens {
        let url = format!("http://{address}/metrics");
        let Ok(answer) = http.get(url).timeout(TIMEOUT).send().await else { continue };
        texts.extend(answer.text().await.ok());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_several_services_are_added_up() {
        let metrics = "# HELP capstan_worker_offers Offers delivered.\n\
                       # TYPE capstan_worker_offers counter\n\
                       capstan_worker_offers_total 12\n# EOF\n";
        let mut sum = None;
        add(&mut sum, metrics, "capstan_scheduler_offers_total");
        assert_eq!(sum, None);
        add(&mut sum, metrics, "capstan_worker_offers_total");
        add(&mut sum, metrics, "capstan_worker_offers_total");
        assert_eq!(sum, Some(24));
    }
}
