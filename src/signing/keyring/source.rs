//! Where a keyring comes from: a file, an environment variable, or standard input. Only a file can be
//! written, and so rotated by the server itself.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KEYRING_BYTES_MAX, Keyring, KeyringError};

/// What begins the name of an environment variable.
const ENVIRONMENT: &str = "env:";

/// Where a keyring comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringSource {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// Standard input, until its end.
    StandardInput,
}

impl KeyringSource {
    /// `-` is standard input, `env:NAME` an environment variable, anything else a file.
    #[must_use]
    pub fn of(setting: &Path) -> Self {
        match setting.to_str() {
            Some("-") => Self::StandardInput,
            Some(text) if text.starts_with(ENVIRONMENT) => {
                Self::Environment(text.trim_start_matches(ENVIRONMENT).to_owned())
            }
            _ => Self::File(setting.to_owned()),
        }
    }

    /// Reads the keyring.
    ///
    /// # Errors
    /// It is not there, others may read it, or it is no keyring.
    pub fn read(&self) -> Result<Keyring, KeyringError> {
        match self {
            Self::File(path) => Keyring::load(path),
            Self::Environment(name) => {
                let json = std::env::var(name).map(Zeroizing::new);
                Keyring::from_json(&json.map_err(|_| KeyringError::Variable(name.clone()))?)
            }
            Self::StandardInput => {
                let limit = KEYRING_BYTES_MAX + 1;
                let mut json = Zeroizing::new(String::with_capacity(limit));
                let read = std::io::stdin().take(limit as u64).read_to_string(&mut json);
                read.map_err(|source| KeyringError::Io { path: self.to_string(), source })?;
                Keyring::from_json(&json)
            }
        }
    }

    /// The file, which can be written.
    ///
    /// # Errors
    /// It is none; the error says what to do instead.
    pub fn file(&self) -> Result<&Path, KeyringError> {
        match self {
            Self::File(path) => Ok(path),
            other => Err(KeyringError::Fixed(other.to_string())),
        }
    }
}

impl fmt::Display for KeyringSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::StandardInput => f.write_str("standard input"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects operators: what a setting means is told by its form alone, and what cannot be written says
    /// how to go on.
    #[test]
    fn a_setting_is_a_file_unless_it_says_otherwise() {
        let of = |text: &str| KeyringSource::of(Path::new(text));
        assert_eq!(of("-"), KeyringSource::StandardInput);
        assert_eq!(of("env:LOCUM_ROOT"), KeyringSource::Environment("LOCUM_ROOT".to_owned()));
        assert_eq!(of("/d/keyring.json"), KeyringSource::File("/d/keyring.json".into()));
        assert!(of("./-").file().is_ok());
        let told = of("-").file().unwrap_err().to_string();
        assert!(told.contains("locum keyring advance"), "{told}");
        let told = of("env:LOCUM_NO_SUCH_VARIABLE").read().unwrap_err().to_string();
        assert_eq!(told, "the environment variable `LOCUM_NO_SUCH_VARIABLE` holds no keyring");
    }
}
