//! The rules of STS: durations, chains, tags, source identities, federation, web identities, and how much a
//! session may hold.

use std::sync::Arc;
use std::time::Duration;

use super::access::{Caller, Question, judge};
use super::command::{Action, PolicyAction, SessionAction, TagAction, UserAction};
use super::decide::explain_assume_role;
use super::entity::TagOwner;
use super::event::{EventKind, SessionEvent};
use super::oidc::{KeySource, OidcAction, OidcProvider};
use super::rejection::Rejection;
use super::session::{Operation, ProvenIdentity, Session, SessionDraft, SessionRequest};
use super::tags::Tags;
use super::testing::*;
use crate::identity::{Arn, Principal, Subject, WebIdentity, base32_id};
use crate::policy::{Context, Miss, Policy, PolicyKind, Trace, Verdict};

/// Account A with a user `ana` who may assume everything, and roles `one` and `two` that trust the account
/// and each other.
fn world() -> World {
    let mut world = World::default();
    world.create_account(A);
    world.create_account(B);
    world.create_user(A, "ana");
    let sts = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
    world.put_policy(A, of_user("ana"), allow(&sts, "*"));
    for role in ["one", "two"] {
        world.create_role(A, role, &trusting(r#"{"AWS":"111111111111"}"#));
        world.put_policy(A, of_role(role), allow(&["sts:*", "s3:*"], "*"));
    }
    world
}

fn trusting(principal: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":"sts:*"}}}}"#
    );
    Policy::parse(&text, PolicyKind::Trust).unwrap()
}

fn request(action: &mut Action) -> &mut SessionRequest {
    let Action::Session(SessionAction::Issue { session, .. }) = action else {
        panic!("no session is asked for")
    };
    session
}

fn issued(kinds: Result<Vec<EventKind>, Rejection>) -> Session {
    let session = kinds.unwrap().into_iter().find_map(|kind| {
        let EventKind::Session(SessionEvent::Issued { session }) = kind else { return None };
        Some(session)
    });
    session.unwrap()
}

/// The bearer of a session's credentials.
fn bearer(session: &Session) -> Caller {
    let caller = Caller::of_session(account(A), session).unwrap();
    Caller { key: Some(session.key.clone()), ..caller }
}

fn told(kinds: Result<Vec<EventKind>, Rejection>, code: &str) -> String {
    let rejection = kinds.unwrap_err();
    assert_eq!(rejection.code(), code, "{rejection}");
    rejection.to_string()
}

/// A session of `caller` for `role`, as `change` makes the request.
fn assume(
    world: &mut World,
    caller: &Caller,
    role: &str,
    change: impl FnOnce(&mut SessionRequest),
) -> Result<Vec<EventKind>, Rejection> {
    let mut action = world.assume(A, role, 3600);
    change(request(&mut action));
    world.by(caller.clone(), A, action)
}

fn tagged(request: &mut SessionRequest, tags: &[(&str, &str)], transitive: &[&str]) {
    request.draft.tags = tags.iter().map(|(k, v)| (Arc::from(*k), Arc::from(*v))).collect();
    request.draft.transitive_tag_keys = transitive.iter().map(|k| Arc::from(*k)).collect();
}

fn of_sts(
    world: &mut World,
    caller: Caller,
    operation: Operation,
) -> Result<Vec<EventKind>, Rejection> {
    let draft = SessionDraft::plain(base32_id("ASIA", world.random()).parse().unwrap());
    let duration = Duration::from_secs(3600);
    let session = Box::new(SessionRequest { draft, duration, external_id: None, mfa: None });
    world.by(caller, A, Action::Session(SessionAction::Issue { operation, session }))
}

fn may(world: &World, caller: &Caller, action: &str, resource: &str) -> bool {
    let question = Question {
        caller,
        action,
        resource,
        resource_account: Some(account(A)),
        resource_policy: None,
        role_trust: false,
        time: crate::clock::Timestamp::from_unix_seconds(1_764_000_100),
    };
    judge(&world.state, &question, &Context::default()).verdict() == Verdict::Allow
}

/// Protects roles: whom a policy lets assume those with a tag assumes no other.
#[test]
fn a_role_is_known_by_its_tags() {
    let mut world = world();
    world.create_user(A, "bob");
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*",
        "Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}}"#;
    world.put_policy(A, of_user("bob"), Policy::parse(text, PolicyKind::Identity).unwrap());
    let (owner, tags) =
        (TagOwner::Role("one".parse().unwrap()), Tags::of_request([("team", "red")]).unwrap());
    world.root(A, Action::Tag(TagAction::Tag { owner, tags }));
    let bob = world.user(A, "bob");
    issued(assume(&mut world, &bob, "one", |_| ()));
    told(assume(&mut world, &bob, "two", |_| ()), "AccessDenied");
}

fn explained(world: &mut World, caller: &Caller, account: &str, role: &str) -> Trace {
    let mut action = world.assume(account, role, 3600);
    let asked = request(&mut action).clone();
    let command = world.command(account, caller.clone(), action);
    let arn = format!("arn:aws:iam::{account}:role/{role}").parse().unwrap();
    let traces = explain_assume_role(&world.state, &command, &arn, &asked).unwrap();
    traces.into_iter().next().unwrap().1
}

/// Protects who asks before they act: what is explained is what is decided, by the tags of the role; those of another
/// account's role are not told, and to whom it does not admit it has none.
#[test]
fn a_role_is_explained_by_its_tags() {
    let mut world = world();
    let bob = world.create_user(A, "bob");
    world.create_role(B, "one", &trusting(r#"{"AWS":"111111111111"}"#));
    world.create_role(B, "shut", &trusting(r#"{"AWS":"222222222222"}"#));
    for (account, role) in [(A, "one"), (B, "one"), (B, "shut")] {
        let owner = TagOwner::Role(role.parse().unwrap());
        let tags = Tags::of_request([("team", "red")]).unwrap();
        world.root(account, Action::Tag(TagAction::Tag { owner, tags }));
    }
    let roles = [(A, "one"), (A, "two"), (B, "one"), (B, "shut")];
    let mut with_team = |team: &str| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*",
            "Condition":{{"StringEquals":{{"aws:ResourceTag/team":"{team}"}}}}}}}}"#
        );
        let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
        world.put_policy(A, of_user("bob"), policy);
        roles.map(|(account, role)| explained(&mut world, &bob, account, role))
    };
    let allowed = with_team("red").map(|trace| trace.decision.verdict() == Verdict::Allow);
    assert_eq!(allowed, [true, false, true, false]);
    let given = with_team("blue").map(|trace| {
        let mut statements = trace.policies.into_iter().flat_map(|policy| policy.statements);
        let given = statements.find_map(|statement| match statement.miss {
            Some(Miss::Condition { given, .. }) => Some(given),
            _ => None,
        });
        given.unwrap()
    });
    assert_eq!(given, [Some(vec!["red".to_owned()]), None, None, None]);
}

