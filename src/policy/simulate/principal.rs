//! Principals by their texts, of whom nothing else is known.

use crate::identity::{Arn, Path, Principal, RoleName, SessionName, UniqueId, UserName};
use crate::policy::Context;

/// Identity providers that are named by their host (IAM User Guide,
/// reference_policies_elements_principal).
const PROVIDER_HOSTS: [&str; 4] = [
    "accounts.google.com",
    "www.amazon.com",
    "graph.facebook.com",
    "cognito-identity.amazonaws.com",
];

/// The principal that a text means: an ARN, an account, a service, an identity provider, `anonymous`.
/// `given` may hold `aws:PrincipalArn`, which tells the path of a session's role.
///
/// # Errors
/// The rule that the text breaks.
pub fn principal_of(text: &str, given: &Context) -> Result<Principal, String> {
    let invalid = |rule: &dyn std::fmt::Display| format!("`principal`: {rule}");
    if matches!(text, "anonymous" | "*") {
        return Ok(Principal::Anonymous);
    }
    if PROVIDER_HOSTS.contains(&text) {
        return Ok(Principal::Federated(text.into()));
    }
    if let Ok(account) = text.parse() {
        return Ok(Principal::Root { account });
    }
    if !text.contains(':') && text.contains('.') {
        return Ok(Principal::Service(text.into()));
    }
    let arn = Arn::parse(text)
        .map_err(|_| invalid(&"must be an ARN, a service's name or `anonymous`"))?;
    let account = arn.account_id().ok_or_else(|| invalid(&"the ARN names no account"))?;
    // No policy can name this id, and what is made up has none.
    let id = UniqueId::parse("UNKNOWN000000000").map_err(|error| invalid(&error))?;
    let (kind, rest) = arn.resource().split_once('/').unwrap_or((arn.resource(), ""));
    let (path, name) = match rest.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), rest),
    };
    let role = |path: &str, name: &str, session: &str| {
        Ok(Principal::AssumedRole {
            account,
            path: Path::parse(path).map_err(|error| invalid(&error))?,
            role: RoleName::parse(name).map_err(|error| invalid(&error))?,
            role_id: id.clone(),
            session: SessionName::parse(session).map_err(|error| invalid(&error))?,
        })
    };
    match (arn.service(), kind) {
        ("iam", "root") => Ok(Principal::Root { account }),
        ("iam", "user") => Ok(Principal::User {
            account,
            path: Path::parse(&path).map_err(|error| invalid(&error))?,
            name: UserName::parse(name).map_err(|error| invalid(&error))?,
            id,
        }),
        ("iam", "role") => role(&path, name, "any-session"),
        ("iam", "saml-provider" | "oidc-provider") => Ok(Principal::Federated(text.into())),
        ("sts", "assumed-role") => {
            let (name, session) =
                rest.split_once('/').ok_or_else(|| invalid(&"names no session of the role"))?;
            role(&role_path(name, given), name, session)
        }
        ("sts", "federated-user") => Ok(Principal::FederatedUser {
            account,
            name: SessionName::parse(rest).map_err(|error| invalid(&error))?,
        }),
        _ => Err(invalid(&"must be a user, role, session, account root or identity provider")),
    }
}

/// The path of a session's role, which the session's ARN does not tell: from `aws:PrincipalArn` if the
/// case gives it; else of service-linked roles by their names' reserved beginning.
fn role_path(name: &str, given: &Context) -> String {
    let arn = match given.get("aws:PrincipalArn") {
        Some([arn]) => Arn::parse(arn).ok(),
        _ => None,
    };
    let resource = arn.as_ref().and_then(|arn| arn.resource().strip_prefix("role"));
    match resource.and_then(|rest| rest.strip_suffix(name)) {
        Some(path) if path.starts_with('/') => path.to_owned(),
        _ if name.starts_with("AWSServiceRoleFor") => "/aws-service-role/unknown/".to_owned(),
        _ => "/".to_owned(),
    }
}
