//! An account in which every entity has everything that policies may ask about, and requests in it that are refused: a
//! refusal's evidence holds the condition keys that the decision had.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use locum::clock::Timestamp;
use locum::domain::access::{Caller, CallerSession, Facts, Permission, Required, Target};
use locum::domain::access::{ResourceKind, authorize};
use locum::domain::account_key::WrappedAccountKey;
use locum::domain::command::{AccountAction, Action, Command, PolicyAction, RoleAction};
use locum::domain::decide::decide;
use locum::domain::event::PolicyOwner;
use locum::domain::rejection::{Denied, Rejection};
use locum::domain::state::State;
use locum::identity::{Arn, Principal, RoleDelivery, WebIdentity, base32_id};
use locum::policy::{Context, Policy, PolicyKind};

pub(crate) const A: &str = "111111111111";
const TIME: i64 = 1_764_000_000;

/// Names of condition keys in lower case. A family ends in a slash.
pub(crate) type Keys = BTreeSet<String>;

/// A permission that was asked for, on what, and the keys that the decision had.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) permission: Permission,
    pub(crate) kind: ResourceKind,
    pub(crate) keys: Keys,
}

#[derive(Clone, Default)]
pub(crate) struct World {
    state: State,
    sequence: u64,
    drawn: u8,
}

pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn arn(service: &str, resource: &str) -> Arn {
    Arn::parse(&format!("arn:aws:{service}::{A}:{resource}")).unwrap()
}

pub(crate) fn root() -> Caller {
    Caller { principal: Principal::Root { account: parsed(A) }, ..Caller::service() }
}

/// A request over the network, as every one of a customer's is.
pub(crate) fn caller(principal: Principal) -> Caller {
    Caller {
        principal,
        source_ip: Some(IpAddr::from([192, 0, 2, 1])),
        user_agent: Arc::from("client"),
        region: Some(Arc::from("us-east-1")),
        ..Caller::service()
    }
}

fn denying(action: &str, resource: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*","Resource":"*"}},
            {{"Effect":"Deny","Action":"{action}","Resource":"{resource}"}}]}}"#
    );
    Policy::parse(&text, PolicyKind::Identity).unwrap()
}

/// A trust policy by which anybody may do everything but `action`.
pub(crate) fn trusting_but(action: &str) -> Policy {
    trusting(r#"{"AWS":"*"}"#, action)
}

/// A trust policy by which a principal may do everything but `action`.
fn trusting(principal: &str, action: &str) -> Policy {
    let all = r#"["sts:AssumeRole","sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]"#;
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":{all}}},
            {{"Effect":"Deny","Principal":"*","Action":"{action}"}}]}}"#
    );
    // As one that is stored: a shared provider is trusted here whoever its token is for.
    Policy::reread(&text, PolicyKind::Trust).unwrap()
}

/// The names of a context's keys.
fn names(context: &Context) -> Keys {
    let families = [
        "aws:requesttag/",
        "aws:resourcetag/",
        "aws:principaltag/",
        "iam:resourcetag/",
        "ec2:resourcetag/",
        "ec2:attribute/",
    ];
    let name = |key: &str| {
        let key = key.to_lowercase();
        let family = families.into_iter().find(|family| key.starts_with(family));
        family.map_or(key.clone(), str::to_owned)
    };
    context.iter().map(|(key, _)| name(key)).collect()
}

