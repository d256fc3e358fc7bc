//! Simulations of policies, and the condition keys that they would have to be given.

use serde::Serialize;

use super::scene::{EvaluationResult, Scene, Source};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::domain::access::Permission;
use crate::domain::event::PolicyOwner;
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::identity::{AccountId, Arn, Path, Principal, base32_id};
use crate::policy::{Context, Policy, PolicyKind};
use crate::service::Reading;

/// Actions or resources of one simulation.
const ASKED_MAX: usize = 1000;
/// Policies of one simulation.
const POLICIES_MAX: usize = 100;

request! {
    /// Source: IAM API Reference, ContextEntry.
    ContextEntry {
        context_key_name: Option<String> = "ContextKeyName" [Length(5, 256)],
        context_key_values: Vec<String> = "ContextKeyValues" [Items(0, ASKED_MAX)],
        context_key_type: Option<String> = "ContextKeyType",
    }
    /// Source: IAM API Reference, SimulateCustomPolicy and SimulatePrincipalPolicy.
    Simulate {
        policy_source_arn: Option<Arn> = "PolicySourceArn" [Length(20, 2048)],
        policy_input_list: Vec<String> =
            "PolicyInputList" [Items(0, POLICIES_MAX), Length(1, 131_072), DOCUMENT],
        boundary_input_list: Vec<String> =
            "PermissionsBoundaryPolicyInputList" [Items(0, 1), Length(1, 131_072), DOCUMENT],
        action_names: Vec<String> = "ActionNames" [Items(1, ASKED_MAX), Length(3, 128)],
        resource_arns: Vec<String> = "ResourceArns" [Items(0, ASKED_MAX), Length(1, 2048)],
        resource_policy: Option<String> = "ResourcePolicy" [Length(1, 131_072), DOCUMENT],
        resource_owner: Option<String> = "ResourceOwner" [Length(1, 2048)],
        caller_arn: Option<Arn> = "CallerArn" [Length(1, 2048)],
        context_entries: Vec<ContextEntry> = "ContextEntries" [Items(0, ASKED_MAX)],
        marker: Option<String> = "Marker" [Length(1, 320)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, GetContextKeysForCustomPolicy.
    KeysForCustom {
        policy_input_list: Vec<String> =
            "PolicyInputList" [Items(1, POLICIES_MAX), Length(1, 131_072), DOCUMENT],
    }
    /// Source: IAM API Reference, GetContextKeysForPrincipalPolicy.
    KeysForPrincipal {
        policy_source_arn: Arn = "PolicySourceArn" [Length(20, 2048)],
        policy_input_list: Vec<String> =
            "PolicyInputList" [Items(0, POLICIES_MAX), Length(1, 131_072), DOCUMENT],
    }
}

/// The result of a simulation.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimulatePolicyResult {
    evaluation_results: Vec<EvaluationResult>,
    is_truncated: bool,
    marker: Option<String>,
}

/// The condition keys of policies.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContextKeys {
    context_key_names: Vec<String>,
}

pub(super) async fn custom(
    call: &Call<'_>,
    request: Simulate,
) -> Result<SimulatePolicyResult, Fault> {
    let permission = Permission::SimulateCustomPolicy;
    let Reading { view, account } = call.service.read_account(call.info, 0, permission).await?;
    if request.policy_input_list.is_empty() {
        return Err(Fault::missing("PolicyInputList"));
    }
    let caller = request.caller_arn.as_ref().map(user_of_arn).transpose()?;
    let mut context = Context::default();
    if let Some(caller) = &caller {
        context.extend(&Context::for_principal(caller));
    }
    let scene = Scene {
        principal: caller.map_or_else(|| somebody(account.id), Ok)?,
        identity: inputs("PolicyInputList", &request.policy_input_list, PolicyKind::Identity)?,
        boundary: None,
        resource: None,
        resource_account: None,
        context,
        state: &view.state,
        guarded: false,
    };
    simulate(call, &request, scene)
}

