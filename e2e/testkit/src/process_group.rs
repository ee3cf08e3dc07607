//! Looks up the processes of a process group in `/proc`.

/// Returns whether no process of the group `id` is alive. Zombies count as dead.
#[must_use]
pub fn is_process_group_empty(id: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("/proc is mounted");
    !processes.flatten().any(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // After the name of the program, in parentheses: state, parent, group.
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let (state, group) = (fields.next(), fields.nth(1));
        group == Some(id) && state != Some("Z")
    })
}
