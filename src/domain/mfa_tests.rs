//! MFA devices: whose they are, that a code works once, and that guessing ends.

use super::access::Caller;
use super::command::{Action, SessionAction, UserAction};
use super::event::{EventKind, KeyOwner, SessionEvent};
use super::mfa::{MfaAction, MfaEvent};
use super::rejection::Rejection;
use super::session::{MfaProof, Operation, SessionDraft, SessionRequest};
use super::tags::Tags;
use super::testing::*;
use crate::clock::Timestamp;
use crate::identity::{Arn, Path, base32_id};
use crate::policy::{Policy, PolicyKind};
use crate::signing::ConsecutiveCodes;

const SERIAL: &str = "arn:aws:iam::111111111111:mfa/phone";

fn serial() -> Arn {
    SERIAL.parse().unwrap()
}

fn owner(name: &str) -> KeyOwner {
    KeyOwner::User(name.parse().unwrap())
}

fn mfa(action: MfaAction) -> Action {
    Action::Mfa(action)
}

fn create(world: &mut World) -> Action {
    let id = base32_id("AMFA", world.random()).parse().unwrap();
    let (name, path) = ("phone".parse().unwrap(), Path::default());
    mfa(MfaAction::Create { name, path, id, tags: Tags::default() })
}

fn enable(name: &str, step: u64) -> Action {
    let codes = Some(ConsecutiveCodes { step, drift: 0 });
    mfa(MfaAction::Enable { serial_number: serial(), owner: owner(name), codes })
}

/// Account A with users `ana`, whose device is `phone`, and `bob`.
fn world() -> World {
    let mut world = World::default();
    world.create_account(A);
    world.create_user(A, "ana");
    world.create_user(A, "bob");
    let made = create(&mut world);
    world.root(A, made);
    world.root(A, enable("ana", 100));
    world
}

fn proven(world: &mut World, caller: Caller, step: u64) -> Result<Vec<EventKind>, Rejection> {
    let draft = SessionDraft::plain(base32_id("ASIA", world.random()).parse().unwrap());
    let duration = std::time::Duration::from_secs(3600);
    let proof = MfaProof { serial_number: serial(), step };
    let session = Box::new(SessionRequest { draft, duration, external_id: None, mfa: Some(proof) });
    world.by(
        caller,
        A,
        Action::Session(SessionAction::Issue { operation: Operation::GetSessionToken, session }),
    )
}

fn code(result: Result<Vec<EventKind>, Rejection>) -> &'static str {
    result.unwrap_err().code()
}

/// Protects accounts from a code that was seen: it works once, as do all that are older, also after the
/// device was taken away and assigned again.
#[test]
fn a_code_works_once() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let refused = proven(&mut world, ana.clone(), 100).unwrap_err();
    assert_eq!(
        (refused.code(), refused.to_string().as_str()),
        ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
    );
    let kinds = proven(&mut world, ana.clone(), 101).unwrap();
    let names: Vec<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(names, ["MfaCodeAccepted", "SessionIssued"]);
    let EventKind::Session(SessionEvent::Issued { session }) = &kinds[1] else {
        panic!("no session")
    };
    assert_eq!(session.mfa_at, Some(session.issued_at));
    assert_eq!(code(proven(&mut world, ana.clone(), 101)), "AccessDenied");
    assert_eq!(code(proven(&mut world, ana, 99)), "AccessDenied");
    let deactivate = mfa(MfaAction::Deactivate { serial_number: serial(), owner: owner("ana") });
    world.root(A, deactivate);
    for step in [101, 102] {
        assert_eq!(code(world.by(root(A), A, enable("bob", step))), "InvalidAuthenticationCode");
    }
    world.root(A, enable("bob", 103));
}

/// Protects users: a device serves its owner alone; others, and sessions of roles, are told so alike.
#[test]
fn a_device_serves_its_owner() {
    let mut world = world();
    let told = |result: Result<Vec<EventKind>, Rejection>| result.unwrap_err().to_string();
    let bob = world.user(A, "bob");
    let foreign = told(proven(&mut world, bob.clone(), 200));
    assert!(foreign.contains("associated with this user"), "{foreign}");
    let deactivate = mfa(MfaAction::Deactivate { serial_number: serial(), owner: owner("ana") });
    world.root(A, deactivate);
    world.root(A, mfa(MfaAction::Delete { serial_number: serial() }));
    assert_eq!(told(proven(&mut world, bob, 200)), foreign);
    assert_eq!(told(proven(&mut world, root(A), 200)), foreign);
}

