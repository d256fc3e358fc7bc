//! Commands for tests: short to write, with ids and times drawn from a counter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::access::Caller;
use super::account_key::WrappedAccountKey;
use super::command::{
    AccountAction, Action, Command, InstanceAction, Launch, LaunchNetworking, Minting,
    PolicyAction, ProfileAction, ProfileRef, RoleAction, SessionAction, UserAction,
};
use super::decide::decide;
use super::event::{EventKind, Fact, InstanceFacts, PolicyOwner};
use super::metadata::MetadataOptions;
use super::rejection::Rejection;
use super::rotation::RotationAction;
use super::session::{Operation, SessionDraft, SessionRequest};
use super::state::State;
use super::tags::Tags;
use crate::clock::Timestamp;
use crate::identity::{
    AccountId, Arn, InstanceId, PackedKeyId, Path, Principal, RoleName, UserName, base32_id, hex_id,
};
use crate::policy::{Policy, PolicyKind};

pub(crate) const A: &str = "111111111111";
pub(crate) const B: &str = "222222222222";
pub(crate) const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// A state with a desk that draws what commands need.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) facts: Vec<Fact>,
    drawn: u8,
}

pub(crate) fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

/// An identity policy of one allowing statement.
pub(crate) fn allow(actions: &[&str], resource: &str) -> Policy {
    let actions = actions.join("\",\"");
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":["{actions}"],"Resource":"{resource}"}}}}"#
    );
    Policy::parse(&text, PolicyKind::Identity).unwrap()
}

pub(crate) fn trust(principal: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":["sts:AssumeRole","sts:TagSession"]}}}}"#
    );
    Policy::parse(&text, PolicyKind::Trust).unwrap()
}

