//! Entries of streams that hold several events or jobs, a line each, as `emit.lua` and `outbox.lua`
//! write them. An entry with one event or job has a field for each word instead.

use std::collections::BTreeMap;

/// The fields of an event, or of a job in the outbox.
pub(crate) type Fields = BTreeMap<String, String>;

/// The field that has the lines, and the name of each word of a line. A line that has fewer words
/// ends as the line before it.
const LINES: [(&str, &[&str]); 2] = [
    ("events", &["job", "number", "token", "since", "action", "status", "worker", "class"]),
    ("jobs", &["job", "number", "scheduledAt"]),
];

/// Unpacks an entry: returns the fields of each event or job that it holds, in order. What all have in
/// common stays a field of each.
pub(crate) fn unpack(mut entry: Fields) -> Vec<Fields> {
    let packed = LINES.iter().find_map(|(field, names)| Some((entry.remove(*field)?, *names)));
    let Some((lines, names)) = packed else { return vec![entry] };
    let mut words: Vec<&str> = Vec::new();
    let unpacked = lines.split('\n').map(|line| {
        let own: Vec<&str> = line.split(' ').collect();
        let rest = words.get(own.len()..).unwrap_or_default().to_vec();
        words = [own, rest].concat();
        let named = names.iter().zip(&words);
        let mut fields = entry.clone();
        fields.extend(named.map(|(name, word)| ((*name).to_owned(), (*word).to_owned())));
        name_since(&mut fields);
        fields.retain(|name, value| name != "class" || !value.is_empty());
        fields
    });
    unpacked.collect()
}

/// Names the time of an event: since when the job was due, or since when it ran.
fn name_since(fields: &mut Fields) {
    if let Some(since) = fields.remove("since").filter(|since| !since.is_empty()) {
        let starts = fields.get("status").is_some_and(|status| status == "running");
        fields.insert(if starts { "scheduledAt" } else { "startedAt" }.to_owned(), since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(entry: &[(&str, &str)]) -> Vec<String> {
        let fields = entry.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let show = |fields: Fields| {
            let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
            fields.collect::<Vec<_>>().join(" ")
        };
        unpack(fields.collect()).into_iter().map(show).collect()
    }

    #[test]
    fn a_line_ends_as_the_one_before_it_and_a_single_event_is_unchanged() {
        let lines = "j 7   noop waiting  \nk 8  \nl 9 3 50 noop running w cpu=1\nm 10 4 60\n\
                     n 11 5 70 noop done w cpu=1";
        assert_eq!(
            shown(&[("events", lines)]),
            [
                "action=noop job=j number=7 status=waiting token= worker=",
                "action=noop job=k number=8 status=waiting token= worker=",
                "action=noop class=cpu=1 job=l number=9 scheduledAt=50 status=running token=3 worker=w",
                "action=noop class=cpu=1 job=m number=10 scheduledAt=60 status=running token=4 worker=w",
                "action=noop class=cpu=1 job=n number=11 startedAt=70 status=done token=5 worker=w",
            ]
        );
        assert_eq!(
            shown(&[("queue", "q"), ("jobs", "j 7 1000\nk 8")]),
            ["job=j number=7 queue=q scheduledAt=1000", "job=k number=8 queue=q scheduledAt=1000"]
        );
        assert_eq!(shown(&[("worker", "w"), ("status", "dead")]), ["status=dead worker=w"]);
        assert_eq!(shown(&[("jobs", "")]), ["job="], "a broken line is still an entry");
    }
}
