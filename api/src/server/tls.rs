//! TLS, with a certificate that is reloaded when its files change. Open connections keep the
//! certificate that they began with.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use domain::settings::InvalidSetting;
use service::watched_files::{CHECK_PERIOD, WatchedFiles};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use crate::settings::Exposure;

const CERTIFICATE: &str = "CAPSTAN_TLS_CERT";
const KEY: &str = "CAPSTAN_TLS_KEY";

/// The encryption of connections.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<CurrentCertificate>,
    files: Files,
}

#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug)]
struct CurrentCertificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the files; returns `None` if the settings name none. One alone is an error.
    pub(crate) fn new(exposure: &Exposure) -> Result<Option<Arc<Tls>>, InvalidSetting> {
        let named =
            |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let files = match (named(&exposure.tls_cert), named(&exposure.tls_key)) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => Files { certificate, key },
            (Some(_), None) => {
                return Err(InvalidSetting::new(CERTIFICATE, "CAPSTAN_TLS_KEY is missing"));
            }
            (None, Some(_)) => return Err(InvalidSetting::new(KEY, "CAPSTAN_TLS_CERT is missing")),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = Arc::new(CurrentCertificate(RwLock::new(Arc::new(files.read(&provider)?))));
        let versions =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| InvalidSetting::new(CERTIFICATE, error))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&current) as _;
        let mut config = versions.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(Tls { acceptor: Arc::new(config).into(), current, files })))
    }

    /// Returns what performs the handshake of a connection.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reloads the files whenever they change, until `shutdown`. A certificate and a key that do
    /// not match, as may happen while they are being replaced, are ignored.
    pub(crate) async fn watch(&self, shutdown: CancellationToken) {
        let Files { certificate, key } = self.files.clone();
        let mut watched = WatchedFiles::new(vec![certificate, key]);
        let provider = aws_lc_rs::default_provider();
        while shutdown.run_until_cancelled(tokio::time::sleep(CHECK_PERIOD)).await.is_some() {
            if !watched.have_changed() {
                continue;
            }
            match self.files.read(&provider) {
                Ok(read) => {
                    let mut current =
                        self.current.0.write().unwrap_or_else(PoisonError::into_inner);
                    if current.cert != read.cert {
                        tracing::info!("the certificate has changed");
                        *current = Arc::new(read);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot reload the certificate, keeping the old one");
                }
            }
        }
    }
}

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, InvalidSetting> {
        let bad = |setting, path: &PathBuf, error: &dyn std::fmt::Display| {
            InvalidSetting::new(setting, format_args!("{}: {error}", path.display()))
        };
        let of_certificate = |error| bad(CERTIFICATE, &self.certificate, &error);
        let chain = CertificateDer::pem_file_iter(&self.certificate).map_err(of_certificate)?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(of_certificate)?;
        if chain.is_empty() {
            return Err(bad(CERTIFICATE, &self.certificate, &"it contains no certificate"));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| bad(KEY, &self.key, &error))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| bad(KEY, &self.key, &error))
    }
}
