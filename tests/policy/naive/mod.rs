//! An evaluator that is right by being read: straight from the JSON of a case, with no index, no compiled
//! forms and no haste. Each function is a sentence of the IAM User Guide, whose page it names. It shares no
//! code with the engine, which it is there to be compared with.

mod caller;
mod values;
mod wildcards;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use caller::{Named, Who};
use wildcards::{Symbol, arn_parts};
pub(crate) use wildcards::{symbols, wildcards_match};

/// Decides a case of the form that `locum policy simulate` reads; its documents have to be valid.
/// Source: reference_policies_evaluation-logic_policy-eval-denyallow and the pages it leads to.
pub(crate) fn decide(case: &Value) -> &'static str {
    let request = Request::of(case);
    if request.action.eq_ignore_ascii_case("sts:GetCallerIdentity") {
        return "allowed";
    }
    let policies = Policies::of(case);
    if policies.applicable(&request).any(|policy| request.finds(policy, "Deny").is_some()) {
        return "explicitlyDenied";
    }
    let allowed = limits_allow(&request, &policies) && permissions_allow(&request, &policies);
    if allowed { "allowed" } else { "implicitlyDenied" }
}

struct Request {
    who: Who,
    action: String,
    resource: String,
    owner: Option<String>,
    /// Keys in lower case, for names of keys ignore case (reference_policies_condition-keys).
    context: BTreeMap<String, Vec<String>>,
    /// The keys of which the case gives a list: they are multi-valued, whatever is in it.
    lists: BTreeSet<String>,
    has_boundary: bool,
}

#[derive(Default)]
struct Policies {
    identity: Vec<Value>,
    resource: Option<Value>,
    boundaries: Vec<Value>,
    session: Vec<Value>,
    service_control: Vec<Vec<Value>>,
    resource_control: Vec<Vec<Value>>,
    endpoint: Vec<Value>,
}

/// Limits that bind whoever grants: service control policies, one of which has to allow at each level, and
/// the endpoint's (orgs_manage_policies_scps_evaluation; VPC User Guide, vpc-endpoints-access).
fn limits_allow(request: &Request, policies: &Policies) -> bool {
    let levels = &policies.service_control;
    let bound = request.who.account.is_some() && !request.who.is_service_linked();
    let level_allows = |level: &Vec<Value>| request.any_allows(level);
    (!bound || levels.iter().all(level_allows))
        && (policies.endpoint.is_empty() || request.any_allows(&policies.endpoint))
}

/// reference_policies_evaluation-logic_policy-eval-basics, ..._policy-eval-denyallow (the table on
/// resource-based policies and implicit denies), and reference_policies_evaluation-logic-cross-account.
fn permissions_allow(request: &Request, policies: &Policies) -> bool {
    let named = policies.resource.as_ref().and_then(|policy| request.grants(policy));
    let bounds = (policies.boundaries.is_empty() || request.any_allows(&policies.boundaries))
        && (policies.session.is_empty() || request.any_allows(&policies.session));
    let identity = request.who.is_root || request.any_allows(&policies.identity);
    let Some(account) = &request.who.account else { return named.is_some() };
    if request.owner.as_ref().is_some_and(|owner| owner != account) {
        return named.is_some() && identity && bounds;
    }
    if request.resource_policy_must_allow() && named.is_none() {
        return false;
    }
    match named {
        Some(Named::Itself) => true,
        Some(Named::ByRole) => bounds,
        Some(Named::ByAccount) | None => identity && bounds,
    }
}

impl Policies {
    fn of(case: &Value) -> Self {
        let list = |field: &str| -> Vec<Value> { documents(&case[field]) };
        let levels = |field: &str| -> Vec<Vec<Value>> {
            many(&case[field]).iter().map(|level| documents(&level["policies"])).collect()
        };
        Self {
            identity: list("identityPolicies"),
            resource: case.get("resourcePolicy").filter(|policy| !policy.is_null()).cloned(),
            boundaries: list("permissionBoundaries"),
            session: list("sessionPolicies"),
            service_control: levels("serviceControlPolicies"),
            resource_control: levels("resourceControlPolicies"),
            endpoint: list("endpointPolicies"),
        }
    }

    /// Every policy whose denies bind the caller: guardrails do not bind service-linked roles, and service
    /// control policies only principals of accounts (orgs_manage_policies_scps, orgs_manage_policies_rcps).
    fn applicable(&self, request: &Request) -> impl Iterator<Item = &Value> {
        let guarded = !request.who.is_service_linked();
        let of_account = guarded && request.who.account.is_some();
        let scps = self.service_control.iter().flatten().filter(move |_| of_account);
        let rcps = self.resource_control.iter().flatten().filter(move |_| guarded);
        self.identity
            .iter()
            .chain(&self.resource)
            .chain(&self.boundaries)
            .chain(&self.session)
            .chain(&self.endpoint)
            .chain(scps)
            .chain(rcps)
    }
}

