//! From JSON to statements, with the rules of each kind of policy.
//! Source: IAM User Guide, reference_policies_grammar and the pages of its elements.

mod conditions;
mod principals;
mod resources;
mod shared_providers;

use std::cell::RefCell;
use std::ops::Range;

use super::arn_pattern::ArnPattern;
use super::condition::Condition;
use super::error::ParseError;
use super::json::{self, Member, Node, Value};
use super::pattern::Pattern;
use super::principal::Named;
use super::{Context, PolicyKind, TRUST_ACTIONS};

pub(super) use conditions::value_text;
pub(super) use resources::refusal as resource_refusal;

/// Bytes of a policy document (IAM API Reference, PutRolePolicy).
pub const DOCUMENT_BYTES_MAX: usize = 131_072;

/// Characters of an endpoint policy, white space included (VPC User Guide, vpc-endpoints-access).
const ENDPOINT_CHARS_MAX: usize = 20_480;

const POLICY_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
];

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A list of patterns that has to match, or with `Not...` must not.
#[derive(Clone, Debug)]
pub(super) struct Selection<T> {
    pub(super) not: bool,
    pub(super) items: Vec<T>,
}

/// One statement, ready to be matched.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    /// In lower case.
    pub(super) actions: Selection<Pattern>,
    /// The one service that all its actions are of.
    pub(super) service: Option<Box<str>>,
    pub(super) resources: Option<Selection<ArnPattern>>,
    pub(super) principals: Option<Selection<PlacedPrincipal>>,
    pub(super) conditions: Vec<Condition>,
}

/// A principal and where its text stands, quotes included.
#[derive(Clone, Debug)]
pub(super) struct PlacedPrincipal {
    pub(super) named: Named,
    pub(super) span: Range<usize>,
}

/// What is done with mistakes that leave no doubt about what a policy means.
pub(super) enum Strictness {
    /// They are refused, as when a policy is stored.
    Strict,
    /// They are noted, as when policies are tried out.
    Tolerant(RefCell<Vec<ParseError>>),
    /// They are passed over, as when a policy is read again that was stored under older rules.
    Stored,
}

impl Strictness {
    fn mistake(&self, error: ParseError) -> Result<(), ParseError> {
        match self {
            Self::Strict => Err(error),
            Self::Tolerant(noted) => {
                noted.borrow_mut().push(error);
                Ok(())
            }
            Self::Stored => Ok(()),
        }
    }

    /// A part that IAM refuses because it cannot be told what is meant. A stored policy may have it.
    fn refuse(&self, error: ParseError) -> Result<(), ParseError> {
        match self {
            Self::Strict | Self::Tolerant(_) => Err(error),
            Self::Stored => Ok(()),
        }
    }
}

/// Reads the statements of a policy.
pub(super) fn statements(
    text: &str,
    kind: PolicyKind,
    strictness: &Strictness,
) -> Result<Vec<Statement>, ParseError> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let rule = format!("a policy has at most {DOCUMENT_BYTES_MAX} bytes");
        return Err(ParseError::new("$", json::START, &rule));
    }
    let root = json::read(text)?;
    let Value::Object(members) = &root.value else {
        return Err(ParseError::new("$", root.at, "a policy is a JSON object"));
    };
    known_elements("$", members, &POLICY_ELEMENTS)?;
    let variables = version(members)?;
    if kind == PolicyKind::ResourceControl && !variables {
        let rule = "a resource control policy has `\"Version\": \"2012-10-17\"`";
        strictness.mistake(ParseError::new("$", root.at, rule))?;
    }
    if kind == PolicyKind::Endpoint && text.chars().count() > ENDPOINT_CHARS_MAX {
        let rule = format!("an endpoint policy has at most {ENDPOINT_CHARS_MAX} characters");
        strictness.mistake(ParseError::new("$", root.at, &rule))?;
    }
    if let Some(id) = member(members, "Id").filter(|id| !matches!(id.node.value, Value::Text(_))) {
        strictness.mistake(ParseError::new("$.Id", id.node.at, "must be a string"))?;
    }
    let Some(statement) = member(members, "Statement") else {
        return Err(ParseError::new("$", root.at, "`Statement` is missing"));
    };
    let nodes = match &statement.node.value {
        Value::List(nodes) => nodes.iter().collect(),
        _ => vec![&statement.node],
    };
    if nodes.is_empty() {
        let error = ParseError::new("$.Statement", statement.node.at, "holds no statement");
        strictness.mistake(error)?;
    }
    let several = matches!(statement.node.value, Value::List(_));
    let mut statements: Vec<Statement> = Vec::new();
    for (index, node) in nodes.into_iter().enumerate() {
        let path = if several { format!("$.Statement[{index}]") } else { "$.Statement".to_owned() };
        let reader = StatementReader { path, kind, variables, strictness };
        let statement = reader.read(node)?;
        let twice = |other: &Statement| other.sid.is_some() && other.sid == statement.sid;
        if statements.iter().any(twice) {
            let sid = statement_sid(node).unwrap_or(node);
            return Err(reader.error(".Sid", sid, "is not unique in the policy"));
        }
        statements.push(statement);
    }
    Ok(statements)
}

