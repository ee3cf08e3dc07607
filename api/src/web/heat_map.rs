//! The capacity of the live workers as a map: a row for each type of capacity, a cell for each
//! worker that offers it.

use std::collections::BTreeMap;

use domain::job::WorkerId;
use store::Worker;

/// How many workers a map shows.
pub(super) const MOST_WORKERS: usize = 500;

/// One type of capacity.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeatRow {
    /// The name of the type.
    pub(super) name: String,
    /// The units in use.
    pub(super) used: u64,
    /// The units that exist.
    pub(super) total: u64,
    /// The workers that offer it, in the order of the list.
    pub(super) cells: Vec<HeatCell>,
}

/// What one worker has of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeatCell {
    /// The worker.
    pub(super) id: WorkerId,
    /// Its name.
    pub(super) worker: String,
    /// The units in use.
    pub(super) used: u32,
    /// The units that exist.
    pub(super) total: u32,
    /// How much is in use, from 0 (nothing) to 5 (everything): the style of the cell.
    pub(super) level: u32,
}

/// Returns the map of these workers, ordered by type.
pub(super) fn heat_map(workers: &[&Worker]) -> Vec<HeatRow> {
    let mut rows: BTreeMap<String, HeatRow> = BTreeMap::new();
    for worker in workers.iter().take(MOST_WORKERS) {
        for (name, total) in worker.capacity_map.iter().filter(|(_, total)| *total > 0) {
            let used = total.saturating_sub(worker.free.units(name));
            let row = rows.entry(name.to_owned()).or_insert_with(|| HeatRow {
                name: name.to_owned(),
                used: 0,
                total: 0,
                cells: Vec::new(),
            });
            row.used += u64::from(used);
            row.total += u64::from(total);
            row.cells.push(HeatCell {
                id: worker.id.clone(),
                worker: worker.name.clone(),
                used,
                total,
                level: level(used, total),
            });
        }
    }
    rows.into_values().collect()
}

/// 0 only if nothing is in use, and 5 only if everything is.
fn level(used: u32, total: u32) -> u32 {
    match used {
        0 => 0,
        used if used >= total => 5,
        used => 1 + (u64::from(used) * 4 / u64::from(total)) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_a_cell_tells_empty_and_full_from_everything_between() {
        let cases = [(0, 4, 0), (1, 1000, 1), (1, 4, 2), (2, 4, 3), (3, 4, 4), (999, 1000, 4)];
        for (used, total, expected) in cases.into_iter().chain([(4, 4, 5), (5, 4, 5)]) {
            assert_eq!(level(used, total), expected, "{used} of {total}");
        }
    }
}
