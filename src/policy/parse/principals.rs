//! The Principal element of a statement.

use super::{PlacedPrincipal, Selection, StatementReader, known_elements};
use crate::policy::PolicyKind;
use crate::policy::error::ParseError;
use crate::policy::json::{Member, Node, Value};
use crate::policy::principal::Named;

const PRINCIPAL_KINDS: [&str; 4] = ["AWS", "Service", "Federated", "CanonicalUser"];

impl StatementReader<'_> {
    pub(super) fn principals(
        &self,
        node: &Node,
        members: &[Member],
    ) -> Result<Option<Selection<PlacedPrincipal>>, ParseError> {
        let needed = matches!(self.kind, PolicyKind::Trust | PolicyKind::Resource);
        let allowed =
            needed || matches!(self.kind, PolicyKind::ResourceControl | PolicyKind::Endpoint);
        let Some((not, found)) = self.either(members, "Principal")? else {
            if self.kind == PolicyKind::ResourceControl {
                let rule =
                    "`Principal` is missing: a resource control policy is about every principal";
                self.strictness
                    .mistake(self.error("", node, rule).meant("\"Principal\": \"*\""))?;
            }
            if self.kind == PolicyKind::Endpoint {
                let rule = "`Principal` is missing: an endpoint policy names whom it is about";
                self.strictness
                    .mistake(self.error("", node, rule).meant("\"Principal\": \"*\""))?;
            }
            if !needed {
                return Ok(None);
            }
            // Names nobody and so matches nobody.
            self.strictness.mistake(self.error("", node, "`Principal` is missing"))?;
            return Ok(Some(Selection { not: false, items: Vec::new() }));
        };
        if !allowed {
            let rule = "Policy document should not specify a principal.";
            self.strictness.mistake(self.error("", &found.node, rule))?;
            return Ok(None);
        }
        if not && self.kind == PolicyKind::Trust {
            let rule = "a trust policy names whom it is about in `Principal`";
            self.strictness.mistake(self.error("", &found.node, rule).meant("Principal"))?;
        }
        let element = format!(".{}", found.key);
        let mut items = Vec::new();
        match &found.node.value {
            Value::Text(text) if text == "*" => items
                .push(PlacedPrincipal { named: Named::Everyone, span: found.node.span.clone() }),
            Value::Object(kinds) => {
                known_elements(&format!("{}{element}", self.path), kinds, &PRINCIPAL_KINDS)?;
                for kind in kinds {
                    self.principals_of_kind(&element, kind, &mut items)?;
                }
            }
            _ => {
                let rule = "must be \"*\" or an object with `AWS`, `Service` or `Federated`";
                self.strictness.mistake(self.error(&element, &found.node, rule))?;
                self.aws_principals(&element, &found.node, &mut items)?;
            }
        }
        if items.is_empty() {
            self.strictness.mistake(self.error(&element, &found.node, "names nobody"))?;
        }
        let everyone = items.iter().all(|item| item.named == Named::Everyone);
        if self.kind == PolicyKind::ResourceControl && (not || !everyone) {
            let rule = "a resource control policy is about every principal: `\"Principal\": \"*\"`";
            self.strictness.mistake(self.error(&element, &found.node, rule).meant("*"))?;
        }
        Ok(Some(Selection { not, items }))
    }

    fn principals_of_kind(
        &self,
        element: &str,
        kind: &Member,
        items: &mut Vec<PlacedPrincipal>,
    ) -> Result<(), ParseError> {
        let element = format!("{element}.{}", kind.key);
        if kind.key == "AWS" {
            return self.aws_principals(&element, &kind.node, items);
        }
        for (text, node) in self.texts(&element, &kind.node)? {
            if text.is_empty() || text.contains(char::is_whitespace) || text.contains("${") {
                let rule = "Invalid principal in policy";
                self.strictness.mistake(self.error(&element, node, rule))?;
            }
            let named = match kind.key.as_str() {
                "Service" => Named::Service(Box::from(text)),
                "Federated" => Named::Federated(Box::from(text)),
                _ => Named::CanonicalUser,
            };
            items.push(PlacedPrincipal { named, span: node.span.clone() });
        }
        Ok(())
    }

    fn aws_principals(
        &self,
        element: &str,
        node: &Node,
        items: &mut Vec<PlacedPrincipal>,
    ) -> Result<(), ParseError> {
        for (text, node) in self.texts(element, node)? {
            let named = Named::aws(text).map_err(|rule| self.error(element, node, rule))?;
            items.push(PlacedPrincipal { named, span: node.span.clone() });
        }
        Ok(())
    }
}