/// Protects roles: a session is as long as the role lets it be; asking for more fails and is not cut.
#[test]
fn a_session_is_no_longer_than_its_role_allows() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let longer = assume(&mut world, &ana, "one", |r| r.duration = Duration::from_secs(7201));
    assert_eq!(
        told(longer, "ValidationError"),
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let session =
        issued(assume(&mut world, &ana, "one", |r| r.duration = Duration::from_secs(7200)));
    assert_eq!(session.expires_at.since(session.issued_at), Duration::from_secs(7200));
    assert_eq!((session.chain_depth, session.parent), (0, None));
}

/// Protects users who are given another name: their sessions keep the permissions and tags of the user, by
/// unique id; a new user of the old name lends them nothing.
#[test]
fn sessions_of_a_renamed_user_go_on() {
    let mut world = world();
    world.put_policy(A, of_user("ana"), allow(&["s3:*", "sts:*"], "*"));
    let ana = world.user(A, "ana");
    let holder = |session| Caller::of_session(account(A), &session).unwrap();
    let own = issued(of_sts(&mut world, ana.clone(), Operation::GetSessionToken));
    let guest = Operation::GetFederationToken("guest".parse().unwrap());
    let mut guest = issued(of_sts(&mut world, ana, guest));
    guest.policy = Some(Arc::from(allow(&["s3:*"], "*").text()));
    let sessions = [holder(own), holder(guest)];
    let all = |world: &World| sessions.each_ref().map(|s| may(world, s, "s3:GetObject", "*"));
    assert_eq!(all(&world), [true, true]);
    let name = "ana".parse().unwrap();
    let (new_name, new_path) = (Some("eve".parse().unwrap()), None);
    let update = UserAction::Update { name, new_name, new_path };
    world.root(A, Action::User(update));
    assert_eq!(all(&world), [true, true]);
    world.create_user(A, "ana");
    assert_eq!(all(&world), [true, true]);
    let (owner, name) = (of_user("eve"), "main".parse().unwrap());
    world.root(A, Action::Policy(PolicyAction::DeleteInline { owner, name }));
    world.put_policy(A, of_user("ana"), allow(&["s3:*"], "*"));
    assert_eq!(all(&world), [false, false]);
}

