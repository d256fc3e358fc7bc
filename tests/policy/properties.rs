//! What holds for every policy and request: cases made from random bytes.

use locum::policy::{self, Policy, PolicyKind, simulate};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::generate::{self, Choices, Kind};
use crate::naive;

/// Bytes that a case is made from; the longest cases take about as many.
const BYTES_MAX: usize = 400;
const POLICY_LISTS: [&str; 4] =
    ["identityPolicies", "permissionBoundaries", "sessionPolicies", "endpointPolicies"];
const LEVELS: [&str; 2] = ["serviceControlPolicies", "resourceControlPolicies"];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), BYTES_MAX)
}

fn case() -> impl Strategy<Value = Value> {
    bytes().prop_map(|bytes| generate::case(&mut Choices::new(&bytes)))
}

fn decision(case: &Value) -> String {
    let answer = simulate::answer(&case.to_string());
    let line: Value = serde_json::from_str(&answer.line).unwrap();
    assert!(line["error"].is_null(), "{line} of {case}");
    line["decision"].as_str().unwrap().to_owned()
}

/// Whether no policy matters (STS API Reference, GetCallerIdentity).
fn is_always_allowed(case: &Value) -> bool {
    case["action"] == "sts:GetCallerIdentity"
}

/// The document of an item of a list of policies.
fn document(item: &mut Value) -> &mut Value {
    match item.get("policy").is_some() {
        true => &mut item["policy"],
        false => item,
    }
}

/// Every document of a case, with the field that it is in.
fn documents(case: &mut Value) -> Vec<(String, &mut Value)> {
    let mut found = Vec::new();
    for (field, value) in case.as_object_mut().unwrap() {
        if field == "resourcePolicy" {
            found.push((field.clone(), value));
        } else if POLICY_LISTS.contains(&field.as_str()) {
            let items = value.as_array_mut().unwrap().iter_mut();
            found.extend(items.map(|item| (field.clone(), document(item))));
        } else if LEVELS.contains(&field.as_str()) {
            for level in value.as_array_mut().unwrap() {
                let items = level["policies"].as_array_mut().unwrap().iter_mut();
                found.extend(items.map(|item| (field.clone(), document(item))));
            }
        }
    }
    found
}

/// Whether the policies of a field bear on everyone: guardrails do not bind service-linked roles, and service
/// control policies only principals of accounts.
fn binds(field: &str, principal: &str) -> bool {
    let linked = principal.contains("/linked/");
    let has_account = principal.starts_with("arn:") && !principal.contains("saml-provider");
    match field {
        "serviceControlPolicies" => has_account && !linked,
        "resourceControlPolicies" => !linked,
        _ => true,
    }
}

/// The statements of a document, made a list if they are not.
fn statements(document: &mut Value) -> &mut Vec<Value> {
    let statements = &mut document["Statement"];
    if !statements.is_array() {
        *statements = json!([statements]);
    }
    statements.as_array_mut().unwrap()
}

/// Turns every list round, at all depths: statements, policies, levels, values of policies and requests.
fn reverse(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.reverse();
            items.iter_mut().for_each(reverse);
        }
        Value::Object(members) => members.values_mut().for_each(reverse),
        _ => {}
    }
}

proptest! {
    // What fails is told as a case and belongs in tests/policy/*.json, so no seeds are kept.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// Protects every decision: it is the one of the evaluator that is right by being read.
    #[test]
    fn decisions_are_those_of_the_naive_evaluator(case in case()) {
        prop_assert_eq!(decision(&case), naive::decide(&case), "{}", case);
    }

    /// Protects that a deny wins, whichever policy it is in.
    #[test]
    fn deny_always_wins(case in case(), place in any::<prop::sample::Index>()) {
        let mut case = case;
        case["identityPolicies"] = json!([{"Statement": []}]);
        let principal = case["principal"].as_str().unwrap().to_owned();
        let mut documents = documents(&mut case);
        let (field, document) = documents.swap_remove(place.index(documents.len()));
        let mut deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        if Kind::of_field(&field) != Kind::OfCaller {
            deny["Principal"] = json!("*");
        }
        statements(document).push(deny);
        prop_assume!(binds(&field, &principal));
        let expected = if is_always_allowed(&case) { "allowed" } else { "explicitlyDenied" };
        prop_assert_eq!(decision(&case), expected, "{}", case);
    }

    /// Protects that permissions only grow by statements that allow.
    #[test]
    fn another_allow_never_takes_away(before in case(), more in bytes(), place in any::<prop::sample::Index>()) {
        let mut after = before.clone();
        let action = before["action"].as_str().unwrap();
        let mut documents = documents(&mut after);
        prop_assume!(!documents.is_empty());
        let (field, document) = documents.swap_remove(place.index(documents.len()));
        let kind = Kind::of_field(&field);
        let statement = generate::allowing_statement(&mut Choices::new(&more), action, kind);
        statements(document).push(statement);
        if decision(&before) == "allowed" {
            prop_assert_eq!(decision(&after), "allowed", "{} became {}", before, after);
        }
    }

    /// Protects that nothing depends on the order of statements, policies, levels or values.
    #[test]
    fn order_never_matters(case in case()) {
        let mut reversed = case.clone();
        reverse(&mut reversed);
        prop_assert_eq!(decision(&case), decision(&reversed), "{}", case);
    }

    /// Protects `locum policy format`: what is printed says what was read, and is printed the same again.
    #[test]
    fn parse_print_parse_is_the_identity(case in case()) {
        let mut case = case;
        for (field, document) in documents(&mut case) {
            let kind = match Kind::of_field(&field) {
                Kind::OfCaller => PolicyKind::Identity,
                Kind::OfResource => PolicyKind::Resource,
                Kind::ResourceControl => PolicyKind::ResourceControl,
            };
            let text = document.to_string();
            let printed = policy::format(&text, kind).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&printed).unwrap(), &*document);
            prop_assert_eq!(&policy::format(&printed, kind).unwrap(), &printed);
            prop_assert!(Policy::parse_tolerantly(&printed, kind).is_ok());
        }
    }
}

/// Protects the properties: a generator that never allows, denies or passes over would prove nothing.
#[test]
fn cases_come_to_every_decision_often() {
    let mut runner = TestRunner::deterministic();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..1_000 {
        let case = case().new_tree(&mut runner).unwrap().current();
        *counts.entry(decision(&case)).or_default() += 1;
    }
    for name in ["allowed", "explicitlyDenied", "implicitlyDenied"] {
        let count = counts.get(name).copied().unwrap_or_default();
        assert!(count >= 150, "{name} only {count} times of 1000: {counts:?}");
    }
}
