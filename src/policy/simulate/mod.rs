//! Policies tried out on requests that nobody made: one case, as JSON, in; one decision out. Teams keep
//! such cases beside their policies and run them in their CI. The engine is the one that serves.

mod principal;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

pub use principal::principal_of;

use super::{
    Context, Level, Named, ParseError, Policies, Policy, PolicyKind, Request, Trace, Verdict,
    explain,
};
use crate::identity::{AccountId, Arn};

/// Bytes of one case.
pub const CASE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The fields that bear on the decision or are known to describe a case.
const FIELDS: [&str; 22] = [
    "id",
    "principal",
    "action",
    "resource",
    "resourceAccount",
    "context",
    "identityPolicies",
    "resourcePolicy",
    "permissionBoundaries",
    "sessionPolicies",
    "serviceControlPolicies",
    "resourceControlPolicies",
    "endpointPolicies",
    "expect",
    "expected",
    "page",
    "why",
    "name",
    "comment",
    "description",
    "note",
    "source",
];

/// What a case came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The line to print: `{"id","decision","matched","error"}`, and `"warnings"` and `"expect"` where
    /// there are such.
    pub line: String,
    /// Whether the decision, or `error`, is what the case expects; true if it expects nothing.
    pub as_expected: bool,
}

/// An answer as it is printed.
#[derive(Serialize)]
struct Line {
    id: Value,
    decision: Option<&'static str>,
    matched: Value,
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
}

/// The answer to a line that is no case, for the rule that it breaks.
#[must_use]
pub fn refusal(rule: &str) -> Answer {
    let (decision, error) = (None, Some(rule.to_owned()));
    let matched = Value::Array(Vec::new());
    Line { id: Value::Null, decision, matched, error, warnings: Vec::new(), expect: None }.answer()
}

/// Decides one case.
#[must_use]
pub fn answer(line: &str) -> Answer {
    if line.len() > CASE_BYTES_MAX {
        return refusal(&too_long());
    }
    let id = id_of(line);
    let read = Case::read(line);
    let expect = read.as_ref().ok().and_then(|case| case.expect.clone());
    let (decision, matched, error, warnings) = match read.and_then(|case| case.decide()) {
        Ok(decided) => {
            let name = name_of(decided.trace.decision.verdict());
            (Some(name), matched(&decided.trace), None, decided.warnings)
        }
        Err(error) => (None, Value::Array(Vec::new()), Some(error), Vec::new()),
    };
    Line { id, decision, matched, error, warnings, expect }.answer()
}

impl Line {
    /// Leaves out what is expected where that came.
    fn answer(mut self) -> Answer {
        // A case may expect to be refused as no case: "error".
        let came_to = self.decision.unwrap_or("error");
        let as_expected = self.expect.as_deref().is_none_or(|expect| expect == came_to);
        self.expect = self.expect.filter(|_| !as_expected);
        Answer { line: serde_json::to_string(&self).unwrap_or_default(), as_expected }
    }
}

/// The rule on the length of a case.
#[must_use]
pub fn too_long() -> String {
    format!("a case has at most {CASE_BYTES_MAX} bytes")
}

/// The name of a verdict, as IAM's policy simulator writes it in lower camel case.
#[must_use]
pub fn name_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::ExplicitDeny => "explicitlyDenied",
        Verdict::ImplicitDeny => "implicitlyDenied",
    }
}

fn id_of(line: &str) -> Value {
    #[derive(Deserialize)]
    struct Id {
        #[serde(default)]
        id: Value,
    }
    serde_json::from_str::<Id>(line).map_or(Value::Null, |case| case.id)
}

fn matched(trace: &Trace) -> Value {
    let statements = trace.matched().map(|(policy, statement)| {
        json!({
            "policy": policy.name,
            "kind": policy.kind.text(),
            "statement": statement.index,
            "sid": statement.sid,
            "effect": if statement.denies { "Deny" } else { "Allow" },
        })
    });
    Value::Array(statements.collect())
}

