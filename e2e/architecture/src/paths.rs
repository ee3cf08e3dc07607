//! Paths such as `crate::job::JobId` in the tokens of an item.

use proc_macro2::{TokenStream, TokenTree};

/// A path, segment by segment.
pub(crate) type Path = Vec<String>;

/// Words after which an identifier is declared, not used.
const DECLARES: [&str; 9] =
    ["const", "enum", "fn", "let", "mod", "static", "struct", "trait", "type"];

/// Collects the paths that the tokens name. Single identifiers are among them; the caller knows
/// which of them are in scope.
pub(crate) fn paths_in(tokens: TokenStream, found: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                if !is_visibility(&tokens, at) {
                    paths_in(group.stream(), found);
                }
                at += 1;
            }
            TokenTree::Ident(_) => {
                let (path, end) = path_at(&tokens, at);
                if is_use(&tokens, at, end, path.len()) {
                    found.push(path);
                }
                at = end;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
        }
    }
}

/// Whether a group is the scope in `pub(crate)` or `pub(in crate::job)`.
fn is_visibility(tokens: &[TokenTree], at: usize) -> bool {
    let TokenTree::Group(group) = &tokens[at] else { return false };
    let is_public = at.checked_sub(1).is_some_and(|at| tokens[at].to_string() == "pub");
    let first = group.stream().into_iter().next().map(|token| token.to_string());
    let scopes = ["crate", "self", "super", "in"];
    is_public && first.is_some_and(|first| scopes.contains(&first.as_str()))
}

/// Reads `a::b::c`; returns it and the index of the token after it.
fn path_at(tokens: &[TokenTree], start: usize) -> (Path, usize) {
    let mut path = vec![tokens[start].to_string()];
    let mut at = start + 1;
    while is_double_colon(tokens, at) {
        let Some(TokenTree::Ident(segment)) = tokens.get(at + 2) else { break };
        path.push(segment.to_string());
        at += 3;
    }
    (path, at)
}

/// Whether a path is a use of what it names, as opposed to a field, a method, a lifetime, the
/// rest of a longer path, or a declaration.
fn is_use(tokens: &[TokenTree], start: usize, end: usize, length: usize) -> bool {
    let before = |distance: usize| start.checked_sub(distance).and_then(|at| tokens.get(at));
    let is_range = is_punct(before(1), '.') && is_punct(before(2), '.');
    if is_punct(before(1), '.') && !is_range || is_punct(before(1), '\'') {
        return false;
    }
    if is_punct(before(1), ':') && is_punct(before(2), ':') {
        return false;
    }
    if let Some(TokenTree::Ident(word)) = before(1)
        && DECLARES.iter().any(|declares| word == declares)
    {
        return false;
    }
    let is_field = is_punct(tokens.get(end), ':') && !is_double_colon(tokens, end);
    length > 1 || !is_field
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[&str]) {
        let mut found = Vec::new();
        paths_in(code.parse().unwrap(), &mut found);
        let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn paths_are_found_in_expressions_types_and_macro_calls() {
        check("super::x::f(1)", &["super::x::f"]);
        check("<T as crate::x::Of>::f()", &["T", "as", "crate::x::Of"]);
        check("json!({ \"a\": [x::y(), 1] })", &["json", "x::y"]);
        check("List::<Item>::new()", &["List", "Item"]);
        check("Some { a: Job, ..job::empty() }", &["Some", "Job", "job::empty"]);
    }

    #[test]
    fn fields_methods_lifetimes_and_declarations_are_not_paths() {
        check("x.run()", &["x"]);
        check("fn run", &["fn"]);
        check("pub(super) struct A(pub(in crate::job) B);", &["pub", "struct", "pub", "B"]);
        check("Point { run: 1 }", &["Point"]);
        check("&'run str", &["str"]);
    }
}
