//! TLS: the certificate that is shown, which changes with its files; connections that are there go
//! on with the one that they began with.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use shared::config::BadSetting;
use shared::watch::{PERIOD, Watched};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use crate::Exposure;

const CERTIFICATE: &str = "CAPSTAN_TLS_CERT";
const KEY: &str = "CAPSTAN_TLS_KEY";

/// What connections are encrypted with.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    files: Files,
}

#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the files; none when no setting names them. One without the other is refused.
    pub(crate) fn new(exposure: &Exposure) -> Result<Option<Arc<Tls>>, BadSetting> {
        let named =
            |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let files = match (named(&exposure.tls_cert), named(&exposure.tls_key)) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => Files { certificate, key },
            (Some(_), None) => {
                return Err(BadSetting::new(CERTIFICATE, "CAPSTAN_TLS_KEY is missing"));
            }
            (None, Some(_)) => return Err(BadSetting::new(KEY, "CAPSTAN_TLS_CERT is missing")),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let shown = Arc::new(Shown(RwLock::new(Arc::new(files.read(&provider)?))));
        let versions =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| BadSetting::new(CERTIFICATE, error))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&shown) as _;
        let mut config = versions.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(Tls { acceptor: Arc::new(config).into(), shown, files })))
    }

    /// What shakes hands.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again whenever they change, until `shutdown`. Files that do not fit each
    /// other, as they may while they are being replaced, change nothing.
    pub(crate) async fn follow(&self, shutdown: CancellationToken) {
        let Files { certificate, key } = self.files.clone();
        let mut watched = Watched::unread(vec![certificate, key]);
        let provider = aws_lc_rs::default_provider();
        while shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            if !watched.changed() {
                continue;
            }
            match self.files.read(&provider) {
                Ok(read) => {
                    let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
                    if shown.cert != read.cert {
                        tracing::info!("the certificate has changed");
                        *shown = Arc::new(read);
                    }
                }
                Err(error) => tracing::error!(%error, "the certificate stays as it was"),
            }
        }
    }
}

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, BadSetting> {
        let bad = |setting, path: &PathBuf, error: &dyn std::fmt::Display| {
            BadSetting::new(setting, format_args!("{}: {error}", path.display()))
        };
        let of_certificate = |error| bad(CERTIFICATE, &self.certificate, &error);
        let chain = CertificateDer::pem_file_iter(&self.certificate).map_err(of_certificate)?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(of_certificate)?;
        if chain.is_empty() {
            return Err(bad(CERTIFICATE, &self.certificate, &"there is no certificate in it"));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| bad(KEY, &self.key, &error))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| bad(KEY, &self.key, &error))
    }
}