/// A case as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    principal: String,
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(default)]
    context: Option<std::collections::BTreeMap<String, OneOrMany>>,
    #[serde(default)]
    identity_policies: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    resource_policy: Option<Box<RawValue>>,
    #[serde(default)]
    permission_boundaries: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    session_policies: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    service_control_policies: Option<Vec<CaseLevel>>,
    #[serde(default)]
    resource_control_policies: Option<Vec<CaseLevel>>,
    #[serde(default)]
    endpoint_policies: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    expect: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaseLevel {
    #[serde(default)]
    org_identifier: String,
    #[serde(default)]
    policies: Vec<Box<RawValue>>,
}

/// The values of a condition key: a list says that it is multi-valued, also with one value. Numbers and booleans are
/// taken by their text.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

/// A policy with the name it has in a case.
struct Loaded {
    name: String,
    policy: Policy,
}

struct LoadedLevel {
    name: String,
    policies: Vec<Loaded>,
}

struct Decided {
    trace: Trace,
    warnings: Vec<String>,
}

impl Case {
    fn read(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| format!("the case cannot be read: {error}"))
    }

    fn decide(&self) -> Result<Decided, String> {
        let mut warnings = Vec::new();
        for field in self.other.keys().filter(|field| !FIELDS.contains(&field.as_str())) {
            warnings.push(format!("`{field}` is no field of a case and was passed over"));
        }
        let mut loader = Loader { warnings: &mut warnings };
        let identity =
            loader.list("identityPolicies", &self.identity_policies, PolicyKind::Identity)?;
        let boundary = loader.list(
            "permissionBoundaries",
            &self.permission_boundaries,
            PolicyKind::Boundary,
        )?;
        let session =
            loader.list("sessionPolicies", &self.session_policies, PolicyKind::Session)?;
        let endpoint =
            loader.list("endpointPolicies", &self.endpoint_policies, PolicyKind::Endpoint)?;
        let service_control = loader.levels(
            "serviceControlPolicies",
            &self.service_control_policies,
            PolicyKind::ServiceControl,
        )?;
        let resource_control = loader.levels(
            "resourceControlPolicies",
            &self.resource_control_policies,
            PolicyKind::ResourceControl,
        )?;
        let resource = match &self.resource_policy {
            Some(raw) if raw.get() != "null" => {
                Some(loader.document("resourcePolicy", raw.get(), PolicyKind::Resource)?)
            }
            _ => None,
        };
        let policies = Policies {
            identity: named(&identity),
            resource: resource.as_ref(),
            resource_must_allow: resource_must_allow(&self.action, &self.resource),
            boundary: optional(&boundary),
            session: optional(&session),
            service_control: levels(&service_control),
            resource_control: levels(&resource_control),
            endpoint: optional(&endpoint),
        };
        let trace = self.explain(&policies)?;
        Ok(Decided { trace, warnings })
    }

    fn explain(&self, policies: &Policies<'_>) -> Result<Trace, String> {
        check_action(&self.action)?;
        if self.resource != "*" {
            Arn::parse(&self.resource).map_err(|error| format!("`resource`: {error}"))?;
        }
        let given = self.given_context()?;
        let principal = principal_of(&self.principal, &given)?;
        let mut context = Context::for_principal(&principal);
        // The unique id of an entity that does not exist is not known.
        context.remove("aws:userid");
        let owner = Arn::parse(&self.resource).ok().and_then(|arn| arn.account_id());
        let resource_account = match self.resource_account.as_deref() {
            None | Some("") => owner.or_else(|| principal.account()),
            Some(text) => Some(
                AccountId::parse(text).map_err(|error| format!("`resourceAccount`: {error}"))?,
            ),
        };
        if let Some(account) = resource_account {
            context.insert("aws:ResourceAccount", account.to_string());
        }
        context.extend(&given);
        let request = Request {
            principal: &principal,
            action: &self.action,
            resource: &self.resource,
            resource_account,
            context: &context,
        };
        Ok(explain(&request, policies))
    }

    fn given_context(&self) -> Result<Context, String> {
        let mut context = Context::default();
        for (key, values) in self.context.iter().flatten() {
            let wrong = || format!("`context.{key}` must be a string or a list of strings");
            match values {
                OneOrMany::Many(values) => {
                    let values: Option<Vec<String>> = values.iter().map(text_of).collect();
                    context.insert_multi(key, values.ok_or_else(wrong)?);
                }
                OneOrMany::One(value) => context.insert(key, text_of(value).ok_or_else(wrong)?),
            }
        }
        Ok(context)
    }
}

