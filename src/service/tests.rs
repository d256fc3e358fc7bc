//! What authentication promises: credentials work until they end, for whom they were made, and no others.

use std::time::Duration;

use super::*;
use crate::domain::access::{Permission, Resource};
use crate::domain::command::{
    AccessKeyAction, AccountAction, Action, PolicyAction, ProfileAction, RevocationTarget,
    RoleAction, SessionAction,
};
use crate::domain::event::{AccessKeyEvent, EventKind, KeyOwner, SessionEvent};
use crate::domain::tags::Tags;
use crate::domain::testing::{TRUST_EC2, allow, of_role};
use crate::identity::{Arn, Path, Principal, Subject, UniqueId};
use crate::policy::{Policy, PolicyKind};
use crate::signing::grpc::{Call, CallSigner, sign_call};
use crate::signing::{Claims, seal};

const PATH: &str = "/locum.v1.StsService/GetCallerIdentity";
const START: i64 = 1_764_000_000;

/// A service with a clock that is set by hand.
pub(crate) struct Desk {
    pub(crate) service: Arc<Service>,
    time: Arc<std::sync::atomic::AtomicI64>,
    _writer: crate::ledger::WriterHandle,
    _folder: tempfile::TempDir,
}

pub(crate) fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(std::sync::atomic::AtomicI64::new(START * 1000));
    let (service, writer) = testing::service(folder.path(), Clock::Manual(time.clone()));
    Desk { service, time, _writer: writer, _folder: folder }
}

impl Desk {
    async fn own(&self, account: AccountId, action: Action) -> Vec<EventKind> {
        let info = self.service.own_request("test");
        let receipt = self.service.perform(&info, "", account, action).await.unwrap();
        receipt.fact.unwrap().events.iter().map(|event| event.kind.clone()).collect()
    }

    pub(crate) async fn account(&self, id: &str) -> (AccountId, AccessKeyId) {
        let id: AccountId = id.parse().unwrap();
        let action = self.service.draw_account(id, "test").unwrap();
        let kinds = self.own(id, action).await;
        let EventKind::AccessKey(AccessKeyEvent::Created { key, owner: KeyOwner::Root }) =
            &kinds[1]
        else {
            panic!()
        };
        (id, key.clone())
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.time.fetch_add(seconds * 1000, std::sync::atomic::Ordering::SeqCst);
    }

    /// Signs a call and has it authenticated.
    fn call(&self, key: &str, secret: &str, token: Option<&str>) -> Result<Caller, AuthError> {
        let secret = crate::signing::Secret::new(secret);
        let signer = CallSigner {
            access_key: key,
            secret: &secret,
            session_token: token,
            region: "us-east-1",
        };
        let added = sign_call(&signer, "locum:7400", PATH, b"", self.service.clock_time());
        let metadata: Vec<_> = added.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let call = Call::new("locum:7400", PATH, metadata.iter().copied(), b"");
        self.service.authenticate_call(&call)
    }

    /// Launches an instance with a role, and gives its first set.
    pub(crate) async fn instance_credentials(&self, account: AccountId) -> IssuedCredentials {
        let role: crate::identity::RoleName = "Get-pics".parse().unwrap();
        let profile: crate::identity::ProfileName = "Get-pics".parse().unwrap();
        let service = &self.service;
        self.own(
            account,
            Action::Role(RoleAction::Create {
                name: role.clone(),
                path: Path::default(),
                id: service.draw_id("AROA").unwrap(),
                description: Arc::from(""),
                max_session: Duration::from_secs(3600),
                trust: Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap(),
                tags: Tags::default(),
                boundary: None,
            }),
        )
        .await;
        let id = service.draw_id("AIPA").unwrap();
        self.own(
            account,
            Action::Profile(ProfileAction::Create {
                name: profile.clone(),
                path: Path::default(),
                id,
                tags: Tags::default(),
            }),
        )
        .await;
        self.own(account, Action::Profile(ProfileAction::AddRole { profile, role })).await;
        let mut world = crate::domain::testing::World::default();
        // Ids that differ from account to account.
        for _ in 0..account.get() % 5 {
            world.random::<1>();
        }
        let (id, launch) = world.launch(Some("Get-pics"));
        self.own(account, launch).await;
        let view = service.view();
        let account = view.state.account(account).unwrap();
        let instance = account.instances.get(&id).unwrap();
        let credentials = instance.association.as_ref().unwrap().credentials.clone().unwrap();
        let delivery = crate::identity::RoleDelivery::Version2;
        service.role_credentials(account, &instance, &credentials, delivery).unwrap()
    }
}

