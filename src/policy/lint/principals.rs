//! Checks on whom a policy is about.

use super::Finding;
use super::catalog::{is_deputy, meant_principal};
use super::document::{Clause, Named, Principals, Statement, matches};
use crate::policy::PolicyKind;
use crate::policy::condition::{Kind, Quantifier};

/// Keys that tell who asks or from where; a condition on one narrows a policy that names everyone.
const NARROWING: [&str; 15] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
];

/// Keys that tell on whose behalf a service acts.
const ON_BEHALF: [&str; 5] = [
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "sts:externalid",
];

pub(super) fn check(statement: &Statement, kind: PolicyKind, found: &mut Vec<Finding>) {
    let Some(principals) = &statement.principals else { return };
    for named in principals.named.iter().filter(|named| named.kind == "Service") {
        found.extend(misspelt(named));
    }
    if !statement.allows || kind == PolicyKind::ResourceControl {
        return;
    }
    if principals.not {
        let message = "allows everyone but those, strangers too; name who may in `Principal`";
        found.push(Finding::warning(&principals.place, "allow-not-principal", message));
        return;
    }
    if kind == PolicyKind::Endpoint {
        return;
    }
    found.extend(anyone(statement, principals, kind));
    for named in &principals.named {
        found.extend(confused_deputy(statement, named));
        if kind == PolicyKind::Trust {
            found.extend(federated(statement, named));
        }
    }
    if kind == PolicyKind::Trust {
        found.extend(unfit_actions(statement, principals));
    }
}

fn misspelt(named: &Named) -> Option<Finding> {
    let text = named.item.text.as_str();
    let meant = meant_principal(text)?;
    let message = format!("`{text}` is the name of no service, so this means nobody");
    let finding = Finding::warning(&named.item.place, "misspelt-service-principal", message);
    Some(if meant.is_empty() { finding } else { finding.meant(meant) })
}

/// Whether the condition leaves only some requests: it asks for the key and for values of it.
fn narrows(clause: &Clause, keys: &[&str]) -> bool {
    let operator = clause.operator;
    let open = |value: &str| match operator.kind {
        Kind::Ip => value.ends_with("/0"),
        _ => value.chars().all(|c| "*?:".contains(c)) || value.starts_with("arn:*:*:*:*:"),
    };
    let asks = operator.needs_key() && !operator.negated && operator.kind != Kind::Null;
    asks && operator.quantifier != Quantifier::All
        && keys.contains(&clause.key_lower().as_str())
        && !clause.values.iter().any(|value| open(&value.text))
}

fn anyone(statement: &Statement, principals: &Principals, kind: PolicyKind) -> Option<Finding> {
    let everyone = |named: &&Named| named.kind == "AWS" && named.item.text == "*";
    let everyone = principals.named.iter().find(everyone)?;
    if statement.clauses.iter().any(|clause| narrows(clause, &NARROWING)) {
        return None;
    }
    let (rule, message) = match kind {
        PolicyKind::Trust => (
            "trust-anyone",
            "anyone in any account may assume the role: name the principals, or narrow it by a condition \
             such as on `aws:PrincipalOrgID`",
        ),
        _ => (
            "wildcard-principal",
            "everyone may do this, strangers too: name the principals, or narrow it by a condition such \
             as on `aws:PrincipalOrgID`",
        ),
    };
    Some(Finding::warning(&everyone.item.place, rule, message))
}

/// A service that acts for customers can be led to act for a stranger (IAM User Guide, confused-deputy).
fn confused_deputy(statement: &Statement, named: &Named) -> Option<Finding> {
    let narrowed = || statement.clauses.iter().any(|clause| narrows(clause, &ON_BEHALF));
    if named.kind != "Service" || !is_deputy(&named.item.text) || narrowed() {
        return None;
    }
    let message = format!(
        "`{}` acts for other accounts too: say for which by a condition on `aws:SourceAccount` or \
         `aws:SourceArn`",
        named.item.text
    );
    Some(Finding::warning(&named.item.place, "confused-deputy", message))
}

/// A provider vouches for all of its users, and often for everyone's.
fn federated(statement: &Statement, named: &Named) -> Option<Finding> {
    let text = named.item.text.as_str();
    let saml = text.contains(":saml-provider/");
    let about_web = statement.is_about("sts:AssumeRoleWithWebIdentity");
    if named.kind != "Federated" || saml || !about_web {
        return None;
    }
    let claim = |clause: &Clause| {
        let key = clause.key_lower();
        let subject = [":sub", ":aud", ":amr", ":oaud", ":app_id", ":user_id", ":email"];
        subject.iter().any(|claim| key.ends_with(claim)) && narrows(clause, &[key.as_str()])
    };
    if statement.clauses.iter().any(claim) {
        return None;
    }
    let message = "everyone whom the provider knows may assume the role: say whom by a condition on its \
                   `:aud` and `:sub`";
    Some(Finding::warning(&named.item.place, "federated-without-subject", message))
}

/// Actions that none of the principals can take: who comes with a provider's token takes another action
/// than who signs, and `*` means who signs.
fn unfit_actions(statement: &Statement, principals: &Principals) -> Option<Finding> {
    if statement.actions.not || principals.named.is_empty() {
        return None;
    }
    let takes = |named: &Named| match named.kind.as_str() {
        "Federated" if named.item.text.contains(":saml-provider/") => "sts:assumerolewithsaml",
        "Federated" => "sts:assumerolewithwebidentity",
        _ => "sts:assumerole",
    };
    let assumes = ["sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"];
    let granted = |action: &str| {
        let mut items = statement.actions.items.iter();
        items.any(|item| matches(&item.text.to_ascii_lowercase(), action))
    };
    // A statement may be about tags or the source identity alone.
    if !assumes.iter().any(|action| granted(action)) {
        return None;
    }
    let fit = |named: &Named| granted(takes(named));
    if principals.named.iter().any(fit) {
        return None;
    }
    let wanted = principals.named.first().map(takes)?;
    let meant = match wanted {
        "sts:assumerolewithsaml" => "sts:AssumeRoleWithSAML",
        "sts:assumerolewithwebidentity" => "sts:AssumeRoleWithWebIdentity",
        _ => "sts:AssumeRole",
    };
    let place = &statement.actions.items.first()?.place;
    let message = "the principals assume roles by another action, so this never matches";
    Some(Finding::warning(place, "action-not-for-principal", message).meant(meant))
}

#[cfg(test)]
mod tests {
    use crate::policy::PolicyKind;
    use crate::policy::lint::lint;
    use crate::policy::lint::requests_tests::Unknown;

    /// Protects who means every provider by `*`: it means none of them.
    #[test]
    fn everyone_comes_without_a_token() {
        let rules = |action: &str| {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"*"}},
                    "Action":"sts:{action}","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-1"}}}}}}}}"#
            );
            let found = lint(&text, PolicyKind::Trust, &Unknown);
            found.iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        assert_eq!(rules("AssumeRoleWithWebIdentity"), ["action-not-for-principal"]);
        assert_eq!(rules("AssumeRole"), [""; 0]);
    }
}
