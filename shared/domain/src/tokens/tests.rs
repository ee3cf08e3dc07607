//! The tokens file, line by line.

use super::*;

fn entry(name: &str, role: Role) -> (Secret, Entry) {
    let secret = Secret::random().unwrap();
    let entry = Entry::new(name.parse().unwrap(), role, &secret);
    (secret, entry)
}

#[test]
fn a_token_is_found_by_its_text_and_by_no_other() {
    let (ci, ci_line) = entry("ci", Role::Operator);
    let (eve, eve_line) = entry("eve@example.org", Role::Viewer);
    let text = format!("# who may\n\n{ci_line}\n  {eve_line}  \n");
    let tokens: Tokens = text.parse().unwrap();
    assert_eq!(tokens.find(ci.reveal()), Some(&ci_line));
    assert_eq!(tokens.find(eve.reveal()), Some(&eve_line));
    let hash = ci_line.to_string();
    let hash = hash.rsplit(':').next().unwrap();
    for wrong in ["", "capstan_", hash, &ci.reveal()[..71], &format!("{} ", ci.reveal())] {
        assert_eq!(tokens.find(wrong), None, "{wrong}");
    }
    assert_eq!(Tokens::default().find(ci.reveal()), None);
}

#[test]
fn a_token_has_256_bits_and_no_two_are_the_same() {
    let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
    assert_eq!(one.reveal().len(), "capstan_".len() + 64);
    assert_ne!(one.reveal(), other.reveal());
}

#[test]
fn a_line_that_is_none_is_named_and_not_repeated() {
    let good = entry("ci", Role::Viewer).1.to_string();
    let hash = good.rsplit(' ').next().unwrap();
    let cases = [
        ("ci".to_owned(), "a line is"),
        (format!("ci {hash}"), "a line is"),
        (format!("{good} more"), "a line is"),
        (format!("ci root {hash}"), "a role is"),
        (format!("c/i admin {hash}"), "a name is"),
        (format!("unknown admin {hash}"), "\"unknown\""),
        ("ci admin secret".to_owned(), "a hash is"),
        ("ci admin sha256:00".to_owned(), "a hash is"),
        (format!("ci admin sha256:{}", "+1".repeat(32)), "a hash is"),
        (format!("ci admin sha256:{}", "é".repeat(32)), "a hash is"),
        (good.clone(), "the name is there already"),
    ];
    for (line, why) in cases {
        let error = format!("{good}\n{line}\n").parse::<Tokens>().unwrap_err();
        assert_eq!(error.line, 2, "{line}");
        assert!(error.why.starts_with(why), "{line}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn each_role_may_what_those_before_it_may() {
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
}
