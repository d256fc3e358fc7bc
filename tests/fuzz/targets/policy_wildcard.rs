//! The wildcard matcher agrees with one that follows every way to match at once, in conditions, actions and
//! resources. The input is a pattern, a line feed and a text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use locum::identity::{Principal, SessionName};
use locum::policy::{Context, Named, Policies, Policy, PolicyKind, Request, Verdict, decide};
use serde_json::{Value, json};

#[allow(dead_code, reason = "the matcher alone is used here")]
#[path = "../../policy/naive/mod.rs"]
mod naive;

/// Characters of a pattern and of a text: the obvious matcher takes the product.
const CHARS_MAX: usize = 512;

fuzz_target!(|input: &str| {
    let Some((pattern, text)) = input.split_once('\n') else { return };
    if pattern.chars().count() > CHARS_MAX || text.chars().count() > CHARS_MAX {
        return;
    }
    let matches = |pattern: &str| naive::wildcards_match(&naive::symbols(pattern), text);
    let condition = json!({"StringLike": {"k:text": pattern}});
    let policy = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
    assert_eq!(allows(&policy, "a:b", "*", text), matches(pattern), "as a condition");

    let resource = format!("arn:aws:x:::{text}");
    let policy =
        json!({"Effect": "Allow", "Action": "*", "Resource": format!("arn:aws:x:::{pattern}")});
    assert_eq!(allows(&policy, "a:b", &resource, text), matches(pattern), "as a resource");

    // A policy takes none but these characters in an action.
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.*?".contains(c);
    if pattern.is_empty() || !pattern.chars().all(legal) {
        return;
    }
    let action = format!("a:{text}");
    let policy = json!({"Effect": "Allow", "Action": format!("a:{pattern}"), "Resource": "*"});
    let lower = naive::symbols(&pattern.to_ascii_lowercase());
    let expected = naive::wildcards_match(&lower, &text.to_ascii_lowercase());
    assert_eq!(allows(&policy, &action, "*", text), expected, "as an action");
});

fn allows(statement: &Value, action: &str, resource: &str, text: &str) -> bool {
    // Version 2008-10-17, where `${` is plain text.
    let policy = json!({"Version": "2008-10-17", "Statement": statement}).to_string();
    let policy = Policy::parse(&policy, PolicyKind::Identity).expect("a policy");
    let mut context = Context::default();
    context.insert("k:text", text.to_owned());
    let principal = Principal::FederatedUser {
        account: "111111111111".parse().expect("an account"),
        name: SessionName::parse("ana").expect("a name"),
    };
    let request = Request {
        principal: &principal,
        action,
        resource,
        resource_account: None,
        context: &context,
    };
    let identity = vec![Named { name: "p", policy: &policy }];
    let policies = Policies { identity, ..Policies::default() };
    decide(&request, &policies).verdict() == Verdict::Allow
}
