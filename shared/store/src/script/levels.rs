//! Where the levels of a script begin: the includes are nested, a function holds some of them and
//! the next function.
//!
//! When Lua creates a closure, it searches, for each local that the closure captures, all captured
//! locals of the enclosing function. With more than a hundred closures in one function, this took
//! most of the time of a short call. A function can capture 60 locals of those around it, so a level
//! begins where few earlier locals are used later.

use std::collections::BTreeMap;

/// How many locals a level declares at least and at most, while there is a choice.
const LEVEL_LOCALS: (usize, usize) = (30, 70);

/// Returns the positions of the parts with which a new level begins. The last part is the script
/// itself.
pub(super) fn levels(parts: &[&str]) -> Vec<usize> {
    let captured = captured(parts);
    let locals: Vec<usize> = parts.iter().map(|part| declared(part).count()).collect();
    let (mut levels, mut start) = (Vec::new(), 0);
    loop {
        let mut sum = 0;
        let candidates = (start + 1..parts.len()).filter(|position| {
            sum += locals[position - 1];
            (LEVEL_LOCALS.0..=LEVEL_LOCALS.1).contains(&sum)
        });
        let best = candidates.min_by_key(|position| captured[*position]);
        let left: usize = locals[start..].iter().sum();
        let Some(best) = best.filter(|_| left > LEVEL_LOCALS.1) else { return levels };
        levels.push(best);
        start = best;
    }
}

/// How many locals of the parts before each one are used by it or a later one.
fn captured(parts: &[&str]) -> Vec<usize> {
    let mut declared_in: BTreeMap<&str, usize> = BTreeMap::new();
    for (position, part) in parts.iter().enumerate() {
        for name in declared(part) {
            declared_in.entry(name).or_insert(position);
        }
    }
    let mut used_until: BTreeMap<&str, usize> = BTreeMap::new();
    for (position, part) in parts.iter().enumerate() {
        used_until.extend(identifiers(part).map(|name| (name, position)));
    }
    let is_captured = |position: usize, (name, declared): (&&str, &usize)| {
        *declared < position && used_until.get(*name).is_some_and(|used| *used >= position)
    };
    let count = |position| declared_in.iter().filter(|one| is_captured(position, *one)).count();
    (0..parts.len()).map(count).collect()
}

/// The names that the top level of a source declares.
pub(super) fn declared(source: &str) -> impl Iterator<Item = &str> {
    let lines = source.lines().filter_map(|line| line.strip_prefix("local "));
    let names = lines.flat_map(|line| {
        match line.strip_prefix("function ") {
            Some(function) => function.split('(').next().unwrap_or_default(),
            None => line.split('=').next().unwrap_or_default(),
        }
        .split(',')
    });
    names.map(str::trim)
}

/// The identifiers of a Lua source, without those in comments and strings and after `.` or `:`.
pub(super) fn identifiers(source: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let code = source.lines().map(|line| line.split("--").next().unwrap_or_default());
    // Every second part is a string: no string of ours holds a quote.
    let code = code.flat_map(|line| line.split('\'').step_by(2));
    code.flat_map(move |code| {
        let mut before = ' ';
        code.split_inclusive(move |c| !is_part(c)).filter_map(move |word| {
            let end = word.chars().last().unwrap_or(' ');
            let text = word.trim_end_matches(|c| !is_part(c));
            let is_name = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let is_field = matches!(before, '.' | ':');
            before = if is_part(end) { ' ' } else { end };
            (is_name && !is_field).then_some(text)
        })
    })
}