/// Protects the hour of chains: whatever kind of temporary credentials assumes a role, it gets an hour.
#[test]
fn chains_get_an_hour_whatever_begins_them() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let of_role = issued(assume(&mut world, &ana, "one", |_| {}));
    let of_user = issued(of_sts(&mut world, ana, Operation::GetSessionToken));
    let mut of_instance = of_role.clone();
    of_instance.subject = match of_instance.subject {
        Subject::Role { role, path, role_id, .. } => {
            Subject::Role { role, path, role_id, session: "i-0123456789abcdef0".parse().unwrap() }
        }
        other => other,
    };
    for first in [of_role, of_user, of_instance] {
        let caller = bearer(&first);
        let two_hours = |r: &mut SessionRequest| r.duration = Duration::from_secs(7200);
        let longer = assume(&mut world, &caller, "two", two_hours);
        assert_eq!(
            told(longer, "ValidationError"),
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
             chaining."
        );
        let second = issued(assume(&mut world, &caller, "two", |_| {}));
        assert_eq!((second.chain_depth, second.parent), (1, Some(first.key)));
    }
}

/// Protects revocation from chains without an end.
#[test]
fn a_chain_ends_at_its_depth() {
    let mut world = world();
    let mut caller = world.user(A, "ana");
    for depth in 0..=8 {
        let session = issued(assume(&mut world, &caller, "one", |_| {}));
        assert_eq!(session.chain_depth, depth);
        caller = bearer(&session);
    }
    told(assume(&mut world, &caller, "one", |_| {}), "LimitExceeded");
}

/// Protects tags that permissions hang on: transitive ones go through the whole chain and cannot be set
/// again in any case, others end with their session.
#[test]
fn transitive_tags_go_through_the_chain() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let first = issued(assume(&mut world, &ana, "one", |r| {
        tagged(r, &[("Team", "blue"), ("shift", "night")], &["team"]);
    }));
    assert_eq!(first.transitive_tag_keys, [Arc::from("Team")]);
    let caller = bearer(&first);
    let second = issued(assume(&mut world, &caller, "two", |r| tagged(r, &[("area", "7")], &[])));
    let tags: Vec<_> = second.tags.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(tags, [("Team", "blue"), ("area", "7")]);
    let third = issued(assume(&mut world, &bearer(&second), "one", |_| {}));
    assert_eq!(third.tags.len(), 1);
    let again = assume(&mut world, &caller, "two", |r| tagged(r, &[("TEAM", "red")], &[]));
    assert!(told(again, "InvalidParameterValue").contains("conflicts with a transitive tag key"));
    let twice = assume(&mut world, &ana, "one", |r| tagged(r, &[("k", "1"), ("K", "2")], &[]));
    assert!(told(twice, "InvalidParameterValue").contains("Duplicate tag keys"));
    let reserved = assume(&mut world, &ana, "one", |r| tagged(r, &[("AWS:k", "1")], &[]));
    told(reserved, "InvalidParameterValue");
    let absent = assume(&mut world, &ana, "one", |r| tagged(r, &[("k", "1")], &["other"]));
    told(absent, "ValidationError");
}

