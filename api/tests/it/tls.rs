//! TLS, with certificates made for the test: to clients, and to a store that speaks it.

use api::Exposure;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client};

use crate::api_process::output_of;
use crate::env::{PATIENCE, TestEnv, eventually, free_address, redis_url, with_env_exposed};
use crate::redis_server::Redis;
use crate::token_files::Directory;

const LOOPBACK: &str = "127.0.0.1";

/// Who signs certificates.
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

    /// A certificate for this address, and its key.
    fn sign(&self, address: impl std::fmt::Display) -> (String, String) {
        let names = vec![address.to_string()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A client that trusts this authority alone, and keeps its connections to itself.
    fn client(&self) -> Client {
        let root = Certificate::from_pem(self.pem().as_bytes()).unwrap();
        Client::builder().tls_certs_only([root]).timeout(PATIENCE).build().unwrap()
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
async fn it_serves_tls_and_nothing_else() {
    let (directory, authority, other) = (Directory::new(), Authority::new(), Authority::new());
    with_env_exposed(&redis_url(), exposure(&directory, &authority), async |env| {
        assert!(answers(env, &authority.client()).await);
        assert!(!answers(env, &other.client()).await);
        assert!(env.client.get(env.at("/jobs")).send().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_drops_no_old_one() {
    let (directory, old, new) = (Directory::new(), Authority::new(), Authority::new());
    with_env_exposed(&redis_url(), exposure(&directory, &old), async |env| {
        // It keeps its connection, which stays good though its authority is no longer the one.
        let before = old.client();
        assert!(answers(env, &before).await);
        let (certificate, key) = new.sign(LOOPBACK);
        // Half of the change fits the other half not, and changes nothing.
        directory.write("cert.pem", &certificate);
        assert!(answers(env, &before).await);
        directory.write("key.pem", &key);
        eventually(async || answers(env, &new.client()).await, |good| *good).await;
        assert!(answers(env, &before).await);
        assert!(!answers(env, &old.client()).await);
    })
    .await;
}

#[tokio::test]
async fn files_that_are_none_stop_the_start_and_name_themselves() {
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
        let (said, status) = output_of(&flags, &[], "serving the API").await;
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    }
}

#[tokio::test]
async fn a_store_behind_tls_is_trusted_from_its_authority_only() {
    let (directory, authority, other) = (Directory::new(), Authority::new(), Authority::new());
    let address = free_address();
    let (certificate, key) = authority.sign(address.ip());
    let ca = directory.write("ca.pem", &authority.pem());
    let wrong = directory.write("wrong.pem", &other.pem());
    let files = [directory.write("cert.pem", &certificate), directory.write("key.pem", &key)];
    let redis = Redis::start_tls(address, &files, &ca).await;
    let url = redis.url();
    for (ca, enough) in [(&ca, "jobs answered 202 are lost"), (&wrong, "the store does not answer")]
    {
        let environment = [
            ("CAPSTAN_REDIS_URL", url.as_str()),
            ("CAPSTAN_REDIS_CA", ca.to_str().unwrap()),
            ("CAPSTAN_LOG", "debug"),
        ];
        let (text, status) = output_of(&[], &environment, enough).await;
        assert!(text.contains(enough), "{text}");
        assert_eq!(status, None, "it goes on: {text}");
    }
}