/// Protects callers: a long-term key authenticates its owner, with its own secret only, while it is on.
#[tokio::test]
async fn a_long_term_key_authenticates_its_owner() {
    let desk = desk();
    let (id, key) = desk.account("111111111111").await;
    let view = desk.service.view();
    let secret = desk.service.secret_of(view.state.account(id).unwrap(), &key).unwrap();
    let caller = desk.call(key.as_str(), secret.expose(), None).unwrap();
    assert_eq!(caller.principal, Principal::Root { account: id });
    let wrong = desk.call(key.as_str(), "wrong", None).unwrap_err();
    assert_eq!(wrong.code(), "SignatureDoesNotMatch");
    let unknown = desk.call("AKIAZZZZZZZZZZZZZZZZ", secret.expose(), None).unwrap_err();
    assert_eq!(unknown.code(), "InvalidClientTokenId");
    // A wrong secret is not remembered, nor does it pass for what is.
    assert_eq!(desk.call(key.as_str(), "wrong", None).unwrap_err(), wrong);
    assert!(desk.call(key.as_str(), secret.expose(), None).is_ok());
    desk.own(
        id,
        Action::AccessKey(AccessKeyAction::Update {
            owner: KeyOwner::Root,
            key: key.clone(),
            active: false,
        }),
    )
    .await;
    let off = desk.call(key.as_str(), secret.expose(), None).unwrap_err();
    assert_eq!(off, unknown);
}

/// Protects sessions: they work until they end; a token of another session or account does not.
#[tokio::test]
async fn a_session_works_until_it_ends() {
    let desk = desk();
    let (a, _) = desk.account("111111111111").await;
    let (b, _) = desk.account("222222222222").await;
    let of_a = desk.instance_credentials(a).await;
    let of_b = desk.instance_credentials(b).await;
    let token = of_a.token.expose();
    let caller = desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(token)).unwrap();
    assert!(
        caller.principal.arn().starts_with("arn:aws:sts::111111111111:assumed-role/Get-pics/i-")
    );
    assert!(caller.session.unwrap().instance.is_some());
    let foreign = desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(of_b.token.expose()));
    assert_eq!(foreign.unwrap_err().code(), "InvalidClientTokenId");
    let without = desk.call(of_a.key.as_str(), of_a.secret.expose(), None);
    assert_eq!(without.unwrap_err().code(), "InvalidClientTokenId");
    desk.advance(3599);
    assert!(desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(token)).is_ok());
    desk.advance(1);
    let ended = desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(token));
    assert_eq!(ended.unwrap_err().code(), "ExpiredToken");
}

/// Protects from a clock that goes back: what has ended does not come back, what is revoked then is revoked, and requests
/// are still signed by the time that the clock says.
#[tokio::test]
async fn nothing_that_ended_comes_back_with_the_clock() {
    let desk = desk();
    let (a, root) = desk.account("111111111111").await;
    let first = desk.instance_credentials(a).await;
    let call = |set: &IssuedCredentials| {
        desk.call(set.key.as_str(), set.secret.expose(), Some(set.token.expose()))
    };
    desk.advance(3600);
    assert_eq!(call(&first).unwrap_err(), AuthError::ExpiredToken);
    // Something happens at this time.
    desk.account("222222222222").await;
    desk.advance(-1800);
    assert_eq!(call(&first).unwrap_err(), AuthError::ExpiredToken);
    let second = desk.service.now();
    let minting = desk.service.draw_minting().unwrap();
    let target = RevocationTarget::Role("Get-pics".parse().unwrap());
    let action =
        Action::Session(SessionAction::Revoke { target, before: None, chained: false, minting });
    let kinds = desk.own(a, action).await;
    let EventKind::Session(SessionEvent::Revoked { before, .. }) = &kinds[0] else { panic!() };
    assert!(*before > second, "the cut-off is after the newest record");
    let account_key = desk.service.view().state.account(a).unwrap().key.clone();
    let secret = desk.service.account_key(a, &account_key).unwrap().secret(&root);
    assert!(desk.call(root.as_str(), secret.expose(), None).is_ok());
}

/// Protects a disabled account: its sessions authenticate nobody.
#[tokio::test]
async fn a_disabled_account_authenticates_nobody() {
    let desk = desk();
    let (a, _) = desk.account("111111111111").await;
    let of_a = desk.instance_credentials(a).await;
    // Seen before, so that the signer is remembered.
    assert!(desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(of_a.token.expose())).is_ok());
    desk.own(a, Action::Account(AccountAction::Disable)).await;
    let refused =
        desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(of_a.token.expose())).unwrap_err();
    assert_eq!(refused, AuthError::AccountDisabled);
}

