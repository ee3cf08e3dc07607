//! TLS to clients and to the store, with generated certificates.

use api::Exposure;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client};

use crate::api_process::output_of;
use crate::env::{TIMEOUT, TestEnv, eventually, free_address, redis_url, with_env_exposed};
use crate::redis_server::Redis;
use crate::token_files::Directory;

const LOOPBACK: &str = "127.0.0.1";

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns a certificate for this address, and its key.
    fn sign(&self, address: impl std::fmt::Display) -> (String, String) {
        let names = vec![address.to_string()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Returns a client that trusts only this authority and has its own connections.
    fn client(&self) -> Client {
        let root = Certificate::from_pem(self.pem().as_bytes()).unwrap();
        Client::builder().tls_certs_only([root]).timeout(TIMEOUT).build().unwrap()
    }
}

fn exposure(directory: &Directory, authority: &Authority) -> Exposure {
    let (certificate, key) = authority.sign(LOOPBACK);
    Exposure {
        tls_cert: Some(directory.write("cert.pem", &certificate)),
        tls_key: Some(directory.write("key.pem", &key)),
        ..Exposure::default()
    }
}

async fn answers(env: &TestEnv, client: &Client) -> bool {
    let url = env.url.replace("http://", "https://");
    client.get(format!("{url}/api/v0/jobs")).send().await.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn only_tls_connections_are_accepted() {
    let (directory, authority, other) = (Directory::new(), Authority::new(), Authority::new());
    with_env_exposed(&redis_url(), exposure(&directory, &authority), async |env| {
        assert!(answers(env, &authority.client()).await);
        assert!(!answers(env, &other.client()).await);
        assert!(env.client.get(env.at("/jobs")).send().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_used_for_new_connections_and_existing_ones_stay_open() {
    let (directory, old, new) = (Directory::new(), Authority::new(), Authority::new());
    with_env_exposed(&redis_url(), exposure(&directory, &old), async |env| {
        // This client keeps its connection, so it can continue after the change.
        let before = old.client();
        assert!(answers(env, &before).await);
        let (certificate, key) = new.sign(LOOPBACK);
        // A certificate that does not match the key is ignored.
        directory.write("cert.pem", &certificate);
        assert!(answers(env, &before).await);
        directory.write("key.pem", &key);
        eventually(async || answers(env, &new.client()).await, |answers| *answers).await;
        assert!(answers(env, &before).await);
        assert!(!answers(env, &old.client()).await);
    })
    .await;
}

#[tokio::test]
async fn invalid_tls_files_are_named_at_start() {
    let (directory, authority) = (Directory::new(), Authority::new());
    let (certificate, key) = authority.sign(LOOPBACK);
    let certificate = directory.write("cert.pem", &certificate);
    let other = directory.write("other.pem", &authority.sign(LOOPBACK).1);
    let (key, empty) = (directory.write("key.pem", &key), directory.write("empty.pem", ""));
    let cases = [
        (Some(&certificate), None, "CAPSTAN_TLS_KEY is missing"),
        (None, Some(&key), "CAPSTAN_TLS_CERT is missing"),
        (Some(&certificate), Some(&other), "invalid CAPSTAN_TLS_KEY"),
        (Some(&certificate), Some(&empty), "invalid CAPSTAN_TLS_KEY"),
        (Some(&empty), Some(&key), "it contains no certificate"),
        (Some(&directory.at("none")), Some(&key), "none: "),
    ];
    for (certificate, key, why) in cases {
        let text = |path: Option<&std::path::PathBuf>| {
            path.map_or(String::new(), |path| path.to_str().unwrap().to_owned())
        };
        let (certificate, key) = (text(certificate), text(key));
        let flags = ["--tls-cert", &certificate, "--tls-key", &key];
        let (output, status) = output_of(&flags, &[], "serving the API").await;
        assert!(output.contains(why), "{why}: {output}");
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{output}");
    }
}

#[tokio::test]
async fn the_certificate_of_the_store_must_be_of_the_configured_authority() {
    let (directory, authority, other) = (Directory::new(), Authority::new(), Authority::new());
    let address = free_address();
    let (certificate, key) = authority.sign(address.ip());
    let ca = directory.write("ca.pem", &authority.pem());
    let wrong = directory.write("wrong.pem", &other.pem());
    let files = [directory.write("cert.pem", &certificate), directory.write("key.pem", &key)];
    let redis = Redis::start_tls(address, &files, &ca).await;
    let url = redis.url();
    let cases = [(&ca, "jobs answered 202 are lost"), (&wrong, "the store does not answer")];
    for (ca, expected) in cases {
        let environment = [
            ("CAPSTAN_REDIS_URL", url.as_str()),
            ("CAPSTAN_REDIS_CA", ca.to_str().unwrap()),
            ("CAPSTAN_LOG", "debug"),
        ];
        let (text, status) = output_of(&[], &environment, expected).await;
        assert!(text.contains(expected), "{text}");
        assert_eq!(status, None, "the service keeps running: {text}");
    }
}
