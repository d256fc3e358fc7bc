//! What is root's alone: the keys and devices of an account's root. Policies cannot give them to others, or whoever may
//! make keys of any name becomes root. Source: IAM User Guide, root-user-tasks and id_root-user_manage_add-key: who
//! makes, lists or ends root's keys and devices is signed in as root.

use super::{Caller, Permission};
use crate::domain::event::KeyOwner;
use crate::domain::rejection::{Denied, Rejection};
use crate::identity::{AccountId, Arn, Principal};

/// Refuses keys and devices of the root of `account` to whoever is not that root. The service's own tasks may do
/// what the operator asks of them.
///
/// # Errors
/// The owner is root, and the caller is somebody else.
pub fn require_root(
    caller: &Caller,
    account: AccountId,
    permission: Permission,
    owner: &KeyOwner,
) -> Result<(), Rejection> {
    let is_roots = match owner {
        KeyOwner::Root => true,
        KeyOwner::User(_) | KeyOwner::Instance(_) | KeyOwner::Agent(_) => false,
    };
    let may = match &caller.principal {
        Principal::Root { account: own } => *own == account,
        Principal::Service(name) => &**name == "locum.internal",
        Principal::Anonymous
        | Principal::User { .. }
        | Principal::AssumedRole { .. }
        | Principal::FederatedUser { .. }
        | Principal::Federated(_)
        | Principal::Instance { .. }
        | Principal::Agent { .. } => false,
    };
    if !is_roots || may {
        return Ok(());
    }
    let (principal, resource) = (caller.principal.arn(), Arn::root(account));
    let action = permission.action();
    Err(Rejection::AccessDenied(Box::new(Denied {
        message: format!(
            "User: {principal} is not authorized to perform: {action} on resource: {resource} because keys and \
             devices of the root user are for the root user alone"
        ),
        principal,
        action: action.to_owned(),
        resource: resource.to_string(),
        evidence: None,
        encoded: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{AccessKeyAction, Action};
    use crate::domain::rejection::Rejection;
    use crate::domain::testing::*;
    use crate::identity::base32_id;

    /// Protects an account from whoever may make keys of any name: root's are for root alone.
    #[test]
    fn nobody_but_root_makes_changes_or_ends_the_keys_of_root() {
        let mut world = World::default();
        world.create_account(A);
        let admin = world.create_user(A, "admin");
        world.put_policy(A, of_user("admin"), allow(&["*"], "*"));
        let owner = KeyOwner::Root;
        let key: crate::identity::AccessKeyId = base32_id("AKIA", world.random()).parse().unwrap();
        let actions = [
            AccessKeyAction::Create { owner: owner.clone(), key: key.clone() },
            AccessKeyAction::Update { owner: owner.clone(), key: key.clone(), active: false },
            AccessKeyAction::Delete { owner, key },
        ];
        for action in actions {
            let refused = world.by(admin.clone(), A, Action::AccessKey(action.clone()));
            let Err(Rejection::AccessDenied(denied)) = refused else { panic!("{refused:?}") };
            assert_eq!(denied.resource, "arn:aws:iam::111111111111:root");
            assert!(world.by(root(A), A, Action::AccessKey(action)).is_ok());
        }
    }
}
