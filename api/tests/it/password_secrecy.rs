//! The output of the service never contains a password.

use crate::api_process::output_of;
use crate::redis_server::Redis;
use crate::token_files::Directory;

const PASSWORD: &str = "hunter2-is-secret";

#[tokio::test]
async fn a_wrong_password_is_reported_without_the_password() {
    let redis = Redis::start_with(&["--requirepass", "another"]).await;
    let directory = Directory::new();
    let file = directory.write("password", PASSWORD);
    let with = redis.url().replace("redis://", &format!("redis://:{PASSWORD}@"));
    let cases = [
        vec![("CAPSTAN_REDIS_URL", with.clone())],
        vec![
            ("CAPSTAN_REDIS_URL", redis.url()),
            ("CAPSTAN_REDIS_PASSWORD_FILE", file.to_str().unwrap().to_owned()),
        ],
    ];
    for case in cases {
        let mut environment: Vec<_> =
            case.iter().map(|(name, text)| (*name, text.as_str())).collect();
        environment.push(("CAPSTAN_LOG", "trace"));
        let (text, _) = output_of(&[], &environment, "the store does not answer").await;
        assert!(text.contains("the store does not answer"), "{text}");
        assert!(text.to_lowercase().contains("password"), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn a_password_can_be_read_from_a_file() {
    let redis = Redis::start_with(&["--requirepass", PASSWORD]).await;
    let directory = Directory::new();
    let file = directory.write("password", &format!("{PASSWORD}\n"));
    let url = redis.url();
    let environment = [
        ("CAPSTAN_REDIS_URL", url.as_str()),
        ("CAPSTAN_REDIS_PASSWORD_FILE", file.to_str().unwrap()),
    ];
    let (text, _) = output_of(&[], &environment, "jobs answered 202 are lost").await;
    assert!(text.contains("jobs answered 202 are lost"), "{text}");
    let missing = directory.at("missing");
    let environment = [environment[0], (environment[1].0, missing.to_str().unwrap())];
    let (text, status) = output_of(&[], &environment, "serving the API").await;
    assert!(text.contains("invalid CAPSTAN_REDIS_PASSWORD_FILE"), "{text}");
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{text}");
}

#[tokio::test]
async fn neither_help_nor_an_invalid_url_error_contains_the_password() {
    let bad = [
        format!("redis://:{PASSWORD}@a:b:c"),
        format!("http://:{PASSWORD}@a"),
        PASSWORD.to_owned(),
        format!("redis://:{PASSWORD}@[::1"),
        format!("redis://:{PASSWORD}@a:1/x"),
    ];
    for url in bad {
        for flags in [&["--help"][..], &["--nonsense"], &[]] {
            let (text, status) =
                output_of(flags, &[("CAPSTAN_REDIS_URL", &url)], "serving the API").await;
            assert!(status.is_some(), "{flags:?} {text}");
            assert!(!text.is_empty() && !text.contains(PASSWORD), "{text}");
        }
    }
}
