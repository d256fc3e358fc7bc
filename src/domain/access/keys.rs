//! The condition keys of a request: those that follow from the caller, their session, the time, the connection and
//! the resource. Source: IAM User Guide, reference_policies_condition-keys.

use std::net::{IpAddr, Ipv4Addr};

use super::{Caller, CallerSession, ConditionKeys, Question};
use crate::clock::Timestamp;
use crate::domain::state::{Account, State};
use crate::domain::tags::Tags;
use crate::identity::{AccountId, InstanceId, Principal, WebIdentity};
use crate::policy::{Context, Key, KeySet};

/// The condition keys of a question, as far as they are asked about.
pub(super) fn context(
    state: &State,
    question: &Question<'_>,
    extra: &impl ConditionKeys,
    asked: KeySet,
) -> Context {
    let mut context = Context::of(asked);
    if asked == KeySet::NONE {
        return context;
    }
    let caller = question.caller;
    let account = caller.principal.account().and_then(|id| state.account(id));
    let tags = account.and_then(|account| tags_of(account, &caller.principal));
    insert_caller_keys(&mut context, caller, tags, question.time);
    const SOURCE_ADDRESS: &str = "aws:ec2instancesourceprivateipv4";
    if context.asks_about(SOURCE_ADDRESS)
        && let Some(address) = source_address(state, caller)
    {
        context.set(const { Key::known(SOURCE_ADDRESS) }, || address.to_string());
    }
    if let Some(account) = question.resource_account {
        context.set(const { Key::known("aws:resourceaccount") }, || account.to_string());
    }
    extra.insert_into(&mut context);
    context
}

/// The private address of the instance whose role session it is. Its network (`aws:EC2InstanceSourceVPC`) is
/// not known here, so that key is never there.
fn source_address(state: &State, caller: &Caller) -> Option<Ipv4Addr> {
    let arn = caller.session.as_ref()?.instance.as_ref()?;
    let account = state.account(caller.principal.account()?)?;
    let id = arn.resource_name().parse::<InstanceId>().ok()?;
    match account.instances.record((&id).into())?.address? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The tags of the user or role behind a principal, if it still is the same one.
fn tags_of<'a>(account: &'a Account, principal: &Principal) -> Option<&'a Tags> {
    match principal {
        Principal::User { id, .. } => account.user_by_id(id).map(|user| &user.tags),
        Principal::AssumedRole { role, role_id, .. } => {
            account.role(role).filter(|role| role.id == *role_id).map(|role| &role.tags)
        }
        _ => None,
    }
}

/// Of the keys that say with which tags somebody asks.
const PRINCIPAL_TAG: &str = "aws:PrincipalTag";

/// The condition keys that follow from a request, not from who makes it.
pub const REQUEST_KEYS: [&str; 8] = [
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:UserAgent",
    "aws:RequestedRegion",
    "aws:ViaAWSService",
    "aws:ResourceAccount",
];

/// The condition keys that follow from the caller or the request, whatever is asked for
/// (IAM User Guide, reference_policies_condition-keys). One that ends in a slash is that of a family.
pub const GLOBAL_KEYS: [&str; 27] = [
    "aws:CurrentTime",
    "aws:EC2InstanceSourcePrivateIPv4",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:SecureTransport",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSService",
    "aws:userid",
    "aws:username",
    "ec2:RoleDelivery",
    "ec2:SourceInstanceArn",
    "ISSUER:aud",
    "ISSUER:sub",
];

/// Whether a key follows from the caller, so that only the signature may speak for it: no resource service may say it.
#[must_use]
pub fn of_the_caller(key: &str) -> bool {
    const KEYS: [&str; 9] = [
        "aws:principal",
        "aws:userid",
        "aws:username",
        "aws:tokenissuetime",
        "aws:sourceidentity",
        "aws:multifactorauth",
        "aws:ec2instancesource",
        "ec2:sourceinstance",
        "ec2:roledelivery",
    ];
    let key = key.to_ascii_lowercase();
    KEYS.iter().any(|own| key.starts_with(own))
}