/// Protects an installation from being started with another one's keyring.
#[tokio::test]
async fn a_wrong_keyring_is_refused() {
    let desk = desk();
    desk.service.ensure_operator().await.unwrap();
    let other = Arc::new(Keyring::generate(&SystemRandom::new()).unwrap());
    let ledger = desk.service.ledger().clone();
    let settings = desk.service.settings().clone();
    assert!(Service::new(ledger, other, Clock::System, settings).is_err());
}

/// Protects the rule that a session may do what its role may do now.
#[tokio::test]
async fn a_change_of_the_role_works_at_once() {
    let desk = desk();
    let (a, _) = desk.account("111111111111").await;
    let of_a = desk.instance_credentials(a).await;
    let token = of_a.token.expose();
    let caller = desk.call(of_a.key.as_str(), of_a.secret.expose(), Some(token)).unwrap();
    let ask = Ask {
        action: "s3:GetObject".to_owned(),
        resource: "arn:aws:s3:::photos/cat".to_owned(),
        resource_account: None,
        resource_policy: None,
        context: crate::policy::Context::default(),
    };
    let may = || {
        let judged = desk.service.judge(&desk.service.view().state, &caller, &ask);
        judged.trace.decision.verdict() == crate::policy::Verdict::Allow
    };
    assert!(!may());
    let policy = allow(&["s3:Get*"], "arn:aws:s3:::photos/*");
    let name = "read".parse().unwrap();
    desk.own(
        a,
        Action::Policy(PolicyAction::PutInline { owner: of_role("Get-pics"), name, policy }),
    )
    .await;
    assert!(may());
    let role = Arn::parse("arn:aws:iam::111111111111:role/Get-pics").unwrap();
    let found = desk.service.caller_of_arn(&desk.service.view().state, a, &role).unwrap();
    assert_eq!(found.principal.principal_arn().as_ref(), role.as_str());
}

/// Protects what a leaked session could do: once revoked it authenticates nobody, as if it had ended, and a
/// call that stays ends; the role's other sessions go on.
#[tokio::test]
async fn a_revoked_session_authenticates_nobody() {
    let desk = desk();
    let (a, _) = desk.account("111111111111").await;
    let leaked = desk.instance_credentials(a).await;
    let call =
        || desk.call(leaked.key.as_str(), leaked.secret.expose(), Some(leaked.token.expose()));
    let caller = call().unwrap();
    let stands = || desk.service.stands(&desk.service.view().state, &caller);
    assert!(stands());
    let target = RevocationTarget::Session(leaked.key.clone());
    let minting = desk.service.draw_minting().unwrap();
    let revoke =
        Action::Session(SessionAction::Revoke { target, before: None, chained: false, minting });
    desk.own(a, revoke).await;
    assert_eq!(call().unwrap_err(), AuthError::ExpiredToken);
    assert!(!stands());
}

/// Protects other accounts, and bounds the harm, when an account's key has leaked: what is forged with it is
/// refused everywhere else, may nothing in the name of a role that is not there, and ends with its role's
/// revocation unless it claims to be younger.
#[tokio::test]
async fn what_a_leaked_account_key_forges_is_bounded() {
    let desk = desk();
    let (a, _) = desk.account("111111111111").await;
    let (b, _) = desk.account("222222222222").await;
    desk.instance_credentials(a).await;
    let policy = allow(&["*"], "*");
    let name = "all".parse().unwrap();
    desk.own(
        a,
        Action::Policy(PolicyAction::PutInline { owner: of_role("Get-pics"), name, policy }),
    )
    .await;
    let view = desk.service.view();
    let (found, other) = (view.state.account(a).unwrap(), view.state.account(b).unwrap());
    let role = found.role(&"Get-pics".parse().unwrap()).unwrap();
    let leaked = desk.service.account_key(a, &found.key).unwrap();
    let forged = |account: AccountId, role_id: &UniqueId, age: i64| {
        let (path, role) = (role.path.clone(), role.name.clone());
        let (role_id, session) = (role_id.clone(), "forged".parse().unwrap());
        let subject = Subject::Role { path, role, role_id, session };
        let at = |seconds| Timestamp::from_unix_seconds(START + seconds);
        let claims = Claims::new(subject, at(-age), at(3600));
        let key: AccessKeyId = desk.service.draw_id("ASIA").unwrap();
        let token = seal(&leaked, &key, account, &claims).unwrap();
        desk.call(key.as_str(), leaked.secret(&key).expose(), Some(&token))
    };
    let may = |caller| {
        let info = RequestInfo { caller, ..desk.service.own_request("test") };
        desk.service
            .require(&view.state, &info, a, Permission::ListRoles, &Resource::everything())
            .is_ok()
    };
    assert!(may(forged(a, &role.id, 0).unwrap()), "the leak is real");
    assert_eq!(forged(other.id, &role.id, 0).unwrap_err(), AuthError::InvalidClientTokenId);
    assert!(!may(forged(a, &"AROAAAAAAAAAAAAAAAAA".parse().unwrap(), 0).unwrap()));
    let target = RevocationTarget::Role(role.name.clone());
    let minting = desk.service.draw_minting().unwrap();
    let revoke =
        Action::Session(SessionAction::Revoke { target, before: None, chained: false, minting });
    desk.own(a, revoke).await;
    assert_eq!(forged(a, &role.id, 0).unwrap_err(), AuthError::ExpiredToken);
    assert!(forged(a, &role.id, -10).is_ok(), "as the threat model says");
    desk.own(a, Action::Account(AccountAction::Disable)).await;
    assert_eq!(forged(a, &role.id, -10).unwrap_err(), AuthError::AccountDisabled);
}

