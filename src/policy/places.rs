//! Where the statements of a policy stand in its text.

use super::Policy;
use super::json::{self, Node, Position, Value};

/// A place in a text: line and column, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A statement's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its first character.
    pub start: Place,
    /// The character after its last one.
    pub end: Place,
}

impl Policy {
    /// The places of all statements, in their order.
    #[must_use]
    pub fn statement_places(&self) -> Vec<Extent> {
        let text = self.text();
        // What was read once is readable again.
        let Ok(Node { value: Value::Object(members), .. }) = json::read(text) else {
            return Vec::new();
        };
        let statement = members.into_iter().find(|member| member.key == "Statement");
        let statements = match statement.map(|member| member.node) {
            Some(Node { value: Value::List(statements), .. }) => statements,
            Some(statement) => vec![statement],
            None => Vec::new(),
        };
        statements.iter().map(|statement| extent(text, statement)).collect()
    }
}

fn extent(text: &str, node: &Node) -> Extent {
    let Position { line, column } = node.at;
    let start = Place { line, column };
    let inside = text.get(node.span.clone()).unwrap_or_default();
    let end = inside.chars().fold(start, |at, c| match c {
        '\n' => Place { line: at.line + 1, column: 1 },
        _ => Place { column: at.column + 1, ..at },
    });
    Extent { start, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyKind;

    fn places(text: &str) -> Vec<[(usize, usize); 2]> {
        let policy = Policy::parse(text, PolicyKind::Identity).unwrap();
        let place = |place: Place| (place.line, place.column);
        policy.statement_places().into_iter().map(|e| [place(e.start), place(e.end)]).collect()
    }

    /// Protects editors that mark the statement that decided: one statement, and a list over several lines.
    #[test]
    fn statements_have_places() {
        let one = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\n    \"Effect\": \"Allow\",\n    \
                   \"Action\": \"s3:ListBucket\",\n    \"Resource\": \"*\"\n  }\n}";
        assert_eq!(places(one), [[(3, 16), (7, 4)]]);
        let statement = r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::é"}"#;
        let two = format!("{{\"Statement\":[{statement},\n {statement}]}}");
        let width = statement.chars().count();
        assert_eq!(places(&two), [[(1, 15), (1, 15 + width)], [(2, 2), (2, 2 + width)]]);
    }
}
