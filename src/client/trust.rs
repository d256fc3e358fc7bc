//! Whose certificates the client trusts.

use std::path::Path;

use tonic::transport::{Certificate, ClientTlsConfig};

use super::ClientError;

/// By whom the certificate of an `https://` endpoint has to be signed.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// By one that the system trusts.
    #[default]
    System,
    /// By one of these, in PEM.
    Authorities(Vec<u8>),
}

impl Trust {
    /// Those in a PEM file; those of the system if none is named.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_file(path: Option<&Path>) -> Result<Self, ClientError> {
        let Some(path) = path else { return Ok(Self::System) };
        let pem = std::fs::read(path);
        let pem = pem.map_err(|source| ClientError::Trust { path: path.to_owned(), source })?;
        Ok(Self::Authorities(pem))
    }

    pub(super) fn config(&self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new();
        match self {
            Self::System => config.with_native_roots(),
            Self::Authorities(pem) => config.ca_certificate(Certificate::from_pem(pem)),
        }
    }
}
