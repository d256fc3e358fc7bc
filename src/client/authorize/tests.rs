//! Tests of what keeps a local decision from being older than it may be. Whole requests are tested against a
//! server, in `tests/authorize.rs`.

use super::follower::Grants;
use super::grant::Grant;
use super::*;
use crate::clock::Clock;
use crate::proto::v1::{CallerIdentity, FollowInvalidationsResponse, GrantVerificationResponse};

const START: i64 = 1_780_000_000;

fn grants() -> (Grants, Clock) {
    let clock = Clock::manual(Timestamp::from_unix_seconds(START));
    (Grants::new(clock.clone()), clock)
}

fn grant(account: &str, sequence: u64) -> Arc<Grant> {
    let expires_at = Some(prost_types::Timestamp { seconds: START + 300, nanos: 0 });
    let identity = CallerIdentity { account_id: account.to_owned(), ..CallerIdentity::default() };
    let answer = GrantVerificationResponse {
        identity: Some(identity),
        expires_at,
        sequence,
        ..GrantVerificationResponse::default()
    };
    Arc::new(Grant::read(answer, Some("token")).unwrap())
}

fn told(sequence: u64, accounts: &[&str], all: bool) -> FollowInvalidationsResponse {
    let account_ids = accounts.iter().map(|id| (*id).to_owned()).collect();
    FollowInvalidationsResponse { sequence, account_ids, all }
}

/// Protects revocation: a grant is dropped by what happened after it, in its account or everywhere, and by
/// nothing else.
#[test]
fn a_grant_is_void_once_its_account_changed() {
    let (grants, _) = grants();
    grants.hear(&told(5, &[], false), true);
    grants.insert("a", grant("111111111111", 5));
    grants.insert("b", grant("222222222222", 5));
    grants.hear(&told(6, &["111111111111"], false), false);
    assert!(grants.get("a").is_none() && grants.get("b").is_some());
    grants.insert("a", grant("111111111111", 6));
    assert!(grants.get("a").is_some());
    grants.hear(&told(7, &[], true), false);
    assert!(grants.get("a").is_none() && grants.get("b").is_none());
}

/// Protects revocation while a grant is on its way: what was void before it came is not kept.
#[test]
fn a_grant_that_was_void_on_its_way_is_not_kept() {
    let (grants, _) = grants();
    grants.hear(&told(5, &[], false), true);
    grants.hear(&told(9, &["111111111111"], false), false);
    grants.insert("a", grant("111111111111", 8));
    assert!(grants.get("a").is_none());
    grants.insert("a", grant("111111111111", 9));
    assert!(grants.get("a").is_some());
}

/// Protects services that hear nothing: no grant is used before the stream is there, after a silence, nor any
/// from before the stream came back.
#[test]
fn no_grant_is_used_out_of_step() {
    let (grants, clock) = grants();
    grants.insert("a", grant("111111111111", 5));
    assert!(grants.get("a").is_none() && !grants.in_step(), "before the first message");
    grants.hear(&told(5, &[], false), true);
    assert!(grants.get("a").is_some());
    clock.set(Timestamp::from_unix_seconds(START).plus(SILENCE_MAX));
    assert!(grants.get("a").is_none(), "after a silence");
    grants.hear(&told(6, &[], false), true);
    assert!(grants.get("a").is_none(), "when the stream came back");
}

/// Protects sessions: a grant is for the token that it was given for, until it ends.
#[test]
fn a_grant_is_for_one_token_and_for_a_while() {
    let grant = grant("111111111111", 5);
    let now = Timestamp::from_unix_seconds(START);
    assert!(grant.is_for(Some("token"), now));
    assert!(!grant.is_for(Some("other"), now) && !grant.is_for(None, now));
    assert!(!grant.is_for(Some("token"), now.plus(Duration::from_secs(300))));
}

/// Protects clients: a refusal is told in XML that no text can break, and as JSON.
#[test]
fn a_refusal_is_told_in_the_forms_of_aws() {
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", "<a> & b");
    let xml = refusal.xml();
    assert_eq!(xml.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        xml.body(),
        "<Error><Code>AccessDenied</Code><Message>&lt;a&gt; &amp; b</Message></Error>"
    );
    assert_eq!(refusal.json().body(), r#"{"code":"AccessDenied","message":"<a> & b"}"#);
}