pub(super) async fn principal(
    call: &Call<'_>,
    request: Simulate,
) -> Result<SimulatePolicyResult, Fault> {
    let source = request.policy_source_arn.as_ref();
    let source = source.ok_or_else(|| Fault::missing("PolicySourceArn"))?;
    let permission = Permission::SimulatePrincipalPolicy;
    let (read, owner) = call.service.simulated_principal(call.info, permission, source).await?;
    let Reading { view, account } = read;
    let own = call.service.caller_of_arn(&view.state, account.id, source);
    let own = own.map(|caller| caller.principal);
    let caller = request.caller_arn.as_ref().map(user_of_arn).transpose()?.or(own);
    let mut context = Context::default();
    if let Some(caller) = &caller {
        context.extend(&Context::for_principal(caller));
    }
    if let Some(tags) = owner.tags(&account) {
        tags.insert_into(&mut context, "aws:PrincipalTag");
    }
    let (mut identity, boundary) = stored(&account, &owner);
    let given = inputs("PolicyInputList", &request.policy_input_list, PolicyKind::Identity)?;
    identity.extend(given);
    let scene = Scene {
        principal: caller.map_or_else(|| somebody(account.id), Ok)?,
        identity,
        boundary: boundary.map(|boundary| vec![boundary]),
        resource: None,
        resource_account: None,
        context,
        state: &view.state,
        guarded: true,
    };
    simulate(call, &request, scene)
}

pub(super) async fn keys_for_custom(
    call: &Call<'_>,
    request: KeysForCustom,
) -> Result<ContextKeys, Fault> {
    let permission = Permission::GetContextKeysForCustomPolicy;
    call.service.read_account(call.info, 0, permission).await?;
    let given = inputs("PolicyInputList", &request.policy_input_list, PolicyKind::Identity)?;
    Ok(ContextKeys { context_key_names: keys_of(&given) })
}

pub(super) async fn keys_for_principal(
    call: &Call<'_>,
    request: KeysForPrincipal,
) -> Result<ContextKeys, Fault> {
    let (permission, arn) =
        (Permission::GetContextKeysForPrincipalPolicy, &request.policy_source_arn);
    let (read, owner) = call.service.simulated_principal(call.info, permission, arn).await?;
    let (mut sources, _) = stored(&read.account, &owner);
    let given = inputs("PolicyInputList", &request.policy_input_list, PolicyKind::Identity)?;
    sources.extend(given);
    Ok(ContextKeys { context_key_names: keys_of(&sources) })
}

/// What an entity has: its own policies and, for a user, those of its groups; and its boundary.
fn stored(account: &Account, owner: &PolicyOwner) -> (Vec<Source>, Option<Source>) {
    let mut owners = vec![owner.clone()];
    if let PolicyOwner::User(name) = owner
        && let Some(user) = account.user(name)
    {
        let groups = user.groups.iter().filter_map(|key| account.groups.get(key));
        owners.extend(groups.map(|group| PolicyOwner::Group(group.name.clone())));
    }
    let of_managed = |key: &str| {
        let managed = account.managed(key)?;
        let kind = if managed.aws { "aws-managed" } else { "user-managed" };
        Some(Source { id: managed.name.to_string(), kind, policy: managed.policy.clone() })
    };
    let mut sources = Vec::new();
    let mut boundary = None;
    for owner in &owners {
        let Some(permissions) = owner.permissions(account) else { continue };
        let (kind, name) = match owner {
            PolicyOwner::User(name) => ("user", name.as_str()),
            PolicyOwner::Role(name) => ("role", name.as_str()),
            PolicyOwner::Group(name) => ("group", name.as_str()),
        };
        sources.extend(permissions.inline.iter().map(|(policy_name, policy)| Source {
            id: format!("{kind}_{name}_{policy_name}"),
            kind,
            policy: policy.clone(),
        }));
        sources.extend(permissions.attached.iter().filter_map(|key| of_managed(key)));
        boundary = boundary.or_else(|| of_managed(permissions.boundary.as_deref()?));
    }
    (sources, boundary)
}