/// Protects the trail of who acts: a source identity stays through the chain and cannot be changed.
#[test]
fn a_source_identity_stays() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let source = |text: &str| Some(text.parse().unwrap());
    let first =
        issued(assume(&mut world, &ana, "one", |r| r.draft.source_identity = source("ana")));
    let caller = bearer(&first);
    let second = issued(assume(&mut world, &caller, "two", |_| {}));
    assert_eq!(second.source_identity, source("ana"));
    let same = assume(&mut world, &caller, "two", |r| r.draft.source_identity = source("ana"));
    assert_eq!(issued(same).source_identity, source("ana"));
    let other = assume(&mut world, &caller, "two", |r| r.draft.source_identity = source("bob"));
    assert!(told(other, "AccessDenied").contains("sts:SetSourceIdentity"));
}

/// Protects the log and callers: a session whose policies and tags fit no token is refused before anything is
/// written, with the percentage; so are policies that are too long or another account's.
#[test]
fn a_session_that_fits_no_token_is_not_issued() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let facts = world.facts.len();
    let many: Vec<_> = (0..50).map(|n| (format!("key-{n}"), "v".repeat(200))).collect();
    let many: Vec<_> = many.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let refused = assume(&mut world, &ana, "one", |r| tagged(r, &many, &[]));
    assert_eq!(
        told(refused, "PackedPolicyTooLarge"),
        "Packed policy consumes 485% of allotted space, please use smaller policy."
    );
    let policy = |text: String| Some(Policy::parse(&text, PolicyKind::Session).unwrap());
    let long = format!(
        r#"{{"Statement":{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::{}"}}}}"#,
        "b".repeat(2048)
    );
    let refused = assume(&mut world, &ana, "one", |r| r.draft.policy = policy(long));
    assert!(told(refused, "ValidationError").contains("2048 are allowed"));
    let foreign = "arn:aws:iam::222222222222:policy/p".parse().unwrap();
    let refused = assume(&mut world, &ana, "one", |r| r.draft.policy_arns = vec![foreign]);
    told(refused, "ValidationError");
    assert_eq!(world.facts.len(), facts);
}

/// Protects accounts: sessions of GetSessionToken are of no use for IAM without MFA, and for no operation of
/// STS but AssumeRole and GetCallerIdentity; they beget no further ones.
#[test]
fn sessions_of_users_are_limited() {
    let mut world = world();
    world.put_policy(A, of_user("ana"), allow(&["*"], "*"));
    let ana = world.user(A, "ana");
    let session = issued(of_sts(&mut world, ana, Operation::GetSessionToken));
    let caller = bearer(&session);
    assert_eq!(caller.principal.arn().as_ref(), "arn:aws:iam::111111111111:user/ana");
    for (action, expected) in [
        ("s3:GetObject", true),
        ("iam:ListUsers", false),
        ("sts:GetFederationToken", false),
        ("sts:DecodeAuthorizationMessage", false),
        ("sts:GetCallerIdentity", true),
        ("sts:AssumeRole", true),
        ("sts:TagSession", true),
    ] {
        assert_eq!(may(&world, &caller, action, "*"), expected, "{action}");
    }
    let with_mfa = Session { mfa_at: Some(session.issued_at), ..session };
    assert!(may(&world, &bearer(&with_mfa), "iam:ListUsers", "*"));
    assert!(!may(&world, &bearer(&with_mfa), "sts:GetFederationToken", "*"));
    let again = of_sts(&mut world, caller.clone(), Operation::GetSessionToken);
    assert_eq!(told(again, "AccessDenied"), "Cannot call GetSessionToken with session credentials");
    let federated =
        of_sts(&mut world, caller, Operation::GetFederationToken("guest".parse().unwrap()));
    assert_eq!(
        told(federated, "AccessDenied"),
        "Cannot call GetFederationToken with session credentials"
    );
    let root = issued(of_sts(&mut world, root(A), Operation::GetSessionToken));
    assert!(!may(&world, &bearer(&root), "iam:ListUsers", "*"));
    assert!(may(&world, &bearer(&root), "s3:GetObject", "*"));
}

