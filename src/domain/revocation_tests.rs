//! Revocations as commands and what they void.

use std::time::Duration;

use super::access::Caller;
use super::command::{
    AccountAction, Action, InstanceAction, PolicyAction, RevocationTarget, RoleAction,
    SessionAction,
};
use super::event::{EventKind, RoleCredentials, SessionEvent};
use super::revocation::{Ancestor, Facts, Void};
use super::session::{Operation, Session, SessionDraft, SessionRequest};
use super::state::{Association, key_of};
use super::testing::*;
use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, Federator, InstanceId, Principal, base32_id};
use crate::policy::{Policy, PolicyKind};

fn revoke(world: &mut World, target: RevocationTarget, chained: bool) -> Action {
    let minting = world.minting();
    Action::Session(SessionAction::Revoke { target, before: None, chained, minting })
}

fn role(name: &str) -> RevocationTarget {
    RevocationTarget::Role(name.parse().unwrap())
}

/// Assumes a role; the session and its holder.
fn assume(world: &mut World, by: Caller, account: &str, name: &str) -> (Session, Caller) {
    let action = world.assume(account, name, 3600);
    let kinds = world.by(by, account, action).unwrap();
    let EventKind::Session(SessionEvent::Issued { session }) = &kinds[0] else { panic!() };
    let holder = Caller::of_session(self::account(account), session).unwrap();
    (session.clone(), Caller { key: Some(session.key.clone()), ..holder })
}

fn void(world: &World, session: &Session, holder: &Caller) -> Option<Void> {
    let principal_id = match (&holder.principal, &session.subject) {
        (Principal::AssumedRole { role_id: id, .. } | Principal::User { id, .. }, _) => Some(id),
        (_, subject) => subject.federator().and_then(Federator::user_id),
    };
    let facts =
        Facts { key: &session.key, principal_id, issued_at: session.issued_at, instance: None };
    world.state.void(holder.principal.account().unwrap(), &facts, &session.ancestors)
}

/// A session that a user asks for itself, and its holder.
fn own_session(world: &mut World, by: Caller, operation: Operation) -> (Session, Caller) {
    let draft = SessionDraft::plain(base32_id("ASIA", world.random()).parse().unwrap());
    let duration = Duration::from_secs(3600);
    let session = Box::new(SessionRequest { draft, duration, external_id: None, mfa: None });
    let kinds =
        world.by(by, A, Action::Session(SessionAction::Issue { operation, session })).unwrap();
    let EventKind::Session(SessionEvent::Issued { session }) = &kinds[0] else { panic!() };
    let holder = Caller::of_session(account(A), session).unwrap();
    (session.clone(), Caller { key: Some(session.key.clone()), ..holder })
}