impl World {
    pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self, prefix: &str) -> T {
        self.drawn += 1;
        parsed(&base32_id(prefix, [self.drawn; 10]))
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        self.drawn += 1;
        [self.drawn; N]
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    fn command(&self, caller: Caller, action: Action) -> Command {
        Command {
            account: parsed(A),
            caller,
            time: Timestamp::from_unix_seconds(TIME + i64::try_from(self.sequence).unwrap()),
            request_id: Arc::from("request"),
            trace_id: Arc::from(""),
            idempotency: None,
            action,
        }
    }

    /// Decides and applies.
    pub(crate) fn run(&mut self, caller: Caller, action: Action) {
        let fact = decide(&self.state, &self.command(caller, action)).unwrap().unwrap();
        self.sequence += 1;
        self.state.apply(self.sequence, &fact).unwrap();
    }

    pub(crate) fn create_account(&mut self) {
        let (key, root_key) = (WrappedAccountKey::new(1, &[7; 60]), self.id("AKIA"));
        let action = AccountAction::Create { name: Arc::from("test"), key, root_key };
        self.run(Caller::service(), Action::Account(action));
    }

    /// The user who asks.
    pub(crate) fn ana(&self) -> Caller {
        let account = self.state.account(parsed(A)).unwrap();
        let user = account.user(&parsed("ana")).unwrap();
        caller(Principal::User {
            account: account.id,
            path: user.path.clone(),
            name: user.name.clone(),
            id: user.id.clone(),
        })
    }

    /// A session of the role, with everything that sessions may have.
    pub(crate) fn session(&self, issuer: &str) -> Caller {
        let account = self.state.account(parsed(A)).unwrap();
        let role = account.role(&parsed("app")).unwrap();
        let session = CallerSession {
            issued_at: Timestamp::from_unix_seconds(TIME),
            expires_at: Timestamp::from_unix_seconds(TIME + 3600),
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: Some(parsed("ana")),
            chain_depth: 0,
            instance: account.instances.iter().next().map(|instance| {
                let arn = format!("arn:aws:ec2:us-east-1:{A}:instance/{}", instance.id);
                Arn::parse(&arn).unwrap()
            }),
            delivery: Some(RoleDelivery::Version2),
            ancestors: Vec::new(),
            mfa_at: Some(Timestamp::from_unix_seconds(TIME)),
            web_identity: Some(WebIdentity {
                issuer: Arc::from(issuer),
                subject: Arc::from("ana"),
                audience: Arc::from("locum"),
            }),
            federator: None,
        };
        let principal = Principal::AssumedRole {
            account: account.id,
            path: role.path.clone(),
            role: role.name.clone(),
            role_id: role.id.clone(),
            session: parsed("one"),
        };
        Caller { session: Some(Arc::new(session)), ..caller(principal) }
    }

    /// Denies `action` on `resource` to `owner`, who may do everything else.
    fn deny(&mut self, owner: PolicyOwner, action: &str, resource: &str) {
        let (name, policy) = (parsed("main"), denying(action, resource));
        self.run(root(), Action::Policy(PolicyAction::PutInline { owner, name, policy }));
    }

    /// The condition keys that a request of Ana's has when a permission that it needs is refused on a resource of a kind,
    /// whose ARNs match `pattern`.
    pub(crate) fn refused(
        &self,
        permission: Permission,
        (kind, pattern): (ResourceKind, &str),
        action: Action,
    ) -> Asked {
        let mut world = self.clone();
        world.deny(PolicyOwner::User(parsed("ana")), permission.action(), pattern);
        let caller = world.ana();
        world.refusal(permission, kind, caller, action)
    }

    /// The same of the role's session, which an identity provider vouched for.
    pub(crate) fn refused_to_session(
        &self,
        permission: Permission,
        issuer: &str,
        action: Action,
    ) -> Asked {
        let mut world = self.clone();
        world.deny(PolicyOwner::Role(parsed("app")), permission.action(), "*");
        let caller = world.session(issuer);
        world.refusal(permission, ResourceKind::Role, caller, action)
    }

    /// The same of whom a role's trust policy refuses.
    pub(crate) fn refused_by_trust(
        &self,
        permission: Permission,
        caller: Caller,
        action: Action,
    ) -> Asked {
        let mut world = self.clone();
        let provider = format!(r#"{{"Federated":"{}"}}"#, caller.principal.arn());
        let (role, trust) = (parsed("app"), trusting(&provider, permission.action()));
        world.run(root(), Action::Role(RoleAction::UpdateTrust { role, trust }));
        world.refusal(permission, ResourceKind::Role, caller, action)
    }

    fn refusal(
        &self,
        permission: Permission,
        kind: ResourceKind,
        caller: Caller,
        action: Action,
    ) -> Asked {
        let told = format!("{permission:?} by {action:?}");
        match decide(&self.state, &self.command(caller, action)) {
            Err(Rejection::AccessDenied(denied)) => asked(permission, kind, &denied),
            other => panic!("{told} came to {other:?}"),
        }
    }

    /// The same of a read, as the one function for reads (`service/read.rs`) asks.
    pub(crate) fn refused_read(&self, permission: Permission, target: &Target<'_>) -> Asked {
        let mut world = self.clone();
        world.deny(PolicyOwner::User(parsed("ana")), permission.action(), "*");
        let caller = world.ana();
        let account = world.state.account(parsed(A)).unwrap();
        let (resource, facts) = (target.find(account), Facts::default().in_region("us-east-1"));
        let required = Required { permission, resource: &resource, facts: &facts };
        let time = Timestamp::from_unix_seconds(TIME + 60);
        let question = required.question(&caller, account.id, time);
        let denied = authorize(&world.state, &question, &required).unwrap_err();
        asked(permission, resource.kind(), &denied)
    }

    /// A role that is asked for a session by `caller`, whom nothing allows it.
    pub(crate) fn refused_assumption(&self, caller: &Caller) -> Asked {
        let account = self.state.account(parsed(A)).unwrap();
        let name = parsed("app");
        let target = Target::Role(&name);
        let (resource, facts) = (target.find(account), Facts::default());
        let (permission, kind) = (Permission::AssumeRole, resource.kind());
        let required = Required { permission, resource: &resource, facts: &facts };
        let time = Timestamp::from_unix_seconds(TIME + 60);
        let question = required.question(caller, account.id, time);
        let denied = authorize(&self.state, &question, &required).unwrap_err();
        asked(permission, kind, &denied)
    }
}

fn asked(permission: Permission, kind: ResourceKind, denied: &Denied) -> Asked {
    assert_eq!(denied.action, permission.action(), "{denied:?}");
    let evidence = denied.evidence.as_ref().unwrap();
    Asked { permission, kind, keys: names(&evidence.context) }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