impl Request {
    fn of(case: &Value) -> Self {
        let text = |field: &str| case[field].as_str().unwrap_or_default().to_owned();
        let keys = || case["context"].as_object().into_iter().flatten();
        let given: BTreeMap<String, Vec<String>> =
            keys().map(|(key, values)| (key.to_lowercase(), texts(values))).collect();
        let lists = keys().filter(|(_, values)| values.is_array());
        let lists = lists.map(|(key, _)| key.to_lowercase()).collect();
        let (who, mut context) = Who::read(&text("principal"), &given);
        let resource = text("resource");
        let of_arn = resource.split(':').nth(4).filter(|account| !account.is_empty());
        let owner = case["resourceAccount"].as_str().filter(|account| !account.is_empty());
        let owner = owner.or(of_arn).map(str::to_owned).or_else(|| who.account.clone());
        if let Some(owner) = &owner {
            context.insert("aws:resourceaccount".to_owned(), vec![owner.clone()]);
        }
        context.extend(given);
        let has_boundary = !many(&case["permissionBoundaries"]).is_empty();
        Self { who, action: text("action"), resource, owner, context, lists, has_boundary }
    }

    /// Trust policies and key policies have to allow, whatever else does.
    fn resource_policy_must_allow(&self) -> bool {
        let action = self.action.to_lowercase();
        let part = |index: usize| self.resource.splitn(6, ':').nth(index).unwrap_or_default();
        (part(2) == "iam" && part(5).starts_with("role/") && action.starts_with("sts:"))
            || (part(2) == "kms" && part(5).starts_with("key/") && action.starts_with("kms:"))
    }

    fn any_allows(&self, policies: &[Value]) -> bool {
        policies.iter().any(|policy| self.finds(policy, "Allow").is_some())
    }

    /// How directly the statements of this effect that apply name the caller; none if none applies.
    fn finds(&self, policy: &Value, effect: &str) -> Option<Named> {
        self.applying(policy, effect).iter().filter_map(|one| self.names_caller(one)).max()
    }

    /// The same of what a resource's policy grants.
    fn grants(&self, policy: &Value) -> Option<Named> {
        self.applying(policy, "Allow").iter().filter_map(|one| self.grants_caller(one)).max()
    }

    fn applying(&self, policy: &Value, effect: &str) -> Vec<Value> {
        let variables = policy["Version"] == "2012-10-17";
        many(&policy["Statement"])
            .into_iter()
            .filter(|statement| statement["Effect"] == effect)
            .filter(|statement| self.is_on_action(statement))
            .filter(|statement| self.is_on_resource(statement, variables))
            .filter(|statement| self.conditions_hold(statement, variables))
            .collect()
    }

    /// access_policies#policies_session, reference_policies_evaluation-logic_policy-eval-denyallow: what is granted to
    /// everyone is limited as if the role were named, unless the caller's ARN is asked for. It is not for holders of
    /// providers' tokens (id_roles_create_for-idp_oidc).
    fn grants_caller(&self, statement: &Value) -> Option<Named> {
        let everyone = match asks_for_principal(statement) {
            _ if self.who.is_federated => None,
            true => Some(Named::Itself),
            false => Some(Named::ByRole),
        };
        if statement.get("NotPrincipal").is_some() {
            return self.names_caller(statement).and(everyone);
        }
        let Some(principal) = statement.get("Principal") else {
            return self.names_caller(statement);
        };
        let names = principals(principal);
        let how = |name: &String| if name == "*" { everyone } else { self.who.is_named(name) };
        names.iter().filter_map(how).max()
    }

    /// reference_policies_elements_action, ..._notaction: names of actions ignore case.
    fn is_on_action(&self, statement: &Value) -> bool {
        let matches = |pattern: &String| {
            wildcards_match(&symbols(&pattern.to_lowercase()), &self.action.to_lowercase())
        };
        match statement.get("NotAction") {
            Some(not) => !texts(not).iter().any(matches),
            None => texts(&statement["Action"]).iter().any(matches),
        }
    }