/// Policies of the request itself.
fn inputs(list: &str, texts: &[String], kind: PolicyKind) -> Result<Vec<Source>, Fault> {
    let read = texts.iter().enumerate().map(|(index, text)| {
        let id = format!("{list}.{}", index + 1);
        let policy = Policy::parse(text, kind)
            .map_err(|error| Rejection::InvalidInput(format!("{id} is no policy: {error}")))?;
        Ok(Source { id, kind: "none", policy })
    });
    read.collect()
}

fn keys_of(sources: &[Source]) -> Vec<String> {
    let mut keys: Vec<_> =
        sources.iter().flat_map(|source| source.policy.condition_keys()).collect();
    keys.sort_by_key(|key| key.to_lowercase());
    keys.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    keys
}

/// The user that a request has call, who need not be there.
fn user_of_arn(arn: &Arn) -> Result<Principal, Fault> {
    let invalid = || {
        let message = format!("Invalid caller ARN: {arn}; must be the ARN of a user");
        Fault::from(Rejection::InvalidInput(message))
    };
    let account = arn.account_id().ok_or_else(invalid)?;
    let path = arn.resource().strip_prefix("user").ok_or_else(invalid)?;
    let (path, name) = path.rsplit_once('/').ok_or_else(invalid)?;
    Ok(Principal::User {
        account,
        path: Path::parse(&format!("{path}/"))?,
        name: name.parse()?,
        id: base32_id("AIDA", [0; 10]).parse()?,
    })
}

/// Someone of an account of whom nothing is known.
fn somebody(account: AccountId) -> Result<Principal, Fault> {
    let (name, id) = ("somebody".parse()?, base32_id("AIDA", [0; 10]).parse()?);
    Ok(Principal::User { account, path: Path::default(), name, id })
}

fn simulate(
    call: &Call<'_>,
    request: &Simulate,
    mut scene: Scene<'_>,
) -> Result<SimulatePolicyResult, Fault> {
    for entry in &request.context_entries {
        if let Some(name) = &entry.context_key_name {
            // `stringList` and the like (IAM API Reference, ContextEntry).
            let is_list = entry.context_key_type.as_ref().is_some_and(|of| of.ends_with("List"));
            scene.context.insert_given(name, entry.context_key_values.clone(), is_list);
        }
    }
    let list = "PermissionsBoundaryPolicyInputList";
    let boundary = inputs(list, &request.boundary_input_list, PolicyKind::Identity)?;
    if !boundary.is_empty() {
        scene.boundary = Some(boundary);
    }
    if let Some(text) = &request.resource_policy {
        let texts = std::slice::from_ref(text);
        let kind = match PolicyKind::guess(text) {
            PolicyKind::Trust => PolicyKind::Trust,
            _ => PolicyKind::Resource,
        };
        let mut read = inputs("ResourcePolicy", texts, kind)?;
        let source = read.pop().map(|source| Source { kind: "resource", ..source });
        scene.resource = source.map(|source| Source { id: "ResourcePolicy".to_owned(), ..source });
    }
    scene.resource_account = match &request.resource_owner {
        None => scene.principal.account(),
        Some(owner) => {
            let account = owner.parse().ok().or_else(|| Arn::parse(owner).ok()?.account_id());
            let invalid = || Rejection::InvalidInput(format!("Invalid resource owner: {owner}"));
            Some(account.ok_or_else(invalid)?)
        }
    };
    let everything = [String::from("*")];
    let resources = match request.resource_arns.as_slice() {
        [] => &everything,
        given => given,
    };
    let pairs = request.action_names.iter().flat_map(|action| {
        resources.iter().map(move |resource| (action.as_str(), resource.as_str()))
    });
    let pairs = pairs.enumerate().map(|(index, pair)| (format!("{index:07}"), pair));
    let marker = request.marker.as_deref();
    let listed = page(call.action, pairs, |(key, _)| key, request.max_items, marker)?;
    let judged = listed.entries.iter();
    let judged = judged.map(|(_, (action, resource))| scene.judge(action, resource));
    Ok(SimulatePolicyResult {
        evaluation_results: judged.collect(),
        is_truncated: listed.next.is_some(),
        marker: listed.next,
    })
}