/// Where the `Sid` of a statement stands.
fn statement_sid(node: &Node) -> Option<&Node> {
    let Value::Object(members) = &node.value else { return None };
    member(members, "Sid").map(|sid| &sid.node)
}

/// Whether the version knows policy variables.
fn version(members: &[Member]) -> Result<bool, ParseError> {
    let Some(version) = member(members, "Version") else { return Ok(false) };
    match &version.node.value {
        Value::Text(text) if text == "2012-10-17" => Ok(true),
        Value::Text(text) if text == "2008-10-17" => Ok(false),
        _ => {
            let rule = "must be \"2012-10-17\" or \"2008-10-17\"";
            let mut error = ParseError::new("$.Version", version.node.at, rule);
            error.suggestion = Some("2012-10-17".to_owned());
            Err(error)
        }
    }
}

/// Whether a document has the newest version.
pub(super) fn newest_version(text: &str) -> Result<(), ParseError> {
    let root = json::read(text)?;
    let is_newest = match &root.value {
        Value::Object(members) => version(members)?,
        _ => false,
    };
    if is_newest {
        return Ok(());
    }
    let rule = "Policy document must be version 2012-10-17 or greater.";
    Err(ParseError::new("$.Version", root.at, rule).meant("2012-10-17"))
}

fn member<'a>(members: &'a [Member], key: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.key == key)
}

fn known_elements(path: &str, members: &[Member], known: &[&str]) -> Result<(), ParseError> {
    for member in members {
        if !known.contains(&member.key.as_str()) {
            let rule = format!("unknown element `{}`", member.key);
            let error = ParseError::new(path, member.key_at, &rule);
            return Err(error.suggest(&member.key, known));
        }
    }
    Ok(())
}

struct StatementReader<'s> {
    path: String,
    kind: PolicyKind,
    variables: bool,
    strictness: &'s Strictness,
}

