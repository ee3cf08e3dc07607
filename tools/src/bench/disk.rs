//! Counts how often the disks of this machine flushed their caches, as an fsync does.

use std::fs;
use std::path::Path;

/// Counts the flushes of all disks since the system started. `None` if the kernel does not say.
pub(crate) fn flushes() -> Option<u64> {
    let table = fs::read_to_string("/proc/diskstats").ok()?;
    // Partitions, and devices that consist of others, would be counted twice.
    let is_disk = |name: &str| Path::new("/sys/block").join(name).join("device").exists();
    let disks = table.lines().filter_map(parse).filter(|(name, _)| is_disk(name));
    let counts: Vec<u64> = disks.map(|(_, flushes)| flushes).collect();
    // A disk that has no cache to flush stays at 0.
    Some(counts.iter().sum()).filter(|sum| *sum > 0)
}

/// The name is the 3rd field, the flushes are the 19th.
fn parse(line: &str) -> Option<(&str, u64)> {
    let mut fields = line.split_whitespace();
    let name = fields.nth(2)?;
    Some((name, fields.nth(15)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flushes_are_the_last_count_but_one() {
        let line = " 254 0 vda 131031 8230 9030818 152951 23558 136832 71628568 378255 0 26968 \
                    537414 5588 65 370056 6162 720 44";
        assert_eq!(parse(line), Some(("vda", 720)));
        assert_eq!(parse("   8       0 sda 1 2 3 4 5 6 7 8 0 9 10"), None, "an old kernel");
    }
}
