//! What Redis has done since it started, all namespaces together. For benches.

use std::time::Duration;

use crate::error::StoreError;
use crate::store::Store;

/// Counts since Redis started, and the size of its append-only file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Processor time of its threads. That of its child processes, which rewrite the append-only
    /// file, is not included.
    pub processor_time: Duration,
    /// Commands, including those that scripts call. `INFO` is not counted.
    pub commands: u64,
    /// Calls of scripts.
    pub script_calls: u64,
    /// Time of those calls.
    pub script_time: Duration,
    /// Size of the append-only file; `None` if there is none. A rewrite makes it smaller.
    pub append_only_bytes: Option<u64>,
}

impl ServerStats {
    fn parse(info: &str) -> ServerStats {
        let mut stats = ServerStats::default();
        for (name, value) in info.lines().filter_map(|line| line.split_once(':')) {
            match name {
                "used_cpu_user" | "used_cpu_sys" => stats.processor_time += seconds(value),
                "aof_current_size" => stats.append_only_bytes = value.trim().parse().ok(),
                _ => stats.add_command(name, value),
            }
        }
        stats
    }

    fn add_command(&mut self, name: &str, value: &str) {
        let Some(command) = name.strip_prefix("cmdstat_").filter(|command| *command != "info")
        else {
            return;
        };
        let field = |name: &str| {
            let fields = value.split(',').filter_map(|field| field.split_once('='));
            fields.filter(|(found, _)| *found == name).find_map(|(_, value)| value.parse().ok())
        };
        let calls: u64 = field("calls").unwrap_or_default();
        self.commands += calls;
        if ["eval", "evalsha", "eval_ro", "evalsha_ro"].contains(&command) {
            self.script_calls += calls;
            self.script_time += Duration::from_micros(field("usec").unwrap_or_default());
        }
    }
}

fn seconds(value: &str) -> Duration {
    let seconds = value.trim().parse().ok();
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

impl Store {
    /// Reads the counts.
    pub async fn server_stats(&self) -> Result<ServerStats, StoreError> {
        let mut connection = self.connection.clone();
        let info: String = redis::cmd("INFO").arg("all").query_async(&mut connection).await?;
        Ok(ServerStats::parse(&info))
    }

    /// Reads the size of the append-only file; `None` if there is none.
    pub async fn append_only_bytes(&self) -> Result<Option<u64>, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("INFO");
        let info: String = command.arg("persistence").query_async(&mut connection).await?;
        Ok(ServerStats::parse(&info).append_only_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_commands_are_added_up() {
        let info = "# Persistence\r\naof_enabled:1\r\naof_current_size:4096\r\n\
                    # CPU\r\nused_cpu_sys:0.250000\r\nused_cpu_user:1.500000\r\n\
                    used_cpu_user_children:9.000000\r\n\
                    # Commandstats\r\n\
                    cmdstat_info:calls=7,usec=900,usec_per_call=1.00,rejected_calls=0\r\n\
                    cmdstat_hset:calls=20,usec=40,usec_per_call=2.00,rejected_calls=0\r\n\
                    cmdstat_evalsha:calls=3,usec=600,usec_per_call=200.00,rejected_calls=0\r\n\
                    cmdstat_config|get:calls=2,usec=6,usec_per_call=3.00,rejected_calls=0\r\n";
        let expected = ServerStats {
            processor_time: Duration::from_millis(1750),
            commands: 25,
            script_calls: 3,
            script_time: Duration::from_micros(600),
            append_only_bytes: Some(4096),
        };
        assert_eq!(ServerStats::parse(info), expected);
        assert_eq!(ServerStats::parse("").append_only_bytes, None, "there is no file");
    }
}
