//! A document as it is written, with the place of each part. The parser has found it sound; this keeps
//! what evaluation has no use for.

use super::Finding;
use crate::policy::condition::{Condition, Operator};
use crate::policy::context::Context;
use crate::policy::json::{self, Member, Node, Position, Value};
use crate::policy::parse::value_text;
use crate::policy::pattern::Pattern;

/// Where a part stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) at: Position,
}

/// A string with its place.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) place: Place,
}

/// An element that is a string or a list of strings, or its `Not...` form.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) not: bool,
    pub(super) items: Vec<Item>,
    pub(super) place: Place,
}

/// A principal and its kind: `AWS`, `Service`, `Federated`.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) kind: String,
    pub(super) item: Item,
}

/// The Principal element.
#[derive(Clone, Debug)]
pub(super) struct Principals {
    pub(super) not: bool,
    pub(super) named: Vec<Named>,
    pub(super) place: Place,
}

/// One operator on one key.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub(super) operator: Operator,
    pub(super) written: String,
    /// As written.
    pub(super) key: String,
    /// The key's place.
    pub(super) place: Place,
    pub(super) values: Vec<Item>,
    pub(super) condition: Condition,
}

/// A statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) place: Place,
    pub(super) allows: bool,
    pub(super) actions: List,
    pub(super) resources: Option<List>,
    pub(super) principals: Option<Principals>,
    pub(super) clauses: Vec<Clause>,
    /// Condition blocks without any key.
    pub(super) empty_blocks: Vec<Place>,
    /// Whether policy variables are known.
    pub(super) variables: bool,
}

/// A policy.
#[derive(Clone, Debug)]
pub(super) struct Document {
    start: Position,
    variables: bool,
    /// Where the version stands, or would.
    version: Place,
    pub(super) statements: Vec<Statement>,
}

impl Document {
    /// Reads a document; none if it is no policy.
    pub(super) fn read(text: &str) -> Option<Self> {
        let root = json::read(text).ok()?;
        let Value::Object(members) = &root.value else { return None };
        let version = member(members, "Version");
        let variables = version.is_some_and(|version| text_of(&version.node) == Some("2012-10-17"));
        let version = match version {
            Some(version) => Place { path: "$.Version".to_owned(), at: version.node.at },
            None => Place { path: "$".to_owned(), at: root.at },
        };
        let written = &member(members, "Statement")?.node;
        let statements = match &written.value {
            Value::List(nodes) => nodes
                .iter()
                .enumerate()
                .map(|(index, node)| statement(&format!("$.Statement[{index}]"), node, variables))
                .collect::<Option<_>>()?,
            _ => vec![statement("$.Statement", written, variables)?],
        };
        Some(Self { start: root.at, variables, version, statements })
    }

    /// Where the document begins.
    pub(super) fn start(&self) -> Place {
        Place { path: "$".to_owned(), at: self.start }
    }

    /// In a version without variables `${...}` is plain text.
    pub(super) fn check_version(&self, found: &mut Vec<Finding>) {
        if self.variables {
            return;
        }
        let resources = |statement: &Statement| statement.resources.clone().map(|list| list.items);
        let texts = self.statements.iter().flat_map(|statement| {
            let values = statement.clauses.iter().flat_map(|clause| clause.values.clone());
            resources(statement).into_iter().flatten().chain(values)
        });
        let mut variables = texts.filter(|item| item.text.contains("${"));
        if let Some(first) = variables.next() {
            let message = format!(
                "`{}` is plain text in version 2008-10-17, which is meant without `Version`",
                first.text
            );
            found.push(
                Finding::warning(&self.version, "variable-without-version", message)
                    .meant("\"Version\": \"2012-10-17\""),
            );
        }
    }
}

impl List {
    /// Whether some entry, wildcards included, matches `text`. Actions are compared without regard to case.
    pub(super) fn reaches(&self, text: &str, ignoring_case: bool) -> bool {
        let fold = |text: &str| match ignoring_case {
            true => text.to_ascii_lowercase(),
            false => text.to_owned(),
        };
        let text = fold(text);
        self.items.iter().any(|item| matches(&fold(&item.text), &text)) != self.not
    }
}

impl Statement {
    /// Whether the statement is about `action`.
    pub(super) fn is_about(&self, action: &str) -> bool {
        self.actions.reaches(action, true)
    }

