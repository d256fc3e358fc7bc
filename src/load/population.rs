//! Whom requests are made for, as set-up left them, and how each is picked.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::random::Random;
use super::zipf::Zipf;
use crate::client::{Credentials, SignedChannel};
use crate::clock::Timestamp;

/// An account with what was made in it.
pub(super) struct Tenant {
    /// Who may change the profiles of instances, a channel for each connection.
    pub(super) admin: Box<[SignedChannel]>,
    /// Who assumes the first role and asks for verdicts.
    pub(super) user: Box<[SignedChannel]>,
    /// The same user, to sign other requests than calls.
    pub(super) user_key: Credentials,
    /// What the user may assume.
    pub(super) first_role: String,
    /// What a session of the first role may assume.
    pub(super) second_role: String,
    /// Profiles that instances are given in turns.
    pub(super) profiles: [String; 2],
    pub(super) machines: Box<[Machine]>,
    pub(super) churned: Box<[Churned]>,
    /// A session of the first role, renewed as needed.
    pub(super) session: Mutex<Option<Session>>,
}

/// An instance whose metadata is read.
pub(super) struct Machine {
    /// Its own identity, a channel for each connection.
    pub(super) channels: Box<[SignedChannel]>,
    /// Where it asks from over HTTP; the machine's own address if none.
    pub(super) address: Option<IpAddr>,
    /// What it found over HTTP: the page of its credentials and its token.
    pub(super) page: Mutex<Option<MetadataPage>>,
}

/// Where an instance finds its credentials over HTTP.
#[derive(Clone)]
pub(super) struct MetadataPage {
    pub(super) path: String,
    pub(super) token: http::HeaderValue,
}

/// An instance whose profile is changed, by one request at a time.
pub(super) struct Churned {
    pub(super) instance: String,
    pub(super) state: Mutex<Association>,
}

/// What an instance carries, as far as the generator knows.
#[derive(Default)]
pub(super) struct Association {
    /// Its association; not known at first, and when a request ended without an answer.
    pub(super) id: Option<String>,
    /// Which profile it gets next.
    pub(super) turn: bool,
}

/// Temporary credentials, until they should be replaced.
pub(super) struct Session {
    pub(super) channels: Box<[SignedChannel]>,
    pub(super) credentials: Credentials,
    pub(super) renew_at: Timestamp,
}

/// See the module.
pub(super) struct Population {
    pub(super) tenants: Vec<Tenant>,
    popularity: Zipf,
    /// Sessions that were needed to make requests of a chain, and are none of the requests measured.
    sessions: AtomicU64,
}

impl Population {
    pub(super) fn new(tenants: Vec<Tenant>, exponent: f64) -> Self {
        let popularity = Zipf::new(tenants.len(), exponent);
        Self { tenants, popularity, sessions: AtomicU64::new(0) }
    }

    /// An account by its popularity.
    pub(super) fn pick(&self, random: &mut Random) -> usize {
        self.popularity.pick(random.unit())
    }

    pub(super) fn note_session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }
}

/// One member of a list, by a number that may be larger than it; none of an empty list.
pub(super) fn one_of<T>(list: &[T], number: u64) -> Option<&T> {
    let count = u64::try_from(list.len()).ok().filter(|count| *count > 0)?;
    list.get(usize::try_from(number % count).ok()?)
}