/// Protects accounts: a federated user may do what both the user who asked and the policies of the session
/// allow, nothing without policies, and nothing of IAM and STS; it does no more when the user may do less.
#[test]
fn federated_users_may_what_both_sides_allow() {
    let mut world = world();
    let guest = || Operation::GetFederationToken("guest".parse().unwrap());
    let ana = world.user(A, "ana");
    told(of_sts(&mut world, ana.clone(), guest()), "AccessDenied");
    world.put_policy(A, of_user("ana"), allow(&["sts:*", "s3:*"], "*"));
    let bare = issued(of_sts(&mut world, ana, guest()));
    let caller = bearer(&bare);
    assert_eq!(caller.principal.arn().as_ref(), "arn:aws:sts::111111111111:federated-user/guest");
    assert_eq!(caller.principal.user_id(), "111111111111:guest");
    assert!(!may(&world, &caller, "s3:GetObject", "*"));
    assert!(may(&world, &caller, "sts:GetCallerIdentity", "*"));

    let everything = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let with =
        |session: &Session| Session { policy: Some(Arc::from(everything)), ..session.clone() };
    let caller = bearer(&with(&bare));
    assert!(may(&world, &caller, "s3:GetObject", "*"));
    assert!(!may(&world, &caller, "ec2:RunInstances", "*"), "ana may not");
    for action in ["iam:ListUsers", "sts:AssumeRole", "sts:GetSessionToken"] {
        assert!(!may(&world, &caller, action, "*"), "{action}");
    }
    world.put_policy(A, of_user("ana"), allow(&["sts:*"], "*"));
    assert!(!may(&world, &caller, "s3:GetObject", "*"));

    let of_root = issued(of_sts(&mut world, root(A), guest()));
    assert!(may(&world, &bearer(&with(&of_root)), "ec2:RunInstances", "*"));
    assert!(!may(&world, &bearer(&of_root), "ec2:RunInstances", "*"));
    let chained = world.assume(A, "one", 3600);
    told(world.by(bearer(&with(&of_root)), A, chained), "AccessDenied");
}

const ISSUER: &str = "https://id.example.com/a";

fn provider() -> OidcProvider {
    OidcProvider {
        issuer: ISSUER.parse().unwrap(),
        client_ids: vec![Arc::from("app")],
        thumbprints: Vec::new(),
        keys: KeySource::Discovery,
    }
}

fn web(world: &mut World, subject: &str, audience: &str) -> Result<Vec<EventKind>, Rejection> {
    let arn = Arn::oidc_provider(account(A), &ISSUER.parse().unwrap());
    let principal = Principal::Federated(Arc::from(arn.as_str()));
    let caller = Caller { principal, ..Caller::anonymous() };
    let role = "arn:aws:iam::111111111111:role/web".parse().unwrap();
    let proven = ProvenIdentity {
        identity: WebIdentity {
            issuer: Arc::from("id.example.com/a"),
            subject: Arc::from(subject),
            audience: Arc::from(audience),
        },
        audiences: vec![audience.to_owned()],
        methods: vec!["mfa".to_owned(), "pwd".to_owned()],
        claims: Vec::new(),
        role_authorized: false,
    };
    let operation = Operation::AssumeRoleWithWebIdentity(role, Box::new(proven));
    let mut action = world.assume(A, "web", 3600);
    let Action::Session(SessionAction::Issue { operation: asked, .. }) = &mut action else {
        panic!("no session")
    };
    *asked = operation;
    world.by(caller, A, action)
}

