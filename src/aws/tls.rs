//! TLS for the AWS edge, from a certificate chain and a key in PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("`{}` holds no {what}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// The certificate and the key do not go together, or are of an unknown kind.
    #[error("the certificate `{}` cannot be used: {source}", .path.display())]
    Certificate {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: tokio_rustls::rustls::Error,
    },
}

/// A certificate with its key, ready to serve.
#[derive(Clone)]
pub struct Tls(pub(super) TlsAcceptor);

impl Tls {
    /// Reads a chain of certificates, the server's first, and the server's key.
    ///
    /// # Errors
    /// The files cannot be read or do not go together.
    pub fn load(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let wrong =
            |path: &Path, what, source| TlsError::File { path: path.to_owned(), what, source };
        let chain_wrong = |source| wrong(chain, "certificate", source);
        let certificates = CertificateDer::pem_file_iter(chain).map_err(chain_wrong)?;
        let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(chain_wrong)?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| wrong(key, "private key", source))?;
        let unusable = |source| TlsError::Certificate { path: chain.to_owned(), source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}