    /// reference_policies_elements_resource, ..._notresource. A policy of a resource may leave it out.
    fn is_on_resource(&self, statement: &Value, variables: bool) -> bool {
        let matches = |pattern: &String| self.resource_matches(pattern, variables);
        match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(these), _) => texts(these).iter().any(matches),
            (None, Some(not)) => {
                // An allow is invalid if it is not known what it exempts.
                let known = |pattern: &String| self.expand(pattern, variables).is_some();
                let denies = statement["Effect"] == "Deny";
                let valid = denies || texts(not).iter().all(known);
                valid && !texts(not).iter().any(matches)
            }
            (None, None) => true,
        }
    }

    /// Part by part; but "if the * wildcard is the last character of a resource ARN segment, it can expand
    /// to match beyond the colon boundaries", which is done unless a wildcard inside of a part would, too.
    fn resource_matches(&self, pattern: &str, variables: bool) -> bool {
        if pattern == "*" || self.arn_matches(pattern, &self.resource, variables) {
            return true;
        }
        let parts = arn_parts(pattern, variables);
        let Some((_, before)) = parts.split_last() else { return false };
        let ends = before.iter().any(|part| part.ends_with('*'));
        let inside = before.iter().any(|part| {
            let part = part.strip_suffix('*').unwrap_or(part);
            self.expand(part, variables).is_some_and(|s| s.iter().any(Symbol::is_wild))
        });
        let is_arn = self.resource.splitn(6, ':').count() == 6;
        is_arn && ends && !inside && self.text_matches(pattern, &self.resource, variables)
    }

    /// Each of the six parts by itself; what a pattern leaves out is `*`.
    fn arn_matches(&self, pattern: &str, arn: &str, variables: bool) -> bool {
        if pattern == "*" {
            return true;
        }
        let given: Vec<&str> = arn.splitn(6, ':').collect();
        let mut patterns = arn_parts(pattern, variables);
        patterns.resize(6, "*".to_owned());
        given.len() == 6
            && given.iter().zip(&patterns).all(|(g, p)| self.text_matches(p, g, variables))
    }

    fn text_matches(&self, pattern: &str, text: &str, variables: bool) -> bool {
        self.expand(pattern, variables).is_some_and(|pattern| wildcards_match(&pattern, text))
    }

    /// reference_policies_variables: values are plain text; `${*}`, `${?}`, `${$}` are characters; a
    /// variable without value and default makes a text that nothing matches.
    fn expand(&self, text: &str, variables: bool) -> Option<Vec<Symbol>> {
        let mut expanded = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${").filter(|_| variables) {
            let (inside, after) = after.split_once('}')?;
            let value = match inside {
                "*" | "?" | "$" => inside.to_owned(),
                _ => self.variable(inside)?,
            };
            expanded.extend(symbols(before));
            expanded.extend(value.chars().map(Symbol::Char));
            rest = after;
        }
        expanded.extend(symbols(rest));
        Some(expanded)
    }

    fn variable(&self, inside: &str) -> Option<String> {
        let (key, default) = match inside.split_once(',') {
            Some((key, default)) => (key, Some(default.trim().trim_matches('\''))),
            None => (inside, None),
        };
        let key = key.trim().to_lowercase();
        match self.context.get(&key).map(Vec::as_slice) {
            None | Some([]) => default.map(str::to_owned),
            Some(_) if self.lists.contains(&key) => None,
            Some(values) => values.first().cloned(),
        }
    }

    /// reference_policies_elements_principal, ..._notprincipal. A statement without the element is part of
    /// a policy that is attached to the caller, and means it.
    fn names_caller(&self, statement: &Value) -> Option<Named> {
        if let Some(principal) = statement.get("Principal") {
            return principals(principal).iter().filter_map(|name| self.who.is_named(name)).max();
        }
        let Some(not) = statement.get("NotPrincipal") else { return Some(Named::Itself) };
        let listed = principals(not);
        let closest = listed.iter().filter_map(|name| self.who.is_named(name)).max();
        let deny = statement["Effect"] == "Deny";
        let exempt = match closest {
            None => false,
            Some(_) if !deny => true,
            Some(_) if self.has_boundary => false,
            Some(Named::Itself) => true,
            // Beside narrower names, a role or account is listed for the sake of services that check it.
            Some(Named::ByRole) => !listed.iter().any(|name| self.who.shares_role_with(name)),
            Some(Named::ByAccount) => {
                self.who.is_root || !listed.iter().any(|name| self.who.shares_account_with(name))
            }
        };
        (!exempt).then_some(Named::Itself)
    }

    /// reference_policies_elements_condition: all operators and all keys have to hold.
    fn conditions_hold(&self, statement: &Value, variables: bool) -> bool {
        let Some(operators) = statement["Condition"].as_object() else { return true };
        let denies = statement["Effect"] == "Deny";
        operators.iter().all(|(operator, keys)| {
            let mut keys = keys.as_object().into_iter().flatten();
            keys.all(|(key, values)| {
                let (operator, expected) = (operator.to_lowercase(), &texts(values)[..]);
                let negated = operator.contains("not");
                let test = Tested { operator, negated, expected, variables, denies };
                self.condition_holds(test, &key.to_lowercase())
            })
        })
    }

    /// reference_policies_elements_condition_operators and
    /// reference_policies_condition-single-vs-multi-valued-context-keys.
    fn condition_holds(&self, mut test: Tested<'_>, key: &str) -> bool {
        let given = self.context.get(key).filter(|values| !values.is_empty());
        if test.operator == "null" {
            let asked = |null: &String| (null.to_lowercase() == "true") == given.is_none();
            return test.expected.iter().any(asked);
        }
        let (set, operator) = match test.operator.split_once(':') {
            Some((set, operator)) => (set.to_owned(), operator.to_owned()),
            None => (String::new(), test.operator.clone()),
        };
        let if_exists = operator.ends_with("ifexists");
        test.operator = operator.trim_end_matches("ifexists").replace("not", "");
        // reference_policies_variables: a variable that is not present makes the statement invalid, unless IfExists
        // prevents it. That is no way round a deny.
        let unresolved = |text: &String| self.expand(text, test.variables).is_none();
        let invalid = !test.denies && test.expected.iter().any(unresolved);
        let empty = |values: &&Vec<String>| values.iter().all(String::is_empty);
        let given = given.filter(|values| set.is_empty() || !empty(values));
        let Some(given) = given else {
            return match set.as_str() {
                "forallvalues" => if_exists || !invalid,
                "foranyvalue" => if_exists,
                _ => if_exists || (test.negated && !invalid),
            };
        };
        if test.negated && invalid {
            return false;
        }
        let one = |value: &String| self.value_satisfies(&test, value);
        match set.as_str() {
            "forallvalues" => given.iter().all(one),
            "foranyvalue" => given.iter().any(one),
            // "Multivalued context keys require a condition set operator."
            _ => !self.lists.contains(key) && given.iter().all(one),
        }
    }

    /// One value of the request matches one of the policy's, or, negated, none. A negated operator on what cannot be
    /// compared holds in a deny alone.
    fn value_satisfies(&self, test: &Tested<'_>, given: &str) -> bool {
        let plain = |text: &String| -> Option<String> {
            let symbols = self.expand(text, test.variables)?;
            Some(symbols.iter().map(Symbol::char).collect())
        };
        let any = |matches: &dyn Fn(&String) -> bool| test.expected.iter().any(matches);
        let matched = match test.operator.as_str() {
            "stringequals" => any(&|text| plain(text).is_some_and(|text| text == given)),
            "stringequalsignorecase" => any(&|text| {
                plain(text).is_some_and(|text| text.to_lowercase() == given.to_lowercase())
            }),
            "stringlike" => any(&|text| self.text_matches(text, given, test.variables)),
            "arnequals" | "arnlike" => any(&|text| self.arn_matches(text, given, test.variables)),
            operator => {
                let resolved: Vec<String> = test.expected.iter().filter_map(plain).collect();
                values::matched(operator, given, &resolved)
            }
        };
        let comparable = match test.operator.as_str() {
            "arnequals" | "arnlike" => given.splitn(6, ':').count() == 6,
            operator => values::can_be_compared(operator, given),
        };
        match test.negated {
            false => matched,
            true => !matched && (comparable || test.denies),
        }
    }
}

