//! Every read that the table of permissions has a permission for, refused once. All of them go through one function
//! (`service/read.rs`), which asks with the target alone; `reads.py` asks a server the same.

use std::collections::BTreeSet;

use locum::domain::access::{ListKind, Permission, ResourceKind, Target};

use crate::changes::ISSUER;
use crate::world::{A, Asked, World, arn, parsed};

/// Words that names of reads begin with.
const READS: [&str; 6] = ["Decode", "Describe", "Get", "List", "Simulate", "Verify"];

/// Refuses each permission that is not among those `covered` already.
pub(crate) fn refused(world: &World, covered: &BTreeSet<Permission>) -> Vec<Asked> {
    let own = |permission: &&Permission| {
        !permission.action().starts_with("locum:") && !covered.contains(permission)
    };
    let mut asked = Vec::new();
    for permission in Permission::ALL.iter().filter(own) {
        let (_, name) = permission.action().split_once(':').unwrap();
        assert!(
            READS.iter().any(|word| name.starts_with(word)),
            "no change here needs {permission:?}"
        );
        for kind in permission.row().resources {
            let refused = read(world, *permission, *kind);
            assert_eq!(refused.kind, *kind, "{permission:?}");
            asked.push(refused);
        }
    }
    asked
}

fn read(world: &World, permission: Permission, kind: ResourceKind) -> Asked {
    let (policy, device) = (arn("iam", "policy/p/bound"), arn("iam", "mfa/p/phone"));
    let (user, group, role) = (parsed("bo"), parsed("crew"), parsed("app"));
    let (profile, issuer) = (parsed("app"), parsed(&format!("https://{ISSUER}")));
    let target = match kind {
        // The role is gone when it is asked how its deletion went.
        ResourceKind::Role if permission == Permission::GetServiceLinkedRoleDeletionStatus => {
            Target::DeletedRole(format!("arn:aws:iam::{A}:role/aws-service-role/s/r"))
        }
        ResourceKind::Everything => Target::Everything,
        ResourceKind::User => Target::User(&user),
        ResourceKind::Group => Target::Group(&group),
        ResourceKind::Role => Target::Role(&role),
        ResourceKind::Policy => Target::Policy(&policy),
        ResourceKind::Profile => Target::Profile(&profile),
        ResourceKind::MfaDevice => Target::MfaDevice(&device),
        ResourceKind::Provider => Target::Provider(&issuer),
        ResourceKind::UserList => Target::List(ListKind::Users, "/"),
        ResourceKind::GroupList => Target::List(ListKind::Groups, "/"),
        ResourceKind::RoleList => Target::List(ListKind::Roles, "/"),
        ResourceKind::PolicyList => Target::List(ListKind::Policies, "/"),
        ResourceKind::ProfileList => Target::List(ListKind::Profiles, "/"),
        ResourceKind::MfaDeviceList => Target::List(ListKind::MfaDevices, "/"),
        ResourceKind::ProviderList => Target::List(ListKind::Providers, "/"),
        other => panic!("{permission:?}: no read is about {other:?}"),
    };
    world.refused_read(permission, &target)
}