/// Protects roles: the holder of a token assumes only a role whose trust policy names the provider and whose
/// conditions the token meets, as long as the provider is registered; strangers are told nothing more.
#[test]
fn web_identities_assume_what_trusts_them() {
    let mut world = world();
    let refused = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    assert_eq!(told(web(&mut world, "ana", "app"), "AccessDenied"), refused);
    world.root(A, Action::Oidc(OidcAction::Create(provider(), Tags::default())));
    assert_eq!(told(web(&mut world, "ana", "app"), "AccessDenied"), refused, "there is no role");
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
        "Principal":{"Federated":"arn:aws:iam::111111111111:oidc-provider/id.example.com/a"},
        "Action":"sts:AssumeRoleWithWebIdentity",
        "Condition":{"StringEquals":{"id.example.com/a:aud":"app"},
            "StringLike":{"id.example.com/a:sub":"an*"},
            "ForAnyValue:StringEquals":{"id.example.com/a:amr":"mfa"}}}}"#;
    world.create_role(A, "web", &Policy::parse(trust, PolicyKind::Trust).unwrap());
    assert_eq!(told(web(&mut world, "bob", "app"), "AccessDenied"), refused);
    assert_eq!(told(web(&mut world, "ana", "other"), "AccessDenied"), refused);
    let session = issued(web(&mut world, "ana", "app"));
    let identity = session.web_identity.clone().unwrap();
    assert_eq!((&*identity.subject, &*identity.audience), ("ana", "app"));

    // The session's own policies can ask for the same keys.
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::home/${id.example.com/a:sub}/*","Condition":{"StringEquals":{
        "aws:FederatedProvider":"arn:aws:iam::111111111111:oidc-provider/id.example.com/a"}}}}"#;
    world.put_policy(A, of_role("web"), Policy::parse(text, PolicyKind::Identity).unwrap());
    assert!(may(&world, &bearer(&session), "s3:GetObject", "arn:aws:s3:::home/ana/x"));
    assert!(!may(&world, &bearer(&session), "s3:GetObject", "arn:aws:s3:::home/bob/x"));

    let without = OidcProvider { client_ids: vec![Arc::from("other")], ..provider() };
    world.root(A, Action::Oidc(OidcAction::Update(without)));
    assert_eq!(told(web(&mut world, "ana", "app"), "AccessDenied"), refused);
    world.root(A, Action::Oidc(OidcAction::Delete(ISSUER.parse().unwrap())));
    assert_eq!(told(web(&mut world, "ana", "app"), "AccessDenied"), refused);
}

/// Protects accounts: providers keep to their limits and are administered by who may.
#[test]
fn providers_keep_to_their_limits() {
    let mut world = world();
    let ana = world.user(A, "ana");
    let create = |provider| Action::Oidc(OidcAction::Create(provider, Tags::default()));
    told(world.by(ana, A, create(provider())), "AccessDenied");
    let bad = [
        (OidcProvider { client_ids: vec![Arc::from(""); 1], ..provider() }, "ValidationError"),
        (OidcProvider { client_ids: vec![Arc::from("x"); 101], ..provider() }, "LimitExceeded"),
        (OidcProvider { thumbprints: vec![Arc::from("zz")], ..provider() }, "ValidationError"),
        (
            OidcProvider { thumbprints: vec![Arc::from("a".repeat(40)); 6], ..provider() },
            "LimitExceeded",
        ),
    ];
    for (provider, code) in bad {
        told(world.by(root(A), A, create(provider)), code);
    }
    world.root(A, create(provider()));
    told(world.by(root(A), A, create(provider())), "EntityAlreadyExists");
    told(
        world.by(root(B), B, Action::Oidc(OidcAction::Delete(ISSUER.parse().unwrap()))),
        "NoSuchEntity",
    );
}