/// Protects tenants that left: once the deletion is applied, whoever asked for it, no key of the account is in
/// memory, and a request that began before puts none back.
#[tokio::test]
async fn keys_of_a_deleted_account_are_forgotten() {
    let desk = desk();
    let (a, root) = desk.account("111111111111").await;
    let (b, _) = desk.account("222222222222").await;
    desk.instance_credentials(a).await;
    let secret = |id, key: &AccessKeyId| {
        let view = desk.service.view();
        desk.service.secret_of(view.state.account(id).unwrap(), key).unwrap()
    };
    let (before, own) = (desk.service.view(), secret(a, &root));
    secret(b, &root);
    desk.call(root.as_str(), own.expose(), None).unwrap();
    let kept = || [a, b].map(|id| desk.service.account_keys.get(&id).is_some());
    assert_eq!((kept(), desk.service.signers.len()), ([true, true], 1));
    let deletion = async {
        desk.own(a, Action::Account(AccountAction::Disable)).await;
        desk.own(a, Action::Account(AccountAction::Delete)).await;
        while kept() != [false, true] || !desk.service.signers.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(10), async {
        tokio::select! {
            biased;
            () = desk.service.keep_forgetting_accounts() => panic!("it ends with the ledger"),
            () = deletion => {}
        }
    });
    done.await.unwrap();
    let late = desk.service.secret_of(before.state.account(a).unwrap(), &root).unwrap();
    assert_eq!((late, kept()), (own, [false, true]));
    let gone = before.state.account(a).unwrap();
    let record = gone.instances.records().next().unwrap();
    let credentials = record.instance().unwrap().association.unwrap().credentials.unwrap();
    desk.service.kept_role_credentials(gone, record, &credentials).unwrap();
    assert!(desk.service.deliveries.is_empty());
}

/// Protects what a deleted role's sessions could do: nothing, nor when a role of its name is made anew.
#[tokio::test]
async fn sessions_of_a_deleted_role_may_nothing() {
    let desk = desk();
    let (a, _) = desk.account("111111111111").await;
    let session = desk.instance_credentials(a).await;
    let role: crate::identity::RoleName = "Get-pics".parse().unwrap();
    let put = || {
        Action::Policy(PolicyAction::PutInline {
            owner: of_role("Get-pics"),
            name: "read".parse().unwrap(),
            policy: allow(&["*"], "*"),
        })
    };
    desk.own(a, put()).await;
    let call =
        || desk.call(session.key.as_str(), session.secret.expose(), Some(session.token.expose()));
    let info = |caller| RequestInfo { caller, ..desk.service.own_request("test") };
    let may = || {
        let (info, view) = (info(call().unwrap()), desk.service.view());
        desk.service
            .require(&view.state, &info, a, Permission::ListRoles, &Resource::everything())
            .is_ok()
    };
    assert!(may());
    let (owner, name) = (of_role("Get-pics"), "read".parse().unwrap());
    desk.own(a, Action::Policy(PolicyAction::DeleteInline { owner, name })).await;
    let (profile, from) = ("Get-pics".parse().unwrap(), role.clone());
    desk.own(a, Action::Profile(ProfileAction::RemoveRole { profile, role: from })).await;
    desk.own(a, Action::Role(RoleAction::Delete { name: role.clone() })).await;
    assert!(!may());
    let id = desk.service.draw_id("AROA").unwrap();
    let trust = Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap();
    let (path, description) = (Path::default(), Arc::from(""));
    let max_session = Duration::from_secs(3600);
    let (name, tags, boundary) = (role, Tags::default(), None);
    let again = Action::Role(RoleAction::Create {
        name,
        path,
        id,
        description,
        max_session,
        trust,
        tags,
        boundary,
    });
    desk.own(a, again).await;
    desk.own(a, put()).await;
    assert!(!may());
}
