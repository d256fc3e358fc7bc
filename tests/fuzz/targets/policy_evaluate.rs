//! Cases come to the decision of the naive evaluator. The input is what a case is made from: a byte a choice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use locum::policy::simulate;
use serde_json::Value;

#[allow(dead_code, reason = "what the properties alone need")]
#[path = "../../policy/generate.rs"]
mod generate;
#[path = "../../policy/naive/mod.rs"]
mod naive;

fuzz_target!(|bytes: &[u8]| {
    let case = generate::case(&mut generate::Choices::new(bytes));
    let answer = simulate::answer(&case.to_string());
    let line: Value = serde_json::from_str(&answer.line).expect("an answer is JSON");
    assert_eq!(line["decision"], naive::decide(&case), "{line} of {case}");
});
