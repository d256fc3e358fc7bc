//! Every change that the table of permissions has a permission for, refused once.

use std::sync::Arc;

use locum::domain::access::{Permission, ResourceKind};
use locum::domain::command::{
    AccessKeyAction, AccountAction, Action, GroupAction, InstanceAction, PolicyAction,
    ProfileAction, ProfileRef, RoleAction, TagAction, UserAction,
};
use locum::domain::entity::TagOwner;
use locum::domain::event::{KeyOwner, PolicyOwner};
use locum::domain::metadata::{HopLimit, MetadataChange};
use locum::domain::mfa::MfaAction;
use locum::domain::oidc::OidcAction;
use locum::domain::state::Association;
use locum::identity::Arn;

use crate::stage::{
    create_device, create_group, create_linked, create_policy, create_profile, create_role,
    create_user, document, enable, hex, launch, minting, owners, provider, tags,
};
use crate::world::{A, Asked, World, arn, parsed, trusting_but};

/// The kinds of EC2's resources and the ARNs of each.
const OF_EC2: [(ResourceKind, &str); 7] = [
    (ResourceKind::Instance, "arn:aws:ec2:*:*:instance/*"),
    (ResourceKind::Image, "arn:aws:ec2:*::image/*"),
    (ResourceKind::Subnet, "arn:aws:ec2:*:*:subnet/*"),
    (ResourceKind::SecurityGroup, "arn:aws:ec2:*:*:security-group/*"),
    (ResourceKind::NetworkInterface, "arn:aws:ec2:*:*:network-interface/*"),
    (ResourceKind::KeyPair, "arn:aws:ec2:*:*:key-pair/*"),
    (ResourceKind::Volume, "arn:aws:ec2:*:*:volume/*"),
];

/// The issuer of the provider that is changed.
pub(crate) const ISSUER: &str = "idp.example.com";

type Plays = Vec<(Permission, Action)>;

/// Refuses each.
pub(crate) fn refused(world: &mut World) -> Vec<Asked> {
    let mut plays = of_users(world);
    plays.extend(of_roles(world));
    plays.extend(of_policies(world));
    plays.extend(of_tags());
    plays.extend(of_devices(world));
    plays.extend(of_providers());
    plays.extend(of_instances(world));
    let mut asked: Vec<_> = plays
        .into_iter()
        .map(|(permission, action)| {
            let [kind] = permission.row().resources else {
                panic!("{permission:?} is judged on several kinds");
            };
            world.refused(permission, (*kind, "*"), action)
        })
        .collect();
    for of_kind in OF_EC2 {
        let action = launch(world);
        asked.push(world.refused(Permission::RunInstances, of_kind, action));
    }
    asked
}

fn of_users(world: &mut World) -> Plays {
    let (bo, crew) = (|| parsed("bo"), || parsed("crew"));
    let owner = || KeyOwner::User(bo());
    let key = |world: &mut World| world.id("AKIA");
    let alias = parsed("alias-1");
    vec![
        (Permission::CreateUser, create_user(world, "new")),
        (Permission::TagUser, create_user(world, "new")),
        (
            Permission::UpdateUser,
            Action::User(UserAction::Update {
                name: bo(),
                new_name: Some(parsed("bob")),
                new_path: None,
            }),
        ),
        (Permission::DeleteUser, Action::User(UserAction::Delete { name: bo() })),
        (
            Permission::CreateAccessKey,
            Action::AccessKey(AccessKeyAction::Create { owner: owner(), key: key(world) }),
        ),
        (
            Permission::UpdateAccessKey,
            Action::AccessKey(AccessKeyAction::Update {
                owner: owner(),
                key: key(world),
                active: false,
            }),
        ),
        (
            Permission::DeleteAccessKey,
            Action::AccessKey(AccessKeyAction::Delete { owner: owner(), key: key(world) }),
        ),
        (Permission::CreateGroup, create_group(world, "new")),
        (
            Permission::UpdateGroup,
            Action::Group(GroupAction::Update { name: crew(), new_name: None, new_path: None }),
        ),
        (Permission::DeleteGroup, Action::Group(GroupAction::Delete { name: crew() })),
        (
            Permission::AddUserToGroup,
            Action::Group(GroupAction::AddUser { group: crew(), user: bo() }),
        ),
        (
            Permission::RemoveUserFromGroup,
            Action::Group(GroupAction::RemoveUser { group: crew(), user: bo() }),
        ),
        (
            Permission::CreateAccountAlias,
            Action::Account(AccountAction::CreateAlias { alias: Clone::clone(&alias) }),
        ),
        (Permission::DeleteAccountAlias, Action::Account(AccountAction::DeleteAlias { alias })),
    ]
}

