//! What open pages cost the API: its processor time and memory while many tabs follow a page.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::{join_all, try_join_all};
use serde_json::json;

/// How long each situation is observed.
const PERIOD: Duration = Duration::from_secs(20);
/// The pause between two submissions.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints the cost of no page, of many tabs with one page, and of many tabs with different pages,
/// without and with ten new jobs a second.
pub(crate) async fn measure(url: &str, pid: u32, count: usize) -> anyhow::Result<()> {
    println!("\n{:44} {:>10} {:>12} {:>10}", "open pages", "CPU", "resident", "sent");
    let same = |_: usize| "/jobs".to_owned();
    let different = |tab: usize| format!("/jobs?limit={}", 1 + tab % 200);
    observe("none", (url, pid), &[], false).await?;
    observe("none, 10 jobs/s", (url, pid), &[], true).await?;
    let pages: Vec<String> = (0..count).map(same).collect();
    observe(&format!("{count} of one page"), (url, pid), &pages, false).await?;
    observe(&format!("{count} of one page, 10 jobs/s"), (url, pid), &pages, true).await?;
    let pages: Vec<String> = (0..count).map(different).collect();
    observe(&format!("{count} different ones"), (url, pid), &pages, false).await?;
    observe(&format!("{count} different ones, 10 jobs/s"), (url, pid), &pages, true).await
}

async fn observe(
    name: &str,
    (url, pid): (&str, u32),
    pages: &[String],
    submits: bool,
) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let open = pages.iter().map(|page| {
        let request = client.get(format!("{url}/live")).query(&[("page", page)]);
        async { anyhow::Ok(request.send().await?.error_for_status()?) }
    });
    let streams = try_join_all(open).await?;
    let deadline = Instant::now() + PERIOD;
    let (began, cpu) = (Instant::now(), cpu_time(pid)?);
    let reading = join_all(streams.into_iter().map(async |mut stream| {
        let mut bytes = 0;
        while let Ok(Ok(Some(chunk))) =
            tokio::time::timeout_at(deadline.into(), stream.chunk()).await
        {
            bytes += chunk.len();
        }
        bytes
    }));
    let submitting = async {
        while Instant::now() < deadline {
            if submits {
                let job =
                    client.post(format!("{url}/api/v0/jobs")).json(&json!({"action": "noop"}));
                job.send().await?.error_for_status()?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(())
    };
    let (read, submitted) = tokio::join!(reading, submitting);
    submitted?;
    let sent: usize = read.iter().sum();
    let share = (cpu_time(pid)? - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    let (memory, sent) = (resident_bytes(pid)? / 1_000_000, sent / 1_000_000);
    println!("{name:44} {:>8.1} % {memory:>9} MB {sent:>7} MB", share * 100.0);
    Ok(())
}

/// Returns the processor time that a process has used.
fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("the name of the program is missing")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // Ticks of 10 ms, in user and in system mode.
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(10 * ticks))
}

fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line.context("the memory is missing")?.trim().trim_end_matches(" kB");
    Ok(text.parse::<u64>()? * 1024)
}
