//! The request context: condition keys and their values. Names of keys ignore case.

use std::collections::BTreeMap;

use crate::identity::Principal;

/// Condition keys with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// The keys that follow from the principal alone (IAM User Guide,
    /// reference_policies_condition-keys, "Properties of the principal").
    #[must_use]
    pub fn for_principal(principal: &Principal) -> Self {
        let mut context = Self::default();
        context.insert("aws:PrincipalType", principal_type(principal).to_owned());
        if let Principal::Service(name) = principal {
            context.insert("aws:PrincipalIsAWSService", "true".to_owned());
            context.insert("aws:PrincipalServiceName", name.to_string());
            return context;
        }
        context.insert("aws:PrincipalIsAWSService", "false".to_owned());
        let Some(account) = principal.account() else { return context };
        context.insert("aws:PrincipalAccount", account.to_string());
        context.insert("aws:PrincipalArn", principal.principal_arn());
        context.insert("aws:userid", principal.user_id());
        if let Principal::User { name, .. } = principal {
            context.insert("aws:username", name.to_string());
        }
        context
    }

    /// Sets a key to one value.
    pub fn insert(&mut self, key: &str, value: String) {
        self.insert_multi(key, vec![value]);
    }

    /// Sets a key to several values.
    pub fn insert_multi(&mut self, key: &str, values: Vec<String>) {
        self.values.insert(key.to_ascii_lowercase(), values);
    }

    /// The values of a key, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        match self.values.get(key) {
            Some(values) => Some(values),
            None if key.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.values.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
            }
            None => None,
        }
    }

    /// Takes over every key of `other`; its values win.
    pub fn extend(&mut self, other: &Self) {
        for (key, values) in &other.values {
            self.values.insert(key.clone(), values.clone());
        }
    }

    /// Every key, in lower case, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.values.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }
}

fn principal_type(principal: &Principal) -> &'static str {
    match principal {
        Principal::Anonymous => "Anonymous",
        Principal::Root { .. } => "Account",
        Principal::User { .. } => "User",
        Principal::AssumedRole { .. } => "AssumedRole",
        Principal::FederatedUser { .. } => "FederatedUser",
        Principal::Service(_) => "Service",
        Principal::Instance { .. } => "Instance",
        Principal::Agent { .. } => "Agent",
    }
}
