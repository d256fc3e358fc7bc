//! Trust in identity providers whose tokens all their customers have: a condition has to tell the customers apart.
//! Stored policies are not asked for it. Source: IAM User Guide, id_roles_providers_oidc_secure-by-default
//! ("Identity-provider controls for shared OIDC providers"), id_roles_create_for-idp_oidc ("Configuring a role for GitHub
//! OIDC identity provider"). Which operators count no page says; they are those that IAM was seen to take.

use super::{Effect, Statement, StatementReader, member};
use crate::identity::Arn;
use crate::policy::condition::{Kind, Operator};
use crate::policy::error::ParseError;
use crate::policy::json::{Member, Node, Value};
use crate::policy::parse::value_text;
use crate::policy::principal::Named;
use crate::policy::{Context, PolicyKind};

/// The one action that admits tokens of OpenID Connect providers.
const ACTION: &str = "sts:assumerolewithwebidentity";
/// What the issuers of GitHub Actions begin with; those of an enterprise have a path.
const GITHUB: &str = "token.actions.githubusercontent.com";
/// The claims of GitHub Actions, one of which is limited.
const GITHUB_CLAIMS: [&str; 2] = ["sub", "job_workflow_ref"];
/// The other issuers and the claim that is limited, or the whole key of one that is no claim.
const SHARED: [(&str, &str); 21] = [
    ("agent.buildkite.com", "sub"),
    ("api.pulumi.com/oidc", "aud"),
    ("app.terraform.io", "sub"),
    ("cognito-identity.amazonaws.com", "aud"),
    ("gitlab.com", "sub"),
    ("oidc-configuration.audit-log.githubusercontent.com", "sub"),
    ("oidc.codefresh.io", "sub"),
    ("oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu", "sub"),
    ("oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb", "sub"),
    ("oidc.vercel.com", "aud"),
    ("proidc.upbound.io", "sub"),
    ("rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7", "sub"),
    ("rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr", "sub"),
    ("rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg", "sub"),
    ("rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26", "sub"),
    ("sandboxes.cloud", "aud"),
    ("scalr.io", "sub"),
    ("sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d", "sts:RoleSessionName"),
    ("studio.datachain.ai/api", "sub"),
    ("tokens.cloud.shisho.dev", "sub"),
    ("vstoken.actions.githubusercontent.com", "sub"),
];

/// What a statement has to limit.
struct Control {
    /// Condition keys; one is enough.
    keys: Vec<String>,
    is_github: bool,
}

impl StatementReader<'_> {
    /// Every statement that admits a shared provider's tokens limits whose.
    pub(super) fn check_shared_providers(
        &self,
        members: &[Member],
        statement: &Statement,
    ) -> Result<(), ParseError> {
        let admits = self.kind == PolicyKind::Trust && statement.effect == Effect::Allow;
        let Some(principals) = statement.principals.as_ref().filter(|_| admits) else {
            return Ok(());
        };
        let (actions, context) = (&statement.actions, Context::default());
        let named = actions.items.iter().any(|action| action.matches(ACTION, &context));
        if named == actions.not {
            return Ok(());
        }
        for item in &principals.items {
            let Named::Federated(name) = &item.named else { continue };
            let Some(control) = Control::of(name).filter(|control| !control.is_met(members)) else {
                continue;
            };
            let keys = control.keys.join("` or `");
            let rule = format!(
                "Everyone at this identity provider has its tokens: the statement must limit `{keys}` by \
                 StringEquals, StringLike or StringEqualsIgnoreCase, to values that do not begin with or consist of \
                 wildcards"
            );
            let place = member(members, "Condition").or_else(|| member(members, "Principal"));
            let Some(place) = place else { continue };
            let element = format!(".{}", place.key);
            self.strictness.mistake(self.error(&element, &place.node, &rule))?;
        }
        Ok(())
    }
}

impl Control {
    /// What trust in the provider of this name has to limit, if anything.
    fn of(name: &str) -> Option<Self> {
        let arn = Arn::parse(name).ok();
        let issuer = arn.as_ref().and_then(|arn| arn.resource().strip_prefix("oidc-provider/"));
        let issuer = issuer.unwrap_or(name);
        if issuer.starts_with(GITHUB) {
            let keys = GITHUB_CLAIMS.iter().map(|claim| format!("{issuer}:{claim}"));
            return Some(Self { keys: keys.collect(), is_github: true });
        }
        let without_slash = issuer.strip_suffix('/').unwrap_or(issuer);
        let (_, claim) = SHARED.iter().find(|(shared, _)| *shared == without_slash)?;
        let key = match claim.contains(':') {
            true => (*claim).to_owned(),
            false => format!("{issuer}:{claim}"),
        };
        Some(Self { keys: vec![key], is_github: false })
    }

    /// Whether one of the statement's conditions limits it.
    fn is_met(&self, members: &[Member]) -> bool {
        let condition = member(members, "Condition").map(|condition| &condition.node.value);
        let Some(Value::Object(operators)) = condition else { return false };
        operators.iter().filter(|operator| compares(&operator.key)).any(|operator| {
            let Value::Object(keys) = &operator.node.value else { return false };
            keys.iter().any(|key| {
                let asked = self.keys.iter().any(|own| own.eq_ignore_ascii_case(&key.key));
                asked && texts(&key.node).all(|text| text.is_none_or(|text| self.limits(&text)))
            })
        })
    }

    /// Whether a value stands for some customers and not for all.
    fn limits(&self, value: &str) -> bool {
        if self.is_github && (value.trim().is_empty() || value.starts_with('*')) {
            return false;
        }
        value.is_empty() || !value.chars().all(|c| matches!(c, '*' | '?'))
    }
}

/// Whether an operator compares texts, and a request without the key does not satisfy it for that.
fn compares(operator: &str) -> bool {
    Operator::read(operator).is_some_and(|operator| {
        let text = match operator.kind {
            Kind::StringEquals | Kind::StringEqualsIgnoreCase | Kind::StringLike => true,
            Kind::Numeric(_)
            | Kind::Date(_)
            | Kind::Bool
            | Kind::Binary
            | Kind::Ip
            | Kind::Arn
            | Kind::Null => false,
        };
        text && !operator.negated && !operator.if_exists
    })
}

/// The value, or the values of the list.
fn texts(node: &Node) -> impl Iterator<Item = Option<String>> {
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    nodes.iter().map(value_text)
}
