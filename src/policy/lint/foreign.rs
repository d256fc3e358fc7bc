//! Whom of other accounts a role trusts. What it depends on is not in the document: the account of the role.

use super::Finding;
use super::document::Document;
use crate::identity::{AccountId, Arn};
use crate::policy::Policy;

impl Policy {
    /// Users, roles and agents of other accounts than `own` that a trust policy names. Whether they are there is for
    /// their account to know: whoever is given the name later is not trusted, which the author has to know.
    #[must_use]
    pub fn foreign_principals(&self, own: AccountId) -> Vec<Finding> {
        let Some(document) = Document::read(self.text()) else { return Vec::new() };
        let principals = document.statements.iter().filter_map(|found| found.principals.as_ref());
        let named = principals.flat_map(|principals| &principals.named);
        let foreign =
            named.filter(|named| named.kind == "AWS" && is_foreign(&named.item.text, own));
        let finding = |text: &str, place| {
            let message = format!(
                "`{text}` is of another account: who has that name now is trusted, if anybody has; who is given it \
                 later is not, until the policy is put again"
            );
            Finding::warning(place, "foreign-principal", message)
        };
        foreign.map(|named| finding(&named.item.text, &named.item.place)).collect()
    }
}

fn is_foreign(text: &str, own: AccountId) -> bool {
    let Ok(arn) = Arn::parse(text) else { return false };
    let kind = arn.resource().split_once('/').map(|(kind, _)| kind);
    let lasts =
        matches!((arn.service(), kind), ("iam", Some("user" | "role")) | ("locum", Some("agent")));
    lasts && arn.account_id() != Some(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyKind;

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
