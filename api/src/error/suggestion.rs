//! Messages for unknown names, with the closest known name as a suggestion.

/// The largest edit distance at which a known name is suggested.
const MAX_DISTANCE: usize = 2;
/// Longer names are not compared: the comparison takes quadratic time.
const MAX_COMPARED_BYTES: usize = 64;

/// Returns why `name` is refused, which of `known` was probably meant, and all known names.
pub(crate) fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("unknown {what}; none is accepted here");
    }
    let all = known.join(", ");
    match closest(name, known) {
        Some(closest) => format!("unknown {what}; did you mean {closest}? expected one of: {all}"),
        None => format!("unknown {what}; expected one of: {all}"),
    }
}

/// Returns the closest known name, ignoring case, if it is close enough to be a typing error.
fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED_BYTES {
        return None;
    }
    let lower = name.to_lowercase();
    let distances =
        known.iter().map(|one| (strsim::osa_distance(&lower, &one.to_lowercase()), *one));
    let (distance, closest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= MAX_DISTANCE && distance < closest.len().min(name.len())).then_some(closest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_gets_a_suggestion() {
        let known = ["action", "retries", "scheduledAt", "capacityMap"];
        let cases = [
            ("retrys", Some("retries")),
            ("retires", Some("retries")),
            ("scheduled_at", Some("scheduledAt")),
            ("CAPACITYMAP", Some("capacityMap")),
            ("locks", None),
            ("a", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(closest(name, &known), expected, "{name}");
        }
    }
}