/// How a request came, as far as policies may ask about it.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Whether it came over TLS.
    pub secure_transport: bool,
    /// Where it came from.
    pub source_ip: Option<IpAddr>,
    /// The client's own name for itself.
    pub user_agent: &'a str,
    /// The region that it was made to.
    pub region: Option<&'a str>,
}

/// Sets those of `REQUEST_KEYS` that do not follow from the resource. No service here makes requests in another
/// caller's name, so `aws:ViaAWSService` is always false: it is there all the same, as policies deny by its absence.
pub fn insert_request_keys(context: &mut Context, time: Timestamp, connection: &Connection<'_>) {
    let Connection { secure_transport, source_ip, user_agent, region } = *connection;
    context.set(const { Key::known("aws:currenttime") }, || time.iso8601());
    context.set(const { Key::known("aws:epochtime") }, || time.as_unix_seconds().to_string());
    context.set(const { Key::known("aws:securetransport") }, || truth(secure_transport));
    context.set(const { Key::known("aws:viaawsservice") }, || truth(false));
    if let Some(ip) = source_ip {
        context.set_address(const { Key::known("aws:sourceip") }, ip);
    }
    if let Some(region) = region {
        context.set(const { Key::known("aws:requestedregion") }, || region.to_owned());
    }
    if !user_agent.is_empty() {
        context.set(const { Key::known("aws:useragent") }, || user_agent.to_owned());
    }
}

fn truth(is_true: bool) -> String {
    if is_true { "true" } else { "false" }.to_owned()
}

/// Sets the condition keys that follow from the caller and the time.
fn insert_caller_keys(
    context: &mut Context,
    caller: &Caller,
    tags: Option<&Tags>,
    time: Timestamp,
) {
    context.insert_principal(&caller.principal);
    let connection = Connection {
        secure_transport: caller.secure_transport,
        source_ip: caller.source_ip,
        user_agent: &caller.user_agent,
        region: caller.region.as_deref(),
    };
    insert_request_keys(context, time, &connection);
    if let Some(tags) = tags {
        // Names of keys ignore the case of ASCII, so that a tag of the session takes the place of one of the role. Two
        // that differ in the case of other letters are one tag in `Tags`, but two keys here.
        tags.insert_into(context, PRINCIPAL_TAG);
    }
    if let Some(session) = &caller.session {
        insert_session_keys(context, session, caller.principal.account(), time);
    }
}

/// Sets the condition keys that follow from what the caller's session token says.
fn insert_session_keys(
    context: &mut Context,
    session: &CallerSession,
    account: Option<AccountId>,
    time: Timestamp,
) {
    context.set(const { Key::known("aws:tokenissuetime") }, || session.issued_at.iso8601());
    // Long-term keys have no such key, not "false" (reference_policies_condition-keys).
    let present = session.mfa_at.is_some();
    context.set(const { Key::known("aws:multifactorauthpresent") }, || truth(present));
    if let Some(at) = session.mfa_at {
        let key = const { Key::known("aws:multifactorauthage") };
        context.set(key, || time.since(at).as_secs().to_string());
    }
    if let Some(identity) = &session.web_identity {
        web_identity_context(context, identity);
        if let Some(account) = account {
            let key = const { Key::known("aws:federatedprovider") };
            context.set(key, || identity.provider_arn(account));
        }
    }
    if context.asks_about(PRINCIPAL_TAG) {
        for (key, value) in &session.tags {
            context.insert(&format!("{PRINCIPAL_TAG}/{key}"), value.to_string());
        }
    }
    if let Some(source) = &session.source_identity {
        context.set(const { Key::known("aws:sourceidentity") }, || source.to_string());
    }
    if let Some(instance) = &session.instance {
        context.set(const { Key::known("ec2:sourceinstancearn") }, || instance.to_string());
    }
    if let Some(delivery) = session.delivery {
        let key = const { Key::known("ec2:roledelivery") };
        context.set(key, || delivery.as_str().to_owned());
    }
}

