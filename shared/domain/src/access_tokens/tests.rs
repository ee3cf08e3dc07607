//! Tests of the tokens file.

use super::*;

fn entry(name: &str, role: Role) -> (AccessToken, AccessTokenEntry) {
    let secret = AccessToken::random().unwrap();
    let entry = AccessTokenEntry::new(name.parse().unwrap(), role, &secret);
    (secret, entry)
}

#[test]
fn a_token_is_found_by_its_exact_text_only() {
    let (ci, ci_line) = entry("ci", Role::Operator);
    let (eve, eve_line) = entry("eve@example.org", Role::Viewer);
    let text = format!("# tokens\n\n{ci_line}\n  {eve_line}  \n");
    let tokens: AccessTokens = text.parse().unwrap();
    assert_eq!(tokens.find(ci.reveal()), Some(&ci_line));
    assert_eq!(tokens.find(eve.reveal()), Some(&eve_line));
    let hash = ci_line.to_string();
    let hash = hash.rsplit(':').next().unwrap();
    for wrong in ["", "capstan_", hash, &ci.reveal()[..71], &format!("{} ", ci.reveal())] {
        assert_eq!(tokens.find(wrong), None, "{wrong}");
    }
    assert_eq!(AccessTokens::default().find(ci.reveal()), None);
}

#[test]
fn a_token_has_256_random_bits() {
    let (one, other) = (AccessToken::random().unwrap(), AccessToken::random().unwrap());
    assert_eq!(one.reveal().len(), "capstan_".len() + 64);
    assert_ne!(one.reveal(), other.reveal());
}

#[test]
fn an_error_names_the_line_and_does_not_repeat_it() {
    let good = entry("ci", Role::Viewer).1.to_string();
    let hash = good.rsplit(' ').next().unwrap();
    let cases = [
        ("ci".to_owned(), "a line must be"),
        (format!("ci {hash}"), "a line must be"),
        (format!("{good} more"), "a line must be"),
        (format!("ci root {hash}"), "the role must be"),
        (format!("c/i admin {hash}"), "the name must be"),
        (format!("unknown admin {hash}"), "the name \"unknown\""),
        ("ci admin secret".to_owned(), "the hash must be"),
        ("ci admin sha256:00".to_owned(), "the hash must be"),
        (format!("ci admin sha256:{}", "+1".repeat(32)), "the hash must be"),
        (format!("ci admin sha256:{}", "é".repeat(32)), "the hash must be"),
        (good.clone(), "the name is already in use"),
    ];
    for (line, why) in cases {
        let error = format!("{good}\n{line}\n").parse::<AccessTokens>().unwrap_err();
        assert_eq!(error.line, 2, "{line}");
        assert!(error.why.starts_with(why), "{line}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn roles_are_ordered_by_their_permissions() {
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
}