/// Protects accounts from guessing: five wrong codes in a quarter of an hour, and not even the right one is
/// taken until it is over; the note of it stops as well, so that the log does not fill.
#[test]
fn guessing_ends() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let wrong = || mfa(MfaAction::RefuseCode { serial_number: serial() });
    for _ in 0..4 {
        assert_eq!(world.by(ana.clone(), A, wrong()).unwrap().len(), 1);
    }
    proven(&mut world, ana.clone(), 200).unwrap();
    for _ in 0..5 {
        assert_eq!(world.by(ana.clone(), A, wrong()).unwrap().len(), 1, "a right code begins anew");
    }
    assert!(world.by(ana.clone(), A, wrong()).unwrap().is_empty());
    let locked = proven(&mut world, ana.clone(), 201).unwrap_err();
    assert!(locked.to_string().contains("too many invalid"), "{locked}");
    let bob = world.user(A, "bob");
    assert!(world.by(bob, A, wrong()).unwrap().is_empty(), "nobody locks another's device");

    let draft = SessionDraft::plain(base32_id("ASIA", world.random()).parse().unwrap());
    let duration = std::time::Duration::from_secs(3600);
    let proof = MfaProof { serial_number: serial(), step: 202 };
    let session = Box::new(SessionRequest { draft, duration, external_id: None, mfa: Some(proof) });
    let action =
        Action::Session(SessionAction::Issue { operation: Operation::GetSessionToken, session });
    let mut later = world.command(A, ana, action);
    later.time = Timestamp::from_unix_seconds(later.time.as_unix_seconds() + 900);
    world.run(&later).unwrap();
}

/// Protects administration: who may, what is in the way, and that wrong codes enable nothing.
#[test]
fn devices_are_administered() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let again = create(&mut world);
    assert_eq!(code(world.by(ana.clone(), A, again.clone())), "AccessDenied");
    assert_eq!(code(world.by(root(A), A, again)), "EntityAlreadyExists");
    assert_eq!(code(world.by(root(A), A, enable("bob", 300))), "EntityAlreadyExists");
    let delete = mfa(MfaAction::Delete { serial_number: serial() });
    assert_eq!(code(world.by(root(A), A, delete)), "DeleteConflict");
    let user = Action::User(UserAction::Delete { name: "ana".parse().unwrap() });
    assert_eq!(code(world.by(root(A), A, user)), "DeleteConflict");
    let of_bob = mfa(MfaAction::Deactivate { serial_number: serial(), owner: owner("bob") });
    assert_eq!(code(world.by(root(A), A, of_bob)), "NoSuchEntity");
    let wrong = MfaAction::Resync { serial_number: serial(), owner: owner("ana"), codes: None };
    assert_eq!(code(world.by(root(A), A, mfa(wrong))), "InvalidAuthenticationCode");
    let codes = Some(ConsecutiveCodes { step: 500, drift: 9 });
    let resync = MfaAction::Resync { serial_number: serial(), owner: owner("ana"), codes };
    let kinds = world.root(A, mfa(resync));
    assert!(
        matches!(&kinds[0], EventKind::Mfa(MfaEvent::Resynced { codes, .. }) if codes.drift == 9)
    );
    assert_eq!(code(proven(&mut world, ana, 500)), "AccessDenied");
}

/// Protects roles that ask for MFA: a code that comes with the request counts for the trust policy.
#[test]
fn a_code_counts_for_the_request() {
    let mut world = world();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
        "Principal":{"AWS":"arn:aws:iam::111111111111:user/ana"},"Action":"sts:AssumeRole",
        "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},
            "NumericLessThan":{"aws:MultiFactorAuthAge":"60"}}}}"#;
    world.create_role(A, "safe", &Policy::parse(trust, PolicyKind::Trust).unwrap());
    let ana = world.user(A, "ana");
    let bare = world.assume(A, "safe", 3600);
    assert_eq!(code(world.by(ana.clone(), A, bare)), "AccessDenied");
    let mut with_code = world.assume(A, "safe", 3600);
    if let Action::Session(SessionAction::Issue { session, .. }) = &mut with_code {
        session.mfa = Some(MfaProof { serial_number: serial(), step: 200 });
    }
    let kinds = world.by(ana, A, with_code).unwrap();
    let EventKind::Session(SessionEvent::Issued { session }) = &kinds[1] else {
        panic!("no session")
    };
    assert_eq!(session.mfa_at, None, "a role's session carries none of it");
}