fn of_roles(world: &mut World) -> Plays {
    let app = || parsed("app");
    let profile = || parsed("app");
    vec![
        (Permission::CreateRole, create_role(world, "new")),
        (Permission::TagRole, create_role(world, "new")),
        (
            Permission::UpdateRole,
            Action::Role(RoleAction::Update { name: app(), description: None, max_session: None }),
        ),
        (
            Permission::UpdateRoleDescription,
            Action::Role(RoleAction::UpdateDescription {
                name: app(),
                description: Arc::from("new"),
            }),
        ),
        (
            Permission::UpdateAssumeRolePolicy,
            Action::Role(RoleAction::UpdateTrust {
                role: app(),
                trust: trusting_but("sts:SetContext"),
            }),
        ),
        (Permission::DeleteRole, Action::Role(RoleAction::Delete { name: app() })),
        (Permission::CreateServiceLinkedRole, create_linked(world, "autoscaling.amazonaws.com")),
        (
            Permission::DeleteServiceLinkedRole,
            Action::Role(RoleAction::DeleteServiceLinked {
                name: parsed("AWSServiceRoleForECS"),
                task: Arc::from("1"),
            }),
        ),
        (Permission::CreateInstanceProfile, create_profile(world, "new")),
        (Permission::TagInstanceProfile, create_profile(world, "new")),
        (
            Permission::DeleteInstanceProfile,
            Action::Profile(ProfileAction::Delete { name: profile() }),
        ),
        (
            Permission::AddRoleToInstanceProfile,
            Action::Profile(ProfileAction::AddRole { profile: profile(), role: app() }),
        ),
        (
            Permission::PassRole,
            Action::Profile(ProfileAction::AddRole { profile: profile(), role: app() }),
        ),
        (Permission::PassRole, launch(world)),
        (
            Permission::RemoveRoleFromInstanceProfile,
            Action::Profile(ProfileAction::RemoveRole { profile: profile(), role: app() }),
        ),
    ]
}

fn of_policies(world: &mut World) -> Plays {
    let policy_arn = || arn("iam", "policy/p/bound");
    let policy = Action::Policy;
    let mut plays = vec![
        (Permission::CreatePolicy, create_policy(world, "new")),
        (Permission::TagPolicy, create_policy(world, "new")),
        (
            Permission::CreatePolicyVersion,
            policy(PolicyAction::CreateVersion {
                policy_arn: policy_arn(),
                policy: document(),
                default: true,
            }),
        ),
        (
            Permission::SetDefaultPolicyVersion,
            policy(PolicyAction::SetDefaultVersion { policy_arn: policy_arn(), version: 1 }),
        ),
        (
            Permission::DeletePolicyVersion,
            policy(PolicyAction::DeleteVersion { policy_arn: policy_arn(), version: 1 }),
        ),
        (Permission::DeletePolicy, policy(PolicyAction::Delete { policy_arn: policy_arn() })),
    ];
    for owner in owners() {
        plays.extend(of_owner(&owner, &policy_arn()));
    }
    plays
}

fn of_owner(owner: &PolicyOwner, policy_arn: &Arn) -> Plays {
    let (name, owned, policy_arn) = (parsed("inline"), || owner.clone(), || policy_arn.clone());
    let put =
        PolicyAction::PutInline { owner: owned(), name: Clone::clone(&name), policy: document() };
    let plays = [
        (Some(Permission::put_policy(owner)), put),
        (
            Some(Permission::delete_policy(owner)),
            PolicyAction::DeleteInline { owner: owned(), name },
        ),
        (
            Some(Permission::attach_policy(owner)),
            PolicyAction::Attach { owner: owned(), policy_arn: policy_arn() },
        ),
        (
            Some(Permission::detach_policy(owner)),
            PolicyAction::Detach { owner: owned(), policy_arn: policy_arn() },
        ),
        (
            Permission::put_boundary(owner),
            PolicyAction::PutBoundary { owner: owned(), policy_arn: policy_arn() },
        ),
        (Permission::delete_boundary(owner), PolicyAction::DeleteBoundary { owner: owned() }),
    ];
    let plays = plays.into_iter();
    plays.filter_map(|(permission, action)| Some((permission?, Action::Policy(action)))).collect()
}