impl World {
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        self.drawn += 1;
        [self.drawn; N]
    }

    pub(crate) fn command(&mut self, account: &str, caller: Caller, action: Action) -> Command {
        self.drawn += 1;
        Command {
            account: self::account(account),
            caller,
            time: Timestamp::from_unix_seconds(1_764_000_000 + i64::from(self.drawn)),
            request_id: Arc::from("request"),
            trace_id: Arc::from(""),
            idempotency: None,
            action,
        }
    }

    /// Decides and applies; the kinds of events it led to.
    pub(crate) fn run(&mut self, command: &Command) -> Result<Vec<EventKind>, Rejection> {
        let Some(fact) = decide(&self.state, command)? else { return Ok(Vec::new()) };
        self.facts.push(fact.clone());
        self.state.apply(self.facts.len() as u64, &fact).unwrap();
        Ok(fact.events.into_iter().map(|event| event.kind).collect())
    }

    pub(crate) fn by(
        &mut self,
        caller: Caller,
        account: &str,
        action: Action,
    ) -> Result<Vec<EventKind>, Rejection> {
        let command = self.command(account, caller, action);
        self.run(&command)
    }

    /// As the account's root.
    pub(crate) fn root(&mut self, account: &str, action: Action) -> Vec<EventKind> {
        self.by(self::root(account), account, action).unwrap()
    }

    pub(crate) fn create_account(&mut self, account: &str) {
        let key = WrappedAccountKey::new(1, &[7; 60]);
        let root_key = base32_id("AKIA", self.random()).parse().unwrap();
        let action =
            Action::Account(AccountAction::Create { name: Arc::from("test"), key, root_key });
        self.by(Caller::service(), account, action).unwrap();
    }

    pub(crate) fn create_user(&mut self, account: &str, name: &str) -> Caller {
        let id = base32_id("AIDA", self.random()).parse().unwrap();
        let action = Action::User(UserAction::Create {
            name: name.parse().unwrap(),
            path: Path::default(),
            id,
            tags: Tags::default(),
            boundary: None,
        });
        self.root(account, action);
        self.user(account, name)
    }

    pub(crate) fn user(&self, account: &str, name: &str) -> Caller {
        let name: UserName = name.parse().unwrap();
        let user = self.state.account(self::account(account)).unwrap().user(&name).unwrap();
        let principal = Principal::User {
            account: self::account(account),
            path: user.path.clone(),
            name: user.name.clone(),
            id: user.id.clone(),
        };
        Caller { principal, ..Caller::service() }
    }

    /// A session of a role, as its credentials authenticate.
    pub(crate) fn session(&self, account: &str, role: &str, session: &str) -> Caller {
        let name: RoleName = role.parse().unwrap();
        let role = self.state.account(self::account(account)).unwrap().role(&name).unwrap();
        let principal = Principal::AssumedRole {
            account: self::account(account),
            path: role.path.clone(),
            role: role.name.clone(),
            role_id: role.id.clone(),
            session: session.parse().unwrap(),
        };
        Caller { principal, ..Caller::service() }
    }

    pub(crate) fn create_role(&mut self, account: &str, name: &str, trust: &Policy) {
        let id = base32_id("AROA", self.random()).parse().unwrap();
        let action = Action::Role(RoleAction::Create {
            name: name.parse().unwrap(),
            path: Path::default(),
            id,
            description: Arc::from(""),
            max_session: Duration::from_secs(7200),
            trust: trust.clone(),
            tags: Tags::default(),
            boundary: None,
        });
        self.root(account, action);
    }

    pub(crate) fn put_policy(&mut self, account: &str, owner: PolicyOwner, policy: Policy) {
        let name = "main".parse().unwrap();
        self.root(account, Action::Policy(PolicyAction::PutInline { owner, name, policy }));
    }

    /// A profile of the role's name with the role in it.
    pub(crate) fn create_profile(&mut self, account: &str, role: &str) {
        let id = base32_id("AIPA", self.random()).parse().unwrap();
        let name: crate::identity::ProfileName = role.parse().unwrap();
        let tags = Tags::default();
        let create = Action::Profile(ProfileAction::Create {
            name: name.clone(),
            path: Path::default(),
            id,
            tags,
        });
        self.root(account, create);
        let add =
            Action::Profile(ProfileAction::AddRole { profile: name, role: role.parse().unwrap() });
        self.root(account, add);
    }

    pub(crate) fn minting(&mut self) -> Minting {
        let key = base32_id("ASIA", self.random()).parse().unwrap();
        Minting { key, lifetime: Duration::from_secs(3600) }
    }

    /// The scheduler's rotation of an instance.
    pub(crate) fn renewal(&mut self, id: &InstanceId) -> Action {
        let renewals = vec![(id.into(), PackedKeyId::temporary(self.random()))];
        Action::Rotation(RotationAction::Renew { renewals, lifetime: Duration::from_secs(3600) })
    }

    /// A launch, not yet run, and the id of its instance.
    pub(crate) fn launch(&mut self, profile: Option<&str>) -> (InstanceId, Action) {
        let id: InstanceId = hex_id("i-", self.random()).parse().unwrap();
        let facts = InstanceFacts {
            image_id: Arc::from("ami-1"),
            instance_type: Arc::from("m1.small"),
            region: Arc::from("us-east-1"),
            zone: Arc::from("us-east-1a"),
            agent: None,
            agent_id: None,
            tags: BTreeMap::new(),
            metadata: MetadataOptions::default(),
        };
        let launch = Launch {
            id: id.clone(),
            identity_key: base32_id("AKIA", self.random()).parse().unwrap(),
            private_ip: Some([10, 0, 0, 1].into()),
            association: hex_id("iip-assoc-", self.random()).parse().unwrap(),
            minting: self.minting(),
        };
        let profile = profile.map(|name| ProfileRef::Name(name.parse().unwrap()));
        (
            id,
            Action::Instance(InstanceAction::Launch {
                launches: vec![launch],
                facts,
                networking: LaunchNetworking::default(),
                profile,
            }),
        )
    }

    pub(crate) fn assume(&mut self, account: &str, role: &str, seconds: u64) -> Action {
        let role_arn = Arn::parse(&format!("arn:aws:iam::{account}:role/{role}")).unwrap();
        let key = base32_id("ASIA", self.random()).parse().unwrap();
        let name = Some("one".parse().unwrap());
        let draft = SessionDraft { name, ..SessionDraft::plain(key) };
        let duration = Duration::from_secs(seconds);
        let request = SessionRequest { draft, duration, external_id: None, mfa: None };
        let operation = Operation::AssumeRole(role_arn);
        Action::Session(SessionAction::Issue { operation, session: Box::new(request) })
    }
}

pub(crate) fn root(account: &str) -> Caller {
    let principal = Principal::Root { account: self::account(account) };
    Caller { principal, ..Caller::service() }
}

pub(crate) fn of_user(name: &str) -> PolicyOwner {
    PolicyOwner::User(name.parse().unwrap())
}

pub(crate) fn of_role(name: &str) -> PolicyOwner {
    PolicyOwner::Role(name.parse().unwrap())
}
