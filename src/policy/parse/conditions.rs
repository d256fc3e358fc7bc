//! The Condition element of a statement.

use super::{StatementReader, member};
use crate::policy::condition::{Condition, Mistake, Operator};
use crate::policy::error::ParseError;
use crate::policy::json::{Member, Node, Value};

impl StatementReader<'_> {
    pub(super) fn conditions(&self, members: &[Member]) -> Result<Vec<Condition>, ParseError> {
        let Some(block) = member(members, "Condition") else { return Ok(Vec::new()) };
        let Value::Object(operators) = &block.node.value else {
            return Err(self.error(".Condition", &block.node, "must be an object"));
        };
        let mut conditions = Vec::new();
        for operator in operators {
            let element = format!(".Condition.{}", operator.key);
            let Value::Object(keys) = &operator.node.value else {
                return Err(self.error(&element, &operator.node, "must be an object"));
            };
            for key in keys {
                conditions.push(self.condition(operator, key)?);
            }
        }
        Ok(conditions)
    }

    fn condition(&self, operator: &Member, key: &Member) -> Result<Condition, ParseError> {
        let element = format!(".Condition.{}", operator.key);
        let values = self.condition_values(&element, &key.node)?;
        let texts: Vec<String> = values.iter().map(|(text, _)| text.clone()).collect();
        let placed = |element: &str, at, rule: &str| {
            ParseError::new(&format!("{}{element}", self.path), at, rule)
        };
        let of_key = format!("{element}.{}", key.key);
        let condition = Condition::new(&operator.key, &key.key, &texts, self.variables);
        let condition = condition.map_err(|mistake| match mistake {
            Mistake::Operator(rule, suggestion) => {
                let error = placed(&element, operator.key_at, &rule);
                ParseError { suggestion, ..error }
            }
            Mistake::Key(rule) => placed(&element, key.key_at, rule),
            Mistake::Value(place, rule) => {
                let at = values.get(place).map_or(key.node.at, |(_, node)| node.at);
                placed(&of_key, at, &rule)
            }
        })?;
        let takes = Operator::read(&operator.key).is_some_and(Operator::takes_variables);
        let variable = values.iter().find(|(text, _)| self.variables && text.contains("${"));
        if let Some((_, node)) = variable.filter(|_| !takes) {
            let rule = "policy variables stand in values of string and ARN operators only";
            self.strictness.mistake(placed(&of_key, node.at, rule))?;
        }
        Ok(condition)
    }

    /// Strings, and booleans and numbers, which people write without quotes.
    fn condition_values<'a>(
        &self,
        element: &str,
        node: &'a Node,
    ) -> Result<Vec<(String, &'a Node)>, ParseError> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        let text = |node: &'a Node| match value_text(node) {
            Some(text) => Ok((text, node)),
            None => Err(self.error(element, node, "a value is a string, number or boolean")),
        };
        nodes.into_iter().map(text).collect()
    }
}

/// The text of a condition's value: a string, or a number or boolean written without quotes.
pub(in crate::policy) fn value_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}