fn of_tags() -> Plays {
    let owners = [
        TagOwner::User(parsed("bo")),
        TagOwner::Role(parsed("app")),
        TagOwner::Policy(parsed("bound")),
        TagOwner::Profile(parsed("app")),
        TagOwner::MfaDevice(parsed("phone")),
        TagOwner::OidcProvider(parsed(&format!("https://{ISSUER}"))),
    ];
    let both = |owner: TagOwner| {
        let (tag, untag) = (Permission::tag(&owner), Permission::untag(&owner));
        let keys = vec![parsed("env")];
        [
            (tag, Action::Tag(TagAction::Tag { owner: owner.clone(), tags: tags() })),
            (untag, Action::Tag(TagAction::Untag { owner, keys })),
        ]
    };
    owners.into_iter().flat_map(both).collect()
}

fn of_devices(world: &mut World) -> Plays {
    let device = |name: &str| arn("iam", &format!("mfa/p/{name}"));
    let (owner, serial_number) = (KeyOwner::User(parsed("bo")), device("key"));
    vec![
        (Permission::CreateVirtualMFADevice, create_device(world, "new")),
        (Permission::TagMFADevice, create_device(world, "new")),
        (Permission::EnableMFADevice, enable("spare", "bo")),
        (
            Permission::ResyncMFADevice,
            Action::Mfa(MfaAction::Resync {
                serial_number: serial_number.clone(),
                owner: owner.clone(),
                codes: None,
            }),
        ),
        (
            Permission::DeactivateMFADevice,
            Action::Mfa(MfaAction::Deactivate { serial_number, owner }),
        ),
        (
            Permission::DeleteVirtualMFADevice,
            Action::Mfa(MfaAction::Delete { serial_number: device("spare") }),
        ),
    ]
}

fn of_providers() -> Plays {
    let issuer = || parsed(&format!("https://{ISSUER}"));
    let client_id: Arc<str> = Arc::from("locum");
    let create = || Action::Oidc(OidcAction::Create(provider("other.example.com"), tags()));
    vec![
        (Permission::CreateOpenIDConnectProvider, create()),
        (Permission::TagOpenIDConnectProvider, create()),
        (
            Permission::UpdateOpenIDConnectProvider,
            Action::Oidc(OidcAction::Update(provider(ISSUER))),
        ),
        (Permission::DeleteOpenIDConnectProvider, Action::Oidc(OidcAction::Delete(issuer()))),
        (
            Permission::AddClientIDToOpenIDConnectProvider,
            Action::Oidc(OidcAction::AddClientId {
                issuer: issuer(),
                client_id: client_id.clone(),
            }),
        ),
        (
            Permission::RemoveClientIDFromOpenIDConnectProvider,
            Action::Oidc(OidcAction::RemoveClientId { issuer: issuer(), client_id }),
        ),
        (
            Permission::UpdateOpenIDConnectProviderThumbprint,
            Action::Oidc(OidcAction::SetThumbprints { issuer: issuer(), thumbprints: Vec::new() }),
        ),
    ]
}

fn of_instances(world: &mut World) -> Plays {
    let id = world.instance();
    let instance = world.state().account(parsed(A)).unwrap().instances.get(&id).unwrap();
    let Association { id: association, .. } = instance.association.unwrap();
    let profile = || ProfileRef::Name(parsed("app"));
    let change = MetadataChange {
        tokens_required: Some(true),
        enabled: Some(true),
        hop_limit: Some(HopLimit::default()),
        tags: Some(true),
    };
    let plays = [
        (Permission::TerminateInstances, InstanceAction::Terminate { ids: vec![id.clone()] }),
        (
            Permission::ModifyInstanceMetadataOptions,
            InstanceAction::ModifyMetadataOptions { instance: id.clone(), change },
        ),
        (
            Permission::AssociateIamInstanceProfile,
            InstanceAction::AssociateProfile {
                instance: id,
                profile: profile(),
                association: hex(world, "iip-assoc-"),
                minting: minting(world),
            },
        ),
        (
            Permission::ReplaceIamInstanceProfileAssociation,
            InstanceAction::ReplaceProfile {
                association: association.clone(),
                profile: profile(),
                new_association: hex(world, "iip-assoc-"),
                minting: minting(world),
            },
        ),
        (
            Permission::DisassociateIamInstanceProfile,
            InstanceAction::DisassociateProfile { association },
        ),
    ];
    let changes =
        plays.into_iter().map(|(permission, action)| (permission, Action::Instance(action)));
    changes.chain([(Permission::CreateTags, launch(world))]).collect()
}