impl StatementReader<'_> {
    fn error(&self, element: &str, node: &Node, rule: &str) -> ParseError {
        ParseError::new(&format!("{}{element}", self.path), node.at, rule)
    }

    fn read(&self, node: &Node) -> Result<Statement, ParseError> {
        let Value::Object(members) = &node.value else {
            return Err(self.error("", node, "a statement is a JSON object"));
        };
        known_elements(&self.path, members, &STATEMENT_ELEMENTS)?;
        let effect = self.effect(node, members)?;
        let (actions, service) = self.actions(node, members, effect)?;
        let statement = Statement {
            sid: self.sid(members)?,
            effect,
            actions,
            service,
            resources: self.resources(node, members, effect)?,
            principals: self.principals(node, members)?,
            conditions: self.conditions(members)?,
        };
        self.check_resource_control(node, members, &statement)?;
        self.check_shared_providers(members, &statement)?;
        Ok(statement)
    }

    /// What a resource control policy may not say: it allows nothing and denies no action of every service at once, but
    /// for AWS's own RCPFullAWSAccess (Organizations User Guide, orgs_manage_policies_rcps_syntax). Without doubt about
    /// what is meant: such an Allow never changes anything.
    fn check_resource_control(
        &self,
        node: &Node,
        members: &[Member],
        statement: &Statement,
    ) -> Result<(), ParseError> {
        if self.kind != PolicyKind::ResourceControl {
            return Ok(());
        }
        let is_star = |element: &str| {
            let value = member(members, element).map(|member| &member.node.value);
            matches!(value, Some(Value::Text(text)) if text == "*")
        };
        if statement.effect == Effect::Allow {
            if ["Principal", "Action", "Resource"].into_iter().all(is_star)
                && statement.conditions.is_empty()
            {
                return Ok(());
            }
            let rule = "a resource control policy denies only: `Allow` is RCPFullAWSAccess's";
            self.strictness.mistake(self.error(".Effect", node, rule).meant("Deny"))?;
        }
        if let Some(not) = member(members, "NotAction") {
            let rule = "a resource control policy names its actions in `Action`";
            self.strictness.mistake(self.error(".NotAction", &not.node, rule).meant("Action"))?;
        }
        if let Some(action) = member(members, "Action") {
            for (text, node) in self.texts(".Action", &action.node)? {
                if text.split(':').all(|part| part == "*") {
                    let rule = "a resource control policy names the services of its actions";
                    self.strictness.mistake(self.error(".Action", node, rule))?;
                }
            }
        }
        Ok(())
    }

    /// Whether a part that was refused is left out of a stored policy: an Allow by it grants nothing. Where it exempts
    /// something from an Allow, and in a Deny, it keeps the meaning that it had, so that nothing more is allowed.
    fn leaves_out(effect: Effect, not: bool) -> bool {
        effect == Effect::Allow && !not
    }

    fn sid(&self, members: &[Member]) -> Result<Option<String>, ParseError> {
        let Some(sid) = member(members, "Sid") else { return Ok(None) };
        let Value::Text(text) = &sid.node.value else {
            return Err(self.error(".Sid", &sid.node, "must be a string"));
        };
        // Services' own policies may have other signs in it (IAM User Guide,
        // reference_policies_elements_sid).
        let narrow = !matches!(self.kind, PolicyKind::Trust | PolicyKind::Resource);
        if narrow && !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let rule = "may hold A-Z, a-z and 0-9 only";
            let kept: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            self.strictness.mistake(self.error(".Sid", &sid.node, rule).meant(&kept))?;
        }
        Ok(Some(text.clone()).filter(|text| !text.is_empty()))
    }

    fn effect(&self, node: &Node, members: &[Member]) -> Result<Effect, ParseError> {
        let Some(effect) = member(members, "Effect") else {
            return Err(self.error("", node, "`Effect` is missing"));
        };
        match &effect.node.value {
            Value::Text(text) if text == "Allow" => Ok(Effect::Allow),
            Value::Text(text) if text == "Deny" => Ok(Effect::Deny),
            Value::Text(text) => {
                let error = self.error(".Effect", &effect.node, "must be `Allow` or `Deny`");
                Err(error.suggest(text, &["Allow", "Deny"]))
            }
            _ => Err(self.error(".Effect", &effect.node, "must be `Allow` or `Deny`")),
        }
    }

    /// The element or its `Not...` form; not both.
    fn either<'a>(
        &self,
        members: &'a [Member],
        element: &str,
    ) -> Result<Option<(bool, &'a Member)>, ParseError> {
        let not = member(members, &format!("Not{element}"));
        match (member(members, element), not) {
            (Some(_), Some(not)) => {
                let rule = format!("`{element}` and `Not{element}` exclude each other");
                Err(self.error("", &not.node, &rule))
            }
            (Some(plain), None) => Ok(Some((false, plain))),
            (None, Some(not)) => Ok(Some((true, not))),
            (None, None) => Ok(None),
        }
    }

    /// A string or a list of strings.
    fn texts<'a>(
        &self,
        element: &str,
        node: &'a Node,
    ) -> Result<Vec<(&'a str, &'a Node)>, ParseError> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        let text = |node: &'a Node| match &node.value {
            Value::Text(text) => Ok((text.as_str(), node)),
            _ => Err(self.error(element, node, "must be a string or a list of strings")),
        };
        nodes.into_iter().map(text).collect()
    }

    /// What is stored and names another service stays refused; another action of STS matches nothing there.
    fn check_trust_action(
        &self,
        element: &str,
        (text, node): (&str, &Node),
    ) -> Result<(), ParseError> {
        let rule = "AssumeRole policy may only specify STS AssumeRole actions.";
        let error = || self.error(element, node, rule);
        let service = text.split_once(':').map(|(service, _)| service);
        if !service.is_some_and(|service| service.eq_ignore_ascii_case("sts")) {
            return Err(error().meant("sts:AssumeRole"));
        }
        let pattern = Pattern::plain(&text.to_ascii_lowercase());
        let is_one =
            |action: &&str| pattern.matches(&action.to_ascii_lowercase(), &Context::default());
        if TRUST_ACTIONS.iter().any(is_one) {
            return Ok(());
        }
        self.strictness.mistake(error().suggest(text, &TRUST_ACTIONS))
    }

    /// The actions, and the one service that they all are of, if they are.
    fn actions(
        &self,
        node: &Node,
        members: &[Member],
        effect: Effect,
    ) -> Result<(Selection<Pattern>, Option<Box<str>>), ParseError> {
        let Some((not, found)) = self.either(members, "Action")? else {
            return Err(self.error("", node, "`Action` or `NotAction` is missing"));
        };
        let element = format!(".{}", found.key);
        let mut items = Vec::new();
        let mut services = Vec::new();
        let texts = self.texts(&element, &found.node)?;
        if texts.is_empty() {
            return Err(self.error(&element, &found.node, "holds no action"));
        }
        for (text, node) in texts {
            let service = text.split_once(':').map(|(service, _)| service);
            if text != "*" && service.is_none_or(str::is_empty) {
                let rule = "an action is `*` or `service:Action`";
                return Err(self.error(&element, node, rule));
            }
            if let Some(rule) = malformed_action(text) {
                self.strictness.mistake(self.error(&element, node, rule))?;
            }
            if self.kind == PolicyKind::Trust {
                self.check_trust_action(&element, (text, node))?;
            }
            if service.is_some_and(is_no_service) {
                let rule = "an action's service is written out: letters, digits, `-` and `.`, or a lone `*`";
                self.strictness.refuse(self.error(&element, node, rule))?;
                if Self::leaves_out(effect, not) {
                    continue;
                }
            }
            items.push(Pattern::plain(&text.to_ascii_lowercase()));
            let known = service.filter(|service| !service.contains(['*', '?']));
            services.push(known.map(str::to_ascii_lowercase));
        }
        services.dedup();
        let service = match services.as_slice() {
            [Some(service)] if !not => Some(Box::from(service.as_str())),
            _ => None,
        };
        Ok((Selection { not, items }, service))
    }
}

/// Whether the part of an action before the colon is no service (IAM's recorded refusal: "Vendor s* is not valid").
fn is_no_service(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    text != "*" && !text.chars().all(legal)
}

/// The rule that an action of the form `service:Action` breaks, if any. Such an action matches nothing.
fn malformed_action(text: &str) -> Option<&'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "*?-_.".contains(c);
    match text.split_once(':') {
        Some((_, "")) => Some("an action is `*` or `service:Action`"),
        Some((service, action)) if !service.chars().chain(action.chars()).all(legal) => {
            Some("an action holds letters, digits, `-`, `_`, `.`, `*` and `?`; several are a list")
        }
        _ => None,
    }
}
