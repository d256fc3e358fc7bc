//! A service for tests: over a log of its own, with a keyring of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;

use super::{Service, Settings};
use crate::clock::Clock;
use crate::ledger::{Ledger, WriterHandle};
use crate::log::EventLog;
use crate::oidc::Reach;
use crate::pace::Pace;
use crate::signing::{Keyring, KeyringSource};

/// A service over the log of `folder`, by `clock`; it writes for as long as the handle lives.
pub(crate) fn service(folder: &Path, clock: Clock) -> (Arc<Service>, WriterHandle) {
    let (ledger, writer, _) = Ledger::open(EventLog::open(folder).unwrap().0).unwrap();
    let keyring = Arc::new(Keyring::generate(&SystemRandom::new()).unwrap());
    let settings = Settings {
        region: "us-east-1".to_owned(),
        regions: vec!["us-east-1".to_owned()],
        pace: Pace { interval: Duration::from_secs(1800), lifetime: Duration::from_secs(3600) },
        read_patience: Duration::from_secs(1),
        keyring: KeyringSource::of(&folder.join("keyring.json")),
        oidc_reach: Reach::Loopback,
    };
    (Arc::new(Service::new(ledger, keyring, clock, settings).unwrap()), writer)
}
