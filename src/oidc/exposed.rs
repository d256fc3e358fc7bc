//! Claims of identity tokens that trust policies may ask about beside `sub`, `aud` and `amr`: those that AWS documents
//! for each provider, and no others. Source: Service Authorization Reference, AWS Security Token Service, condition keys
//! of AssumeRoleWithWebIdentity; IAM User Guide, reference_policies_iam-condition-keys.

use std::collections::BTreeMap;

use serde_json::Value;

/// Characters of a value that policies see.
const VALUE_CHARS_MAX: usize = 1024;

/// GitHub Actions, also of GitHub Enterprise.
const GITHUB: &[&str] = &[
    "actor",
    "actor_id",
    "enterprise_id",
    "environment",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow",
];
const GITLAB: &[&str] = &[
    "namespace_id",
    "pipeline_source",
    "project_id",
    "ref_protected",
    "runner_environment",
    "user_access_level",
    "user_email",
    "user_id",
    "user_login",
];
const BUILDKITE: &[&str] = &[
    "build_branch",
    "cluster_id",
    "cluster_name",
    "organization_id",
    "organization_slug",
    "pipeline_id",
    "pipeline_slug",
];
const CIRCLECI: &[&str] = &["oidc.circleci.com/project-id"];
const GOOGLE: &[&str] = &["google/organization_number"];
const ORACLE: &[&str] = &["rpst_id"];

/// The claims of `issuer` (without its scheme) that policies may ask about.
#[must_use]
pub fn exposed_claims(issuer: &str) -> &'static [&'static str] {
    let (host, path) = issuer.split_once('/').unwrap_or((issuer, ""));
    let labels = |start: &str, end: &str| {
        host.len() > start.len() + end.len() && host.starts_with(start) && host.ends_with(end)
    };
    if host == "token.actions.githubusercontent.com"
        || labels("token.actions.", ".ghe.com")
        || (host == "github.com" && path.starts_with("enterprises/"))
    {
        GITHUB
    } else if host == "gitlab.com" {
        GITLAB
    } else if host == "agent.buildkite.com"
        || labels("agent.", ".buildkite.dev")
        || labels("agent.", ".buildkite.site")
    {
        BUILDKITE
    } else if host == "oidc.circleci.com" && path.starts_with("org/") {
        CIRCLECI
    } else if host == "accounts.google.com" {
        GOOGLE
    } else if labels("idcs-", ".identity.oraclecloud.com") {
        ORACLE
    } else {
        &[]
    }
}

/// The exposed ones of a token's claims with their values. What is neither a text, a number nor a truth value, or
/// longer than policies see, is left out.
pub(super) fn read(issuer: &str, claims: &BTreeMap<String, Value>) -> Vec<(&'static str, String)> {
    let issuer = issuer.strip_prefix("https://").unwrap_or(issuer);
    let names = exposed_claims(issuer);
    let value = |name: &str| {
        let nested = || {
            let (outer, inner) = name.split_once('/')?;
            claims.get(outer)?.get(inner)
        };
        let text = match claims.get(name).or_else(nested)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        (text.chars().count() <= VALUE_CHARS_MAX).then_some(text)
    };
    names.iter().filter_map(|name| Some((*name, value(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects trust policies: a provider's documented claims are seen, of whatever simple type, and no others; and
    /// a host that only looks like the provider's has none.
    #[test]
    fn documented_claims_of_known_issuers_are_read() {
        let claims = r#"{"repository_id":456789,"ref":"refs/heads/main","environment":["x"],
                         "private":"no","google":{"organization_number":"7"}}"#;
        let claims = &serde_json::from_str(claims).unwrap();
        let github = "https://token.actions.githubusercontent.com";
        let expected =
            [("ref", "refs/heads/main".to_owned()), ("repository_id", "456789".to_owned())];
        assert_eq!(read(github, claims), expected);
        assert_eq!(read("https://token.actions.acme.ghe.com", claims), expected);
        let google = [("google/organization_number", "7".to_owned())];
        assert_eq!(read("https://accounts.google.com", claims), google);
        for issuer in [
            "https://idp.example.com",
            "https://token.actions.ghe.com",
            "https://gitlab.com.example",
        ] {
            assert_eq!(read(issuer, claims), [], "{issuer}");
        }
    }
}
