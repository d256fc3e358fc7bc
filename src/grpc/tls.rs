//! TLS for gRPC, from a certificate chain and a key in PEM files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::transport::server::Server;
use tonic::transport::{Identity, ServerTlsConfig};
use zeroize::Zeroizing;

/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate and the key are none, or do not go together.
    #[error("the certificate `{}` cannot be used: {source}", .path.display())]
    Certificate {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: tonic::transport::Error,
    },
}

/// A certificate with its key, ready to serve.
#[derive(Clone)]
pub struct Tls(ServerTlsConfig);

impl Tls {
    /// Reads a chain of certificates, the server's first, and the server's key.
    ///
    /// # Errors
    /// The files cannot be read or do not go together.
    pub fn load(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let bytes = std::fs::read(path);
            bytes.map_err(|source| TlsError::File { path: path.to_owned(), source })
        };
        let certificates = read(chain)?;
        let key = Zeroizing::new(read(key)?);
        let identity = Identity::from_pem(certificates, &*key);
        let tls = Self(ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE_TIMEOUT));
        // Told now, not once clients come.
        let unusable = |source| TlsError::Certificate { path: chain.to_owned(), source };
        tls.apply(Server::builder()).map_err(unusable)?;
        Ok(tls)
    }

    pub(super) fn apply(&self, server: Server) -> Result<Server, tonic::transport::Error> {
        server.tls_config(self.0.clone())
    }
}
