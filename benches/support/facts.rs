//! Facts as benches write them to a log without a service.

#![allow(dead_code, reason = "each bench uses what it needs")]

use std::sync::Arc;

use bytes::Bytes;
use locum::clock::Timestamp;
use locum::domain::account_key::WrappedAccountKey;
use locum::domain::event::{AccountEvent, Event, EventKind, Fact};
use locum::identity::AccountId;
use locum::ledger::codec;
use locum::log::{Entry, Erasable};

/// When everything happens, in seconds since 1970.
pub(crate) const START: i64 = 1_780_000_000;
/// A wrapped key, which nothing opens.
const KEY: [u8; 60] = [7; 60];

pub(crate) fn fact(account: AccountId, events: Vec<EventKind>) -> Fact {
    Fact {
        time: Timestamp::from_unix_seconds(START),
        actor: Arc::from("arn:aws:iam::111111111111:root"),
        request_id: Arc::from("f44ce240-8d6f-38d9-b58c-dbc74f844d81"),
        trace_id: Arc::from(""),
        idempotency: None,
        events: events.into_iter().map(|kind| Event { account, kind }).collect(),
    }
}

pub(crate) fn account_created() -> EventKind {
    EventKind::Account(AccountEvent::Created {
        name: Arc::from("bench"),
        key: WrappedAccountKey::new(1, &KEY),
    })
}

/// The fact as the log takes it.
pub(crate) fn entry(account: AccountId, events: Vec<EventKind>) -> Entry {
    let fact = fact(account, events);
    let payload = Bytes::from(codec::encode(&fact));
    Entry { time: fact.time, accounts: vec![account], payload, erasable: Vec::new() }
}

/// The account's first, with its key.
pub(crate) fn first_entry(account: AccountId) -> Entry {
    let key = vec![(account, Erasable::New(Bytes::from_static(&KEY)))];
    Entry { erasable: key, ..entry(account, vec![account_created()]) }
}
