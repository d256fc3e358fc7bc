//! Who asks, and how a Principal element names them.

use std::collections::BTreeMap;

/// Who asks, as a Principal element would name them from the account down.
pub(super) struct Who {
    /// None for strangers, services and providers' users.
    pub(super) account: Option<String>,
    pub(super) is_root: bool,
    /// Whether it is the holder of a provider's token.
    pub(super) is_federated: bool,
    /// The ARN of the role behind a session.
    role: Option<String>,
    /// The ARN or name of the caller itself.
    itself: String,
}

/// How directly a Principal element names the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    ByAccount,
    ByRole,
    Itself,
}

impl Who {
    /// Reads the principal of a case, and the condition keys that follow from it
    /// (reference_policies_condition-keys, "Properties of the principal").
    pub(super) fn read(
        text: &str,
        given: &BTreeMap<String, Vec<String>>,
    ) -> (Self, BTreeMap<String, Vec<String>>) {
        let mut keys = BTreeMap::new();
        let mut key = |name: &str, value: &str| {
            keys.insert(name.to_lowercase(), vec![value.to_owned()]);
        };
        let nobody = |itself: &str| Self {
            account: None,
            is_root: false,
            is_federated: itself.contains("-provider/"),
            role: None,
            itself: itself.to_owned(),
        };
        key("aws:PrincipalIsAWSService", "false");
        if !text.starts_with("arn:") && text.ends_with(".amazonaws.com") {
            key("aws:PrincipalIsAWSService", "true");
            key("aws:PrincipalServiceName", text);
            key("aws:PrincipalType", "Service");
            return (nobody(text), keys);
        }
        if text == "anonymous" {
            key("aws:PrincipalType", "Anonymous");
            return (nobody(text), keys);
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let (account, resource) = (parts[4], parts[5]);
        if resource.starts_with("saml-provider/") || resource.starts_with("oidc-provider/") {
            key("aws:PrincipalType", "Federated");
            key("aws:FederatedProvider", text);
            return (nobody(text), keys);
        }
        key("aws:PrincipalAccount", account);
        let of_account = |role: Option<String>| Self {
            account: Some(account.to_owned()),
            is_root: resource == "root",
            is_federated: false,
            role,
            itself: text.to_owned(),
        };
        if let Some(session) = resource.strip_prefix("assumed-role/") {
            let role = session.split('/').next().unwrap_or_default();
            let told = given.get("aws:principalarn").and_then(|arns| arns.first()).cloned();
            let role = told.unwrap_or_else(|| format!("arn:aws:iam::{account}:role/{role}"));
            key("aws:PrincipalType", "AssumedRole");
            key("aws:PrincipalArn", &role);
            return (of_account(Some(role)), keys);
        }
        key("aws:PrincipalArn", text);
        let kind = match resource.split('/').next() {
            Some("user") => "User",
            Some("federated-user") => "FederatedUser",
            _ => "Account",
        };
        key("aws:PrincipalType", kind);
        if kind == "User" {
            key("aws:username", resource.rsplit('/').next().unwrap_or_default());
        }
        (of_account(None), keys)
    }

    /// How a name of a Principal element names the caller, if it does.
    pub(super) fn is_named(&self, name: &str) -> Option<Named> {
        let account = self.account.as_ref();
        let root = account.map(|account| format!("arn:aws:iam::{account}:root"));
        if account.is_some_and(|account| account == name) || root.is_some_and(|root| root == name) {
            return Some(Named::ByAccount);
        }
        if name == "*" || name == self.itself {
            return Some(Named::Itself);
        }
        (self.role.as_deref() == Some(name)).then_some(Named::ByRole)
    }

    pub(super) fn shares_account_with(&self, name: &str) -> bool {
        let kinds = ["user/", "role/", "assumed-role/", "federated-user/"];
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let [_, _, _, _, account, resource] = parts[..] else { return false };
        self.account.as_deref() == Some(account) && kinds.iter().any(|k| resource.starts_with(k))
    }

    pub(super) fn shares_role_with(&self, name: &str) -> bool {
        let role = |arn: &str| {
            let (role, _) = arn.rsplit_once('/')?;
            role.contains(":assumed-role/").then(|| role.to_owned())
        };
        role(name).is_some() && role(name) == role(&self.itself)
    }

    /// using-service-linked-roles: their paths begin with `/aws-service-role/`.
    pub(super) fn is_service_linked(&self) -> bool {
        self.role.as_ref().is_some_and(|role| role.contains(":role/aws-service-role/"))
    }
}