/// Roles that everybody may assume: First in A, Second in B, which First's sessions may assume too.
fn two_accounts() -> World {
    let mut world = World::default();
    let open = trust(r#"{"AWS":"*"}"#);
    for (account, name) in [(A, "First"), (B, "Second")] {
        world.create_account(account);
        world.create_role(account, name, &open);
        world.put_policy(account, of_role(name), allow(&["sts:AssumeRole"], "*"));
    }
    world.create_user(A, "ana");
    world.put_policy(A, of_user("ana"), allow(&["sts:AssumeRole"], "*"));
    world
}

/// Protects sessions from those who may not revoke them, and callers from revoking what is none.
#[test]
fn only_who_may_revokes_and_only_sessions() {
    let mut world = two_accounts();
    let ana = world.user(A, "ana");
    for caller in [ana, root(B)] {
        let action = revoke(&mut world, role("First"), false);
        assert_eq!(world.by(caller, A, action).unwrap_err().code(), "AccessDenied");
    }
    let unknown = revoke(&mut world, role("Third"), false);
    assert_eq!(world.by(root(A), A, unknown).unwrap_err().code(), "NoSuchEntity");
    let long_term = RevocationTarget::Session("AKIAAAAAAAAAAAAAAAAA".parse().unwrap());
    let long_term = revoke(&mut world, long_term, false);
    assert_eq!(world.by(root(A), A, long_term).unwrap_err().code(), "ValidationError");
    let minting = world.minting();
    let before = Some(Timestamp::from_unix_seconds(1_900_000_000));
    let target = role("First");
    let later = Action::Session(SessionAction::Revoke { target, before, chained: false, minting });
    assert_eq!(world.by(root(A), A, later).unwrap_err().code(), "ValidationError");
}

/// Protects a role: what was issued before is void, what is issued after is not, within one second even.
#[test]
fn a_role_revocation_voids_what_was_issued_before_it() {
    let mut world = two_accounts();
    let ana = world.user(A, "ana");
    let (old, holder) = assume(&mut world, ana.clone(), A, "First");
    let assume_again = world.assume(A, "First", 3600);
    let mut again = world.command(A, ana, assume_again);
    let action = revoke(&mut world, role("First"), false);
    let mut command = world.command(A, root(A), action);
    command.time = again.time;
    world.run(&command).unwrap();
    // Decided in the second of the revocation, after it.
    again.time = Timestamp::from_millis(again.time.as_millis() + 500);
    let kinds = world.run(&again).unwrap();
    let EventKind::Session(SessionEvent::Issued { session: new }) = &kinds[0] else { panic!() };
    assert_eq!(void(&world, &old, &holder), Some(Void::Revoked));
    assert_eq!(void(&world, new, &holder), None);
    assert!(new.issued_at > again.time);
    assert_eq!(new.expires_at.since(new.issued_at).as_secs(), 3600);
}

/// Protects a role's later sessions when only those before a moment are leaked.
#[test]
fn sessions_after_the_moment_go_on() {
    let mut world = two_accounts();
    let ana = world.user(A, "ana");
    let (old, holder) = assume(&mut world, ana.clone(), A, "First");
    let (new, _) = assume(&mut world, ana, A, "First");
    assert!(old.issued_at < new.issued_at);
    let minting = world.minting();
    let before = Some(new.issued_at);
    let target = role("First");
    world.root(
        A,
        Action::Session(SessionAction::Revoke { target, before, chained: false, minting }),
    );
    assert_eq!(void(&world, &old, &holder), Some(Void::Revoked));
    assert_eq!(void(&world, &new, &holder), None);
}

/// Protects a user whose sessions leaked: all that they asked for themselves is void at once, with `chained`
/// what came from it too; others' sessions, the user's key and what the user asks for next go on.
#[test]
fn a_users_own_sessions_end_together() {
    let mut world = two_accounts();
    world.create_user(A, "bob");
    world.put_policy(A, of_user("ana"), allow(&["sts:*"], "*"));
    let (ana, bob) = (world.user(A, "ana"), world.user(A, "bob"));
    let federation = || Operation::GetFederationToken("guest".parse().unwrap());
    let (first, holder) = own_session(&mut world, ana.clone(), Operation::GetSessionToken);
    let (guest, as_guest) = own_session(&mut world, ana.clone(), federation());
    let (other, as_other) = own_session(&mut world, bob.clone(), Operation::GetSessionToken);
    let (below, as_below) = assume(&mut world, holder.clone(), A, "First");
    let (direct, as_direct) = assume(&mut world, ana.clone(), A, "First");
    let user = |name: &str| RevocationTarget::User(name.parse().unwrap());
    let action = revoke(&mut world, user("ana"), false);
    assert_eq!(world.by(bob, A, action).unwrap_err().code(), "AccessDenied");
    let action = revoke(&mut world, user("nobody"), false);
    assert_eq!(world.by(root(A), A, action).unwrap_err().code(), "NoSuchEntity");

    let action = revoke(&mut world, user("ana"), false);
    world.root(A, action);
    assert_eq!(void(&world, &first, &holder), Some(Void::Revoked));
    assert_eq!(void(&world, &guest, &as_guest), Some(Void::Revoked));
    assert_eq!(void(&world, &below, &as_below), None);
    let action = revoke(&mut world, user("ana"), true);
    world.root(A, action);
    assert_eq!(void(&world, &below, &as_below), Some(Void::Revoked));
    for (session, holder) in [(&other, &as_other), (&direct, &as_direct)] {
        assert_eq!(void(&world, session, holder), None);
    }
    for operation in [Operation::GetSessionToken, federation()] {
        let (next, holder) = own_session(&mut world, ana.clone(), operation);
        assert_eq!(void(&world, &next, &holder), None);
        assert_eq!(next.expires_at.since(next.issued_at).as_secs(), 3600);
    }
}

/// Protects what a leaked session was used for: with `chained` everything below it is void, in another
/// account too; without, only itself. Who knows a key but does not own it voids nothing.
#[test]
fn a_chain_is_void_from_a_session_on_down() {
    let mut world = two_accounts();
    let ana = world.user(A, "ana");
    let (first, holder) = assume(&mut world, ana, A, "First");
    let (second, below) = assume(&mut world, holder.clone(), B, "Second");
    let keys: Vec<_> = second.ancestors.iter().map(|ancestor| &ancestor.key).collect();
    assert_eq!(keys, [&first.key]);
    let target = RevocationTarget::Session(first.key.clone());
    let action = revoke(&mut world, target.clone(), true);
    world.root(B, action);
    assert_eq!(void(&world, &first, &holder), None);
    assert_eq!(void(&world, &second, &below), None);
    let action = revoke(&mut world, target.clone(), false);
    world.root(A, action);
    assert_eq!(void(&world, &first, &holder), Some(Void::Revoked));
    assert_eq!(void(&world, &second, &below), None);
    let action = revoke(&mut world, target, true);
    world.root(A, action);
    assert_eq!(void(&world, &second, &below), Some(Void::Revoked));
}

/// Protects chains below a role, and from an account that is gone.
#[test]
fn a_chain_below_a_role_is_void_and_one_from_nowhere_too() {
    let mut world = two_accounts();
    let ana = world.user(A, "ana");
    let (_, holder) = assume(&mut world, ana, A, "First");
    let (mut second, below) = assume(&mut world, holder, B, "Second");
    let action = revoke(&mut world, role("First"), true);
    world.root(A, action);
    assert_eq!(void(&world, &second, &below), Some(Void::Revoked));
    let gone = Ancestor { account: account("333333333333"), ..second.ancestors[0].clone() };
    second.ancestors = vec![gone];
    assert_eq!(void(&world, &second, &below), Some(Void::AncestorOff));
}

/// Protects accounts from what came, over a chain, from an account that is disabled: it counts nowhere until that is
/// enabled again.
#[test]
fn what_came_from_a_disabled_account_counts_nowhere_until_it_is_enabled() {
    let mut world = two_accounts();
    let ana = world.user(A, "ana");
    let (_, first) = assume(&mut world, ana, A, "First");
    let (second, below) = assume(&mut world, first, B, "Second");
    let (third, last) = assume(&mut world, below.clone(), B, "Second");
    let switch = |world: &mut World, action: AccountAction| {
        world.by(Caller::service(), A, Action::Account(action)).unwrap();
    };
    switch(&mut world, AccountAction::Disable);
    assert_eq!(void(&world, &second, &below), Some(Void::AncestorOff));
    assert_eq!(void(&world, &third, &last), Some(Void::AncestorOff));
    switch(&mut world, AccountAction::Enable);
    assert_eq!(void(&world, &second, &below), None);
    assert_eq!(void(&world, &third, &last), None);
}

/// Protects tokens from growing without end: a chain has a limit.
#[test]
fn a_chain_has_an_end() {
    let mut world = two_accounts();
    let mut holder = world.user(A, "ana");
    for depth in 0..=super::decide::CHAIN_SESSIONS_MAX {
        let (session, next) = assume(&mut world, holder, B, "Second");
        assert_eq!(session.ancestors.len(), depth);
        holder = next;
    }
    let action = world.assume(B, "Second", 3600);
    assert_eq!(world.by(holder, B, action).unwrap_err().code(), "LimitExceeded");
}

fn association(world: &World, id: &InstanceId) -> Association {
    let account = world.state.account(account(A)).unwrap();
    account.instances.get(id).unwrap().association.unwrap()
}

/// Protects an instance: its leaked set is void and a new one is there in the same fact.
#[test]
fn a_revoked_instance_goes_on_with_a_new_set() {
    let mut world = two_accounts();
    let ec2 = Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap();
    world.create_role(A, "Get-pics", &ec2);
    world.create_profile(A, "Get-pics");
    let (id, launch) = world.launch(Some("Get-pics"));
    world.root(A, launch);
    let old = association(&world, &id).credentials.unwrap();
    let action = revoke(&mut world, RevocationTarget::Instance(id.clone()), false);
    let kinds = world.root(A, action);
    let names: Vec<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(names, ["SessionsRevoked", "CredentialsRotated"]);
    let new = association(&world, &id).credentials.unwrap();
    let revocations = |world: &World| world.state.account(account(A)).unwrap().revocations.clone();
    assert!(revocations(&world).void_set(&id, &old));
    assert!(!revocations(&world).void_set(&id, &new));
    assert_eq!(new.epoch, old.epoch + 1);
    // A rotation within that second is not void either.
    let rotate = world.renewal(&id);
    let mut rotation = world.command(A, Caller::service(), rotate);
    rotation.time = Timestamp::from_millis(new.issued_at.as_millis() - 1);
    world.run(&rotation).unwrap();
    let rotated = association(&world, &id).credentials.unwrap();
    assert!(!revocations(&world).void_set(&id, &rotated));
    // What has ended gets nothing new.
    world.root(A, Action::Instance(InstanceAction::Terminate { ids: vec![id.clone()] }));
    let action = revoke(&mut world, RevocationTarget::Instance(id.clone()), true);
    assert_eq!(world.root(A, action).len(), 1);
    assert!(revocations(&world).void_set(&id, &rotated));
}

/// Protects a successor of the same name from what was revoked of a deleted role.
#[test]
fn a_successor_of_the_same_name_is_not_revoked() {
    let mut world = two_accounts();
    let action = revoke(&mut world, role("First"), false);
    world.root(A, action);
    let old = world.state.account(account(A)).unwrap().roles[&*key_of("First")].id.clone();
    let policy = Action::Policy(PolicyAction::DeleteInline {
        owner: of_role("First"),
        name: "main".parse().unwrap(),
    });
    world.root(A, policy);
    world.root(A, Action::Role(RoleAction::Delete { name: "First".parse().unwrap() }));
    world.create_role(A, "First", &trust(r#"{"AWS":"*"}"#));
    let found = world.state.account(account(A)).unwrap();
    let new = found.roles[&*key_of("First")].id.clone();
    let key: AccessKeyId = "ASIAAAAAAAAAAAAAAAAA".parse().unwrap();
    let facts = |id| Facts {
        key: &key,
        principal_id: Some(id),
        issued_at: Timestamp::from_unix_seconds(1),
        instance: None,
    };
    assert!(found.revocations.void(&facts(&old)));
    assert!(!found.revocations.void(&facts(&new)));
}

/// Protects against a leak between two revocations of one second: each reaches over what was issued until
/// then, though that is said to be issued later than it was.
#[test]
fn revocations_of_one_second_each_reach_what_came_before() {
    let mut world = two_accounts();
    let ec2 = Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap();
    world.create_role(A, "Get-pics", &ec2);
    world.create_profile(A, "Get-pics");
    let (id, launch) = world.launch(Some("Get-pics"));
    world.root(A, launch);
    let ana = world.user(A, "ana");
    let now = world.command(A, root(A), Action::Account(AccountAction::Disable)).time;
    let at_once = |world: &mut World, by: Caller, action: Action| {
        let mut command = world.command(A, by, action);
        command.time = now;
        world.run(&command).unwrap()
    };
    let revoke_at_once = |world: &mut World, target: RevocationTarget| {
        let action = revoke(world, target, false);
        at_once(world, root(A), action)
    };
    let is_void = |world: &World, set: &RoleCredentials| {
        world.state.account(account(A)).unwrap().revocations.void_set(&id, set)
    };
    let set = |world: &World| association(world, &id).credentials.unwrap();
    for target in [RevocationTarget::Instance(id.clone()), role("Get-pics")] {
        for _ in 0..2 {
            let before = set(&world);
            revoke_at_once(&mut world, target.clone());
            assert!(is_void(&world, &before), "{target:?}");
            let rotate = world.renewal(&id);
            at_once(&mut world, Caller::service(), rotate);
            assert!(!is_void(&world, &set(&world)), "{target:?}");
        }
    }
    let by_key = RevocationTarget::Session(set(&world).key);
    revoke_at_once(&mut world, by_key);
    assert!(is_void(&world, &set(&world)));
    revoke_at_once(&mut world, role("First"));
    let action = world.assume(A, "First", 3600);
    let kinds = at_once(&mut world, ana, action);
    let EventKind::Session(SessionEvent::Issued { session }) = &kinds[0] else { panic!() };
    let holder = Caller::of_session(account(A), session).unwrap();
    assert_eq!(void(&world, session, &holder), None);
    revoke_at_once(&mut world, role("First"));
    assert_eq!(void(&world, session, &holder), Some(Void::Revoked));
}
