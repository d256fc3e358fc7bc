//! The Resource element of a statement, and the ARNs that IAM refuses in it.
//! Source: IAM User Guide, reference_policies_elements_resource, reference_identifiers and reference-arns; refusals that
//! were recorded from IAM in the test suites of moto and LocalStack.

use super::{Effect, Selection, StatementReader};
use crate::policy::PolicyKind;
use crate::policy::arn_pattern::{self, ArnPattern};
use crate::policy::error::ParseError;
use crate::policy::json::{Member, Node};

/// Partitions (AWS General Reference, aws-arns-and-namespaces).
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-us-gov"];

/// Resources of S3 that are in a Region, by how they begin (Service Authorization Reference, Amazon S3).
const S3_REGIONAL: [&str; 5] =
    ["accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens"];

impl StatementReader<'_> {
    pub(super) fn resources(
        &self,
        node: &Node,
        members: &[Member],
        effect: Effect,
    ) -> Result<Option<Selection<ArnPattern>>, ParseError> {
        let found = self.either(members, "Resource")?;
        let Some((not, found)) = found else {
            return match self.kind {
                PolicyKind::Trust | PolicyKind::Resource => Ok(None),
                _ => Err(self.error("", node, "`Resource` or `NotResource` is missing")),
            };
        };
        if self.kind == PolicyKind::Trust {
            return Err(self.error("", &found.node, "Has prohibited field Resource"));
        }
        let element = format!(".{}", found.key);
        let texts = self.texts(&element, &found.node)?;
        if texts.is_empty() {
            self.strictness.mistake(self.error(&element, &found.node, "holds no resource"))?;
        }
        let mut items = Vec::new();
        for (text, node) in texts {
            let pattern = ArnPattern::resource(text, self.variables);
            let pattern = pattern.map_err(|rule| self.error(&element, node, rule))?;
            if let Some(rule) = refusal(text, self.kind, self.variables) {
                self.strictness.refuse(self.error(&element, node, rule))?;
                if Self::leaves_out(effect, not) {
                    continue;
                }
            }
            if is_incomplete(text, self.kind, self.variables) {
                let rule =
                    "an ARN has six parts, of which only an identity policy may leave some out";
                self.strictness.mistake(self.error(&element, node, rule))?;
            }
            items.push(pattern);
            if self.variables && arn_pattern::has_early_variable(text) {
                let rule = "a policy variable may stand after the fifth colon of an ARN only";
                self.strictness.mistake(self.error(&element, node, rule))?;
            }
        }
        Ok(Some(Selection { not, items }))
    }
}

/// The rule that IAM refuses a resource for, if any.
pub(in crate::policy) fn refusal(
    text: &str,
    kind: PolicyKind,
    variables: bool,
) -> Option<&'static str> {
    if text == "*" {
        return None;
    }
    let parts = arn_pattern::split(text, variables);
    let part = |place: usize| parts.get(place).copied().unwrap_or_default();
    let wild = |text: &str| text.contains(['*', '?']);
    let (partition, service, region, resource) = (part(1), part(2), part(3), part(5));
    let open = variables && (partition.contains("${") || service.contains("${"));
    if part(0) != "arn" {
        return Some("must be `*` or an ARN");
    }
    // AWS Control Tower's own controls are written `arn:*:...`.
    let of_organization = matches!(kind, PolicyKind::ServiceControl | PolicyKind::ResourceControl);
    if wild(partition) && !of_organization {
        return Some("the partition of an ARN takes no wildcard");
    }
    if !open && !wild(partition) && !PARTITIONS.contains(&partition) {
        return Some("the ARN names no partition: `aws` or one of its kind");
    }
    if service.is_empty() || wild(service) {
        return Some(
            "the service of an ARN is written out: it takes no wildcard and is not left out",
        );
    }
    // Recorded: "The policy failed legacy parsing" for `arn:aws:s3::bucket`.
    if parts.len() < 6 && text.contains("::") {
        return Some("the ARN has fewer than six parts and leaves one empty");
    }
    let has_region = match parts.len() {
        6 => !region.is_empty(),
        _ => !region.is_empty() && !wild(region),
    };
    let of_region = wild(resource.get(..1).unwrap_or_default())
        || S3_REGIONAL.iter().any(|begin| resource.starts_with(begin));
    match service {
        "iam" if has_region => Some("an ARN of IAM has no Region"),
        "s3" if has_region && !of_region => Some("the ARN of a bucket has no Region"),
        _ => None,
    }
}

/// Whether an ARN has fewer than six parts where it may not. In an identity-based policy it is completed with `*`
/// (reference_identifiers: `arn:aws:sqs` is `arn:aws:sqs:*:*:*`); a session policy is refused for it (reference-arns),
/// and so is every other here.
fn is_incomplete(text: &str, kind: PolicyKind, variables: bool) -> bool {
    let completed = matches!(kind, PolicyKind::Identity | PolicyKind::Boundary);
    text != "*" && !completed && arn_pattern::split(text, variables).len() < 6
}