/// Whether the resource's own policy has to allow whatever else does: a role's trust policy, and a key's policy (KMS
/// Developer Guide, key-policies).
#[must_use]
pub fn resource_must_allow(action: &str, resource: &str) -> bool {
    let Ok(arn) = Arn::parse(resource) else { return false };
    let service = action.split_once(':').map(|(service, _)| service).unwrap_or_default();
    match arn.service() {
        "iam" => service.eq_ignore_ascii_case("sts") && arn.resource().starts_with("role/"),
        "kms" => service.eq_ignore_ascii_case("kms") && arn.resource().starts_with("key/"),
        _ => false,
    }
}

fn check_action(action: &str) -> Result<(), String> {
    match action.split_once(':') {
        Some((service, name)) if !service.is_empty() && !name.is_empty() => Ok(()),
        _ => Err("`action` must be `service:Action`".to_owned()),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Reads the documents of a case.
struct Loader<'a> {
    warnings: &'a mut Vec<String>,
}

impl Loader<'_> {
    fn list(
        &mut self,
        field: &str,
        given: &Option<Vec<Box<RawValue>>>,
        kind: PolicyKind,
    ) -> Result<Vec<Loaded>, String> {
        let items = given.iter().flatten().enumerate();
        items.map(|(index, raw)| self.item(&format!("{field}[{index}]"), raw.get(), kind)).collect()
    }

    fn levels(
        &mut self,
        field: &str,
        given: &Option<Vec<CaseLevel>>,
        kind: PolicyKind,
    ) -> Result<Vec<LoadedLevel>, String> {
        let mut levels = Vec::new();
        for (index, level) in given.iter().flatten().enumerate() {
            let mut policies = Vec::new();
            for (place, raw) in level.policies.iter().enumerate() {
                let field = format!("{field}[{index}].policies[{place}]");
                policies.push(self.item(&field, raw.get(), kind)?);
            }
            levels.push(LoadedLevel { name: level.org_identifier.clone(), policies });
        }
        Ok(levels)
    }

    /// `{"name","policy"}`, or a document alone, which is then named after its place.
    fn item(&mut self, field: &str, raw: &str, kind: PolicyKind) -> Result<Loaded, String> {
        #[derive(Deserialize)]
        struct Item {
            #[serde(default)]
            name: Option<String>,
            policy: Box<RawValue>,
        }
        match serde_json::from_str::<Item>(raw) {
            Ok(item) => {
                let name = item.name.unwrap_or_else(|| field.to_owned());
                let policy = self.document(&format!("{field}.policy"), item.policy.get(), kind)?;
                Ok(Loaded { name, policy })
            }
            Err(_) => {
                let policy = self.document(field, raw, kind)?;
                Ok(Loaded { name: field.to_owned(), policy })
            }
        }
    }

    /// A document, as JSON or as a string that holds it.
    fn document(&mut self, field: &str, raw: &str, kind: PolicyKind) -> Result<Policy, String> {
        let inside = serde_json::from_str::<String>(raw);
        let text = inside.as_deref().unwrap_or(raw);
        let told = |error: &ParseError| format!("`{field}`: {error}");
        let (policy, noted) = Policy::parse_tolerantly(text, kind).map_err(|error| told(&error))?;
        self.warnings.extend(noted.iter().map(told));
        Ok(policy)
    }
}

fn named(loaded: &[Loaded]) -> Vec<Named<'_>> {
    loaded.iter().map(|item| Named { name: &item.name, policy: &item.policy }).collect()
}

/// An empty list limits nothing, as a list that is not given.
fn optional(loaded: &[Loaded]) -> Option<Vec<Named<'_>>> {
    (!loaded.is_empty()).then(|| named(loaded))
}

fn levels(loaded: &[LoadedLevel]) -> Vec<Level<'_>> {
    loaded
        .iter()
        .map(|level| Level { name: &level.name, policies: named(&level.policies) })
        .collect()
}
