//! Documents printed in one form, for people and for comparing: the elements in the order of the IAM User
//! Guide's grammar, one a line, values as they are. Says exactly what the document said.

use std::cell::RefCell;

use super::PolicyKind;
use super::error::ParseError;
use super::json::{self, Member, Node, Value};
use super::parse;

const INDENT: &str = "  ";
/// Characters of a list that is kept on one line.
const LINE_CHARS_MAX: usize = 80;

/// The document in one form; the same for any two that differ in white space and the order of elements.
///
/// # Errors
/// The first mistake that leaves a doubt about what is meant, with its place.
pub fn format(text: &str, kind: PolicyKind) -> Result<String, ParseError> {
    parse::statements(text, kind, &parse::Strictness::Tolerant(RefCell::default()))?;
    let mut out = String::new();
    write(&json::read(text)?, 0, &mut out);
    out.push('\n');
    Ok(out)
}

/// The elements of documents and statements, in order; others, which are keys and operators, follow in the
/// order of the alphabet.
const ORDER: [&str; 16] = [
    "Version",
    "Id",
    "Statement",
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "AWS",
    "Service",
    "Federated",
    "CanonicalUser",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

fn place(member: &Member) -> (usize, &str) {
    let place = ORDER.iter().position(|element| *element == member.key);
    (place.unwrap_or(ORDER.len()), &member.key)
}

fn write(node: &Node, depth: usize, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(text) => out.push_str(text),
        Value::Text(text) => quote(text, out),
        Value::List(items) => match one_line(items) {
            Some(line) => out.push_str(&line),
            None => block(('[', ']'), items, depth, out, |item, out| write(item, depth + 1, out)),
        },
        Value::Object(members) if members.is_empty() => out.push_str("{}"),
        Value::Object(members) => {
            let mut sorted: Vec<&Member> = members.iter().collect();
            sorted.sort_by_key(|member| place(member));
            block(('{', '}'), &sorted, depth, out, |member, out| {
                quote(&member.key, out);
                out.push_str(": ");
                write(&member.node, depth + 1, out);
            });
        }
    }
}

/// A list that holds no more than short plain values.
fn one_line(items: &[Node]) -> Option<String> {
    let mut line = String::from("[");
    for (index, item) in items.iter().enumerate() {
        if matches!(item.value, Value::List(_) | Value::Object(_)) {
            return None;
        }
        if index > 0 {
            line.push_str(", ");
        }
        write(item, 0, &mut line);
    }
    line.push(']');
    (line.chars().count() <= LINE_CHARS_MAX).then_some(line)
}

fn block<T>(
    (open, close): (char, char),
    items: &[T],
    depth: usize,
    out: &mut String,
    mut write: impl FnMut(&T, &mut String),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&INDENT.repeat(depth + 1));
        write(item, out);
    }
    out.push('\n');
    out.push_str(&INDENT.repeat(depth));
    out.push(close);
}

/// RFC 8259, section 7.
fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