    /// Whether it is about every resource.
    pub(super) fn on_all(&self) -> bool {
        let Some(resources) = &self.resources else { return false };
        !resources.not && resources.items.iter().any(|item| item.text == "*")
    }

    /// `Allow` or `Deny`
    pub(super) fn effect(&self) -> &'static str {
        if self.allows { "Allow" } else { "Deny" }
    }
}

impl Clause {
    /// The key in lower case.
    pub(super) fn key_lower(&self) -> String {
        self.key.to_ascii_lowercase()
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }
}

/// Whether `pattern` with its wildcards matches the whole of `text`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    Pattern::plain(pattern).matches(text, &Context::default())
}

fn member<'a>(members: &'a [Member], key: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.key == key)
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn statement(path: &str, node: &Node, variables: bool) -> Option<Statement> {
    let Value::Object(members) = &node.value else { return None };
    let (clauses, empty_blocks) = clauses(path, members, variables);
    Some(Statement {
        place: Place { path: path.to_owned(), at: node.at },
        allows: text_of(&member(members, "Effect")?.node)? == "Allow",
        actions: list(path, members, "Action")?,
        resources: list(path, members, "Resource"),
        principals: principals(path, members),
        clauses,
        empty_blocks,
        variables,
    })
}

/// The element or its `Not...` form.
fn either<'a>(members: &'a [Member], element: &str) -> Option<(bool, &'a Member)> {
    let not = || member(members, &format!("Not{element}")).map(|found| (true, found));
    member(members, element).map(|found| (false, found)).or_else(not)
}

fn list(path: &str, members: &[Member], element: &str) -> Option<List> {
    let (not, found) = either(members, element)?;
    let path = format!("{path}.{}", found.key);
    let items = items(&path, &found.node);
    Some(List { not, items, place: Place { path, at: found.key_at } })
}

fn items(path: &str, node: &Node) -> Vec<Item> {
    let item = |path: String, node: &Node| {
        value_text(node).map(|text| Item { text, place: Place { path, at: node.at } })
    };
    match &node.value {
        Value::List(nodes) => {
            let placed = nodes.iter().enumerate();
            placed.filter_map(|(index, node)| item(format!("{path}[{index}]"), node)).collect()
        }
        _ => item(path.to_owned(), node).into_iter().collect(),
    }
}

fn principals(path: &str, members: &[Member]) -> Option<Principals> {
    let (not, found) = either(members, "Principal")?;
    let path = format!("{path}.{}", found.key);
    let of_kind = |kind: &str, path: &str, node: &Node| -> Vec<Named> {
        let items = items(path, node).into_iter();
        items.map(|item| Named { kind: kind.to_owned(), item }).collect()
    };
    let named = match &found.node.value {
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|kind| of_kind(&kind.key, &format!("{path}.{}", kind.key), &kind.node))
            .collect(),
        _ => of_kind("AWS", &path, &found.node),
    };
    Some(Principals { not, named, place: Place { path, at: found.key_at } })
}

fn clauses(path: &str, members: &[Member], variables: bool) -> (Vec<Clause>, Vec<Place>) {
    let (mut clauses, mut empty) = (Vec::new(), Vec::new());
    let Some(block) = member(members, "Condition") else { return (clauses, empty) };
    let Value::Object(operators) = &block.node.value else { return (clauses, empty) };
    let path = format!("{path}.Condition");
    if operators.is_empty() {
        empty.push(Place { path: path.clone(), at: block.node.at });
    }
    for written in operators {
        let path = format!("{path}.{}", written.key);
        let Value::Object(keys) = &written.node.value else { continue };
        if keys.is_empty() {
            empty.push(Place { path: path.clone(), at: written.node.at });
        }
        let operator = Operator::read(&written.key);
        clauses.extend(keys.iter().filter_map(|key| {
            let path = format!("{path}.{}", key.key);
            let values = items(&path, &key.node);
            let texts: Vec<String> = values.iter().map(|value| value.text.clone()).collect();
            let condition = Condition::new(&written.key, &key.key, &texts, variables).ok()?;
            Some(Clause {
                operator: operator?,
                written: written.key.clone(),
                key: key.key.clone(),
                place: Place { path, at: key.key_at },
                values,
                condition,
            })
        }));
    }
    (clauses, empty)
}
