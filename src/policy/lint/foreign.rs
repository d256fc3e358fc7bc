//! Users, roles and agents whom a trust policy names by their ARNs: of other accounts, and of none. What it depends on is
//! not in the document: the account of the role, and who was there when the policy was stored.

use super::Finding;
use super::document::{Document, Item};
use crate::identity::{AccountId, Arn};
use crate::policy::{Policy, PolicyKind, principal};

impl Policy {
    /// Users, roles and agents of other accounts than `own` that a trust policy names. Whether they are there is for
    /// their account to know: whoever is given the name later is not trusted, which the author has to know.
    #[must_use]
    pub fn foreign_principals(&self, own: AccountId) -> Vec<Finding> {
        let foreign = lasting(self).into_iter().filter(|(arn, _)| arn.account_id() != Some(own));
        let finding = |(arn, item): (Arn, Item)| {
            let message = format!(
                "`{arn}` is of another account: who has that name now is trusted, if anybody has; who is given it \
                 later is not, until the policy is put again"
            );
            Finding::warning(&item.place, "foreign-principal", message)
        };
        foreign.map(finding).collect()
    }

    /// Whom a role's trust policy that is stored names without being bound to a unique id: nobody had the name then, and
    /// an older version took it.
    pub(super) fn unbound_principals(&self) -> Vec<Finding> {
        if self.kind() != PolicyKind::Trust {
            return Vec::new();
        }
        let finding = |(arn, item): (Arn, Item)| {
            let message = format!(
                "nobody was `{arn}` when this was stored: whoever is given the name is trusted; put the policy again"
            );
            Finding::warning(&item.place, "unbound-principal", message)
        };
        lasting(self).into_iter().map(finding).collect()
    }
}

/// Whom a policy names that has a unique id.
fn lasting(policy: &Policy) -> Vec<(Arn, Item)> {
    let Some(document) = Document::read(policy.text()) else { return Vec::new() };
    let principals = document.statements.into_iter().filter_map(|found| found.principals);
    let named = principals.flat_map(|principals| principals.named);
    let aws = named.filter(|named| named.kind == "AWS").map(|named| named.item);
    let lasting = aws.filter_map(|item| {
        let arn = Arn::parse(principal::Named::aws(&item.text).ok()?.lasting_arn()?).ok()?;
        Some((arn, item))
    });
    lasting.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects authors from trust that is not there: whoever is named of another account is told of, and nobody of the own.
    #[test]
    fn principals_of_other_accounts_are_told() {
        let foreign = |principal: &str| {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}}}"#
            );
            let policy = Policy::parse(&text, PolicyKind::Trust).unwrap();
            let found = policy.foreign_principals("111111111111".parse().unwrap());
            found.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        for own in [
            "arn:aws:iam::111111111111:user/ana",
            "arn:aws:iam::222222222222:root",
            "222222222222",
            "arn:aws:sts::222222222222:assumed-role/ci/run",
        ] {
            assert_eq!(foreign(own), [""; 0], "{own}");
        }
        for others in ["iam::222222222222:user/ana", "iam::222222222222:role/ci"] {
            assert_eq!(foreign(&format!("arn:aws:{others}")), ["foreign-principal"]);
        }
    }
}
