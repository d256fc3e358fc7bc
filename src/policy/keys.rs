//! The condition keys that a policy asks about, as it writes them: those of its conditions and its policy
//! variables. Whoever simulates has to know them, evaluation does not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Policy;

impl Policy {
    /// Every condition key that the policy names, by name and once, whatever its case.
    #[must_use]
    pub fn condition_keys(&self) -> Vec<String> {
        let mut found = BTreeMap::new();
        // A policy that was read is JSON.
        if let Ok(document) = serde_json::from_str::<Value>(self.text()) {
            for statement in entries(document.get("Statement")) {
                of_conditions(statement.get("Condition"), &mut found);
                for element in ["Resource", "NotResource"] {
                    entries(statement.get(element)).for_each(|text| variables(text, &mut found));
                }
            }
        }
        found.into_values().collect()
    }
}

/// One or several: the entries of a list, or the value itself.
fn entries(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Some(Value::Array(list)) => (list.as_slice(), None),
        other => (&[][..], other),
    };
    list.iter().chain(one)
}

fn of_conditions(conditions: Option<&Value>, found: &mut BTreeMap<String, String>) {
    let operators = conditions.and_then(Value::as_object).into_iter().flatten();
    for (key, values) in operators.filter_map(|(_, keys)| keys.as_object()).flatten() {
        found.entry(key.to_lowercase()).or_insert_with(|| key.clone());
        entries(Some(values)).for_each(|value| variables(value, found));
    }
}

fn variables(text: &Value, found: &mut BTreeMap<String, String>) {
    let texts = text.as_str().unwrap_or_default().split("${").skip(1);
    for inside in texts.filter_map(|rest| Some(rest.split_once('}')?.0)) {
        let key = inside.split(',').next().unwrap_or_default().trim();
        if !matches!(key, "" | "*" | "?" | "$") {
            found.entry(key.to_lowercase()).or_insert_with(|| key.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{Policy, PolicyKind};

    /// Protects simulations from missing a key that decides.
    #[test]
    fn keys_of_conditions_and_variables_are_found_once() {
        let text = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:*",
             "Resource":["arn:aws:s3:::b/${aws:username}/*","arn:aws:s3:::${*}"],
             "Condition":{"StringEquals":{"aws:PrincipalTag/Team":"${aws:PrincipalTag/team, 'none'}"},
                          "Bool":{"aws:SecureTransport":"true"}}},
            {"Effect":"Deny","Action":"*","Resource":"*",
             "Condition":{"Null":{"AWS:USERNAME":"true"}}}]}"#;
        let policy = Policy::parse(text, PolicyKind::Identity).unwrap();
        let keys = policy.condition_keys();
        assert_eq!(keys, ["aws:PrincipalTag/Team", "aws:SecureTransport", "aws:username"]);
    }
}
