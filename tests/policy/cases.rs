//! Runs every case of `tests/policy/*.json` through the engine and through the naive evaluator.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use locum::policy::simulate;
use serde_json::Value;

use crate::naive;

/// Fewer would mean that files are not found.
const CASES_MIN: usize = 300;

fn cases() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let read: Vec<Value> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let topic = file.file_stem().unwrap().to_str().unwrap().to_owned();
        cases.extend(read.into_iter().map(|case| (topic.clone(), case)));
    }
    assert!(cases.len() >= CASES_MIN, "only {} cases found", cases.len());
    cases
}

/// Protects every rule of the language, by the page that states it: each case comes to the decision that the
/// page leads to, by the engine and by the naive evaluator.
#[test]
fn cases_come_to_what_their_page_says() {
    let mut wrong = Vec::new();
    for (topic, case) in cases() {
        let id = format!("{topic}: {}", case["id"]);
        let expect = case["expect"].as_str().unwrap_or_default();
        let answer = simulate::answer(&case.to_string());
        let line: Value = serde_json::from_str(&answer.line).unwrap();
        if !answer.as_expected {
            wrong.push(format!("{id} is {line}, expected {expect}: {}", case["why"]));
        }
        if line.get("warnings").is_some() {
            wrong.push(format!("{id} warns: {}", line["warnings"]));
        }
        let mistake = line["error"].as_str().unwrap_or_default();
        match case["mistake"].as_str() {
            Some(rule) if !mistake.contains(rule) => {
                wrong.push(format!("{id} is refused with `{mistake}`, expected `{rule}`"));
            }
            None if expect == "error" => wrong.push(format!("{id} names no mistake")),
            _ => {}
        }
        if expect != "error" && naive::decide(&case) != expect {
            wrong.push(format!("{id} by the naive evaluator is {}", naive::decide(&case)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Protects readers of the cases: each has an id of its own, a page, a reason and an expectation.
#[test]
fn cases_say_where_they_come_from() {
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for (topic, case) in cases() {
        let id = case["id"].as_str().unwrap_or_default().to_owned();
        for field in ["id", "page", "why", "expect"] {
            if case[field].as_str().is_none_or(str::is_empty) {
                wrong.push(format!("{topic}: {id} has no `{field}`"));
            }
        }
        if !ids.insert(id.clone()) {
            wrong.push(format!("{topic}: {id} is given twice"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