/// What an operator compares values of a request with.
struct Tested<'a> {
    operator: String,
    negated: bool,
    expected: &'a [String],
    variables: bool,
    denies: bool,
}

/// A list, or the one thing that stands for a list of one.
fn many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    many(value).iter().map(text).collect()
}

/// The documents of a list of `{"name","policy"}` or of bare documents.
fn documents(list: &Value) -> Vec<Value> {
    many(list).iter().map(|item| item.get("policy").unwrap_or(item).clone()).collect()
}

/// Whether a condition names the ARNs of the principals that are meant.
fn asks_for_principal(statement: &Value) -> bool {
    let mut operators = statement["Condition"].as_object().into_iter().flatten();
    operators.any(|(operator, keys)| {
        let operator = operator.to_lowercase();
        let one = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
        let kinds =
            ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"];
        let mut keys = keys.as_object().into_iter().flatten();
        kinds.contains(&one) && keys.any(|(key, _)| key.to_lowercase() == "aws:principalarn")
    })
}

/// The names of a Principal element, of all kinds; nobody here is a canonical user.
fn principals(element: &Value) -> Vec<String> {
    match element {
        Value::Object(kinds) => {
            let known = kinds.iter().filter(|(kind, _)| *kind != "CanonicalUser");
            known.flat_map(|(_, names)| texts(names)).collect()
        }
        other => texts(other),
    }
}