/// The condition keys of who an identity provider says that the caller is; sessions keep them
/// (reference_policies_iam-condition-keys, "Available keys for AWS OIDC federation").
pub fn web_identity_context(context: &mut Context, identity: &WebIdentity) {
    let WebIdentity { issuer, subject, audience } = identity;
    context.insert(&format!("{issuer}:sub"), subject.to_string());
    context.insert(&format!("{issuer}:aud"), audience.to_string());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::access::{gathered, judge};
    use crate::domain::command::{Action, TagAction};
    use crate::domain::entity::TagOwner;
    use crate::domain::testing::*;
    use crate::identity::{Arn, RoleDelivery};
    use crate::policy::{Policy, PolicyKind, Verdict};

    /// The bearer of a session with everything that sessions may have.
    fn everything(world: &mut World) -> Caller {
        world.create_account(A);
        world.create_role(A, "app", &trust(r#"{"AWS":"111111111111"}"#));
        let owner = TagOwner::Role("app".parse().unwrap());
        let tags = Tags::of_request([("team", "red")]).unwrap();
        world.root(A, Action::Tag(TagAction::Tag { owner, tags }));
        world.create_profile(A, "app");
        let (id, launch) = world.launch(Some("app"));
        world.root(A, launch);
        let instance = format!("arn:aws:ec2:us-east-1:{A}:instance/{id}");
        let session = CallerSession {
            issued_at: Timestamp::from_unix_seconds(1_764_000_000),
            expires_at: Timestamp::from_unix_seconds(1_764_003_600),
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::from([(Arc::from("cost"), Arc::from("7"))]),
            transitive_tag_keys: Vec::new(),
            source_identity: Some("ana".parse().unwrap()),
            chain_depth: 0,
            instance: Some(Arn::parse(&instance).unwrap()),
            delivery: Some(RoleDelivery::Version2),
            ancestors: Vec::new(),
            mfa_at: Some(Timestamp::from_unix_seconds(1_764_000_000)),
            web_identity: Some(WebIdentity {
                issuer: Arc::from("id.example"),
                subject: Arc::from("ana"),
                audience: Arc::from("locum"),
            }),
            federator: None,
        };
        Caller {
            session: Some(Arc::new(session)),
            source_ip: Some(IpAddr::from([10, 0, 0, 1])),
            user_agent: Arc::from("agent"),
            ..world.session(A, "app", "one")
        }
    }

    /// Protects policies: whichever key one asks about, in a condition or as a variable, has the value that
    /// `explain` shows.
    #[test]
    fn a_policy_finds_each_key_that_it_asks_about() {
        let mut world = World::default();
        let caller = everything(&mut world);
        let mut extra = Context::default();
        extra.insert("aws:RequestTag/stage", "test".to_owned());
        extra.insert_multi("aws:TagKeys", vec!["stage".to_owned(), "cost".to_owned()]);
        let ask = |state: &State, resource: &str| {
            let question = Question {
                caller: &caller,
                action: "s3:GetObject",
                resource,
                resource_account: Some(account(A)),
                resource_policy: None,
                role_trust: false,
                time: Timestamp::from_unix_seconds(1_764_000_100),
            };
            let all = gathered(state, &question, &extra, |request, _| request.context.clone());
            (judge(state, &question, &extra).verdict(), all)
        };
        let (_, all) = ask(&world.state, "*");
        assert!(all.iter().count() > 22, "{all:?}");
        let mut allow = |statement: &str| {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*",{statement}}}}}"#
            );
            let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
            world.put_policy(A, of_role("app"), policy);
            world.state.clone()
        };
        for (key, values) in all.iter() {
            let state =
                allow(&format!(r#""Resource":"*","Condition":{{"Null":{{"{key}":"false"}}}}"#));
            assert_eq!(ask(&state, "*").0, Verdict::Allow, "{key} in a condition");
            if let [value] = values {
                let state = allow(&format!(r#""Resource":"arn:aws:s3:::{key}/${{{key}}}""#));
                let resource = format!("arn:aws:s3:::{key}/{value}");
                assert_eq!(ask(&state, &resource).0, Verdict::Allow, "{key} as a variable");
            }
        }
    }
}
