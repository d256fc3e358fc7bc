//! Where the table of permissions differs from AWS's Service Authorization Reference, and why: keys that AWS documents and
//! no request here has, keys that are set beyond it, and types of resource that are judged on one side alone.
//! `tests/reference` compares both sides, and fails on an entry that is not needed any more; `locum policy keys` prints
//! them, and `locum policy lint` warns of conditions on what is never set.

use super::permission::Permission;
use super::resource::ResourceKind;

/// Condition keys in requests for some permissions on some kinds of resource, and why they are as they are.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Of which permissions; of all if there are none.
    pub permissions: &'static [Permission],
    /// On which kinds of resource; if there are none, on all and of the request itself.
    pub kinds: &'static [ResourceKind],
    /// The keys. One that ends in a slash is that of a family.
    pub keys: &'static [&'static str],
    /// Why.
    pub reason: &'static str,
}

impl Difference {
    /// Whether it is about `key` in requests for `permission`, as a key of the request itself or of a resource.
    #[must_use]
    pub fn covers(&self, permission: Permission, kind: Option<ResourceKind>, key: &str) -> bool {
        let of_kind = |kind| self.kinds.contains(&kind);
        (self.permissions.is_empty() || self.permissions.contains(&permission))
            && (self.kinds.is_empty() || kind.is_some_and(of_kind))
            && self.keys.iter().any(|named| named.eq_ignore_ascii_case(key))
    }
}

macro_rules! differences {
    ($([$($key:literal),+] $(of [$($permission:ident)+])? $(on [$($kind:ident)+])? => $reason:literal;)*) => {
        &[$(Difference {
            permissions: &[$($(Permission::$permission),+)?],
            kinds: &[$($(ResourceKind::$kind),+)?],
            keys: &[$($key),+],
            reason: $reason,
        }),*]
    };
}

/// Keys that AWS documents for a permission that is in the table, or for its resources, and that no request here has.
pub const NEVER_SET: &[Difference] = differences! {
    ["ec2:LaunchTemplate", "ec2:IsLaunchTemplateResource"] => "there are no launch templates";
    ["ec2:Attribute", "ec2:Attribute/"]
    of [AssociateIamInstanceProfile CreateTags DisassociateIamInstanceProfile ReplaceIamInstanceProfileAssociation
        RunInstances TerminateInstances]
    => "the request changes no attribute";
    ["ec2:NewInstanceProfile"]
    of [CreateTags DisassociateIamInstanceProfile ModifyInstanceMetadataOptions RunInstances TerminateInstances]
    => "the request gives no instance another profile";
    ["aws:RequestTag/", "aws:TagKeys"]
    of [AssociateIamInstanceProfile DisassociateIamInstanceProfile ModifyInstanceMetadataOptions
        ReplaceIamInstanceProfileAssociation TerminateInstances]
    => "the request sets no tags";
    ["aws:ResourceTag/", "iam:ResourceTag/"] of [CreateServiceLinkedRole] on [Role] => "the request sets no tags";
    ["aws:ResourceTag/", "iam:ResourceTag/"] of [GetServiceLinkedRoleDeletionStatus] on [Role]
    => "the role and its tags are gone when it is asked how the deletion went";
    ["ec2:InstanceID"]
    of [CreateTags RunInstances] on [Instance]
    => "instances have no id before they are launched, and are tagged at their launch alone";
    ["aws:ResourceTag/", "ec2:ResourceTag/"] on [Image Subnet SecurityGroup NetworkInterface KeyPair Volume]
    => "what is launched beside the instance is named and not kept, so nothing tags it";
    ["ec2:BootModeOverride", "ec2:ImageType", "ec2:Owner", "ec2:Public"] on [Image]
    => "images are named and not known";
    ["ec2:KeyPairType"] on [KeyPair] => "key pairs are named and not known";
    ["ec2:Vpc"] on [Subnet SecurityGroup NetworkInterface] => "networks are named and not known";
    ["ec2:Ipv4IpamPoolId", "ec2:Ipv6IpamPoolId"] on [Subnet] => "networks are named and not known";
    ["ec2:AssociatePublicIpAddress", "ec2:AuthorizedService", "ec2:AuthorizedUser", "ec2:NetworkInterfaceID",
     "ec2:Permission"]
    on [NetworkInterface] => "an instance has one private address and no interface of its own";
    ["ec2:Encrypted", "ec2:KmsKeyId", "ec2:ParentSnapshot", "ec2:ParentVolume", "ec2:VolumeID",
     "ec2:VolumeInitializationRate", "ec2:VolumeIops", "ec2:VolumeSize", "ec2:VolumeThroughput", "ec2:VolumeType"]
    on [Volume] => "there are no disks: what a launch says of them has no effect";
    ["ec2:RootDeviceType"] on [Instance Image] => "there are no disks";
    ["ec2:EbsOptimized"] on [Instance] => "there are no disks";
    ["ec2:AvailabilityZoneId"] on [Instance Subnet Volume] => "zones are known by their names";
    ["ec2:ManagedResourceOperator"] on [Instance NetworkInterface Volume] => "no instance is managed by a service";
    ["ec2:CpuOptionsAmdSevSnp", "ec2:InstanceAutoRecovery", "ec2:InstanceBandwidthWeighting"] on [Instance]
    => "instances are records of what runs elsewhere: there are no hypervisors";
    ["ec2:PlacementGroup"] on [Instance] => "hosts are placed by whoever runs them";
    ["ec2:ProductCode"] on [Instance] => "there is no marketplace";
    ["iam:RoleTemplateARN"] => "there are no role templates";
    ["iam:FIDO-FIPS-140-2-certification", "iam:FIDO-FIPS-140-3-certification", "iam:FIDO-certification",
     "iam:RegisterSecurityKey"]
    => "MFA devices are virtual: there are no security keys";
    ["saml:aud", "saml:namequalifier", "saml:sub", "saml:sub_type"] => "there is no federation by SAML";
    ["graph.facebook.com:app_id", "graph.facebook.com:id", "www.amazon.com:app_id", "www.amazon.com:user_id"]
    => "access tokens of OAuth 2.0 are not taken, only identity tokens of OpenID Connect";
    ["cognito-identity.amazonaws.com:amr"]
    of [AssumeRole] => "a session keeps its provider's `sub` and `aud` alone";
};

/// Keys that AWS documents for every request or for callers of a kind, and that no request here has.
pub const GLOBAL_NEVER_SET: &[(&[&str], &str)] = &[
    (
        &[
            "aws:PrincipalOrgID",
            "aws:PrincipalOrgPaths",
            "aws:ResourceOrgID",
            "aws:ResourceOrgPaths",
        ],
        "there are no organizations: use aws:PrincipalAccount or aws:ResourceAccount",
    ),
    (
        &[
            "aws:SourceVpc",
            "aws:SourceVpcArn",
            "aws:SourceVpce",
            "aws:VpcSourceIp",
            "aws:VpceAccount",
            "aws:VpceOrgID",
            "aws:VpceOrgPaths",
        ],
        "there are no VPC endpoints",
    ),
    (&["aws:Ec2InstanceSourceVpc"], "the network of an instance is not known"),
    (
        &["aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"],
        "no service makes requests for its callers",
    ),
    (
        &[
            "aws:SourceAccount",
            "aws:SourceArn",
            "aws:SourceOrgID",
            "aws:SourceOrgPaths",
            "aws:SourceOwner",
        ],
        "no service asks on behalf of a resource",
    ),
    (
        &["aws:CalledViaAWSMCP", "aws:IsMcpServiceAction", "aws:ViaAWSMCPService"],
        "there are no MCP services",
    ),
    (&["aws:AssumedRoot"], "AssumeRoot is not answered"),
    (&["aws:ChatbotSourceArn"], "there is no chat service"),
    (&["aws:SignInSessionArn"], "there is no sign-in"),
    (&["aws:referer"], "requests of browsers are not looked at"),
    (
        &[
            "glue:CredentialIssuingService",
            "glue:RoleAssumedBy",
            "identitystore:UserId",
            "lambda:SourceFunctionArn",
            "ssm:SourceInstanceArn",
        ],
        "the service that it is of is not here",
    ),
];

/// Keys that are set though AWS's reference has none of them for the permission and resource.
pub const BEYOND: &[Difference] = differences! {
    ["iam:AWSServiceName"]
    of [DeleteServiceLinkedRole]
    => "AWS bounds the deletion by it in its examples (IAM User Guide, using-service-linked-roles)";
    ["aws:RequestTag/", "aws:TagKeys", "sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity",
     "sts:RoleAuthorizedByIdp", "sts:TransitiveTagKeys"]
    of [SetSourceIdentity TagSession] => "it is a part of a request for a session, and is judged with all of it";
    ["sts:DurationSeconds"]
    of [AssumeRoleWithWebIdentity SetSourceIdentity TagSession]
    => "AWS documents it apart (IAM User Guide, reference_policies_iam-condition-keys)";
    ["ISSUER:"]
    of [AssumeRole AssumeRoleWithWebIdentity SetSourceIdentity TagSession]
    => "every provider has `aud`, `sub`, `oaud` and `amr` (IAM User Guide, reference_policies_iam-condition-keys)";
    ["aws:RequestTag/", "aws:TagKeys"]
    of [RunInstances] on [Image KeyPair SecurityGroup Subnet]
    => "AWS's examples allow a launch on `*` under them (Amazon EC2 User Guide, supported-iam-actions-tagging)";
    ["aws:ResourceTag/", "ec2:ResourceTag/"]
    of [RunInstances] on [Instance] => "the tags that an instance is to have, as in IAM's requests that create";
};

/// A difference in the types of resource that a permission is judged on.
#[derive(Clone, Copy, Debug)]
pub struct OtherResources {
    /// The permissions.
    pub permissions: &'static [Permission],
    /// The types as AWS names them; every one that is not judged here if there are none.
    pub types: &'static [&'static str],
    /// Why.
    pub reason: &'static str,
}

/// Types of resource that AWS documents for a permission and that are not judged here.
pub const NOT_JUDGED: &[OtherResources] = &[
    OtherResources {
        permissions: &[Permission::DeleteVirtualMFADevice],
        types: &["sms-mfa"],
        reason: "MFA devices are virtual",
    },
    OtherResources {
        permissions: &[Permission::RunInstances],
        types: &[],
        reason: "a launch here touches none: the parameters that name them are refused or have no effect",
    },
    OtherResources {
        permissions: &[Permission::CreateTags],
        types: &[],
        reason: "instances alone have tags here, and get them at their launch",
    },
];

/// Kinds of resource that a permission is judged on here and that AWS's reference has none of.
pub const JUDGED_BEYOND: &[(&[Permission], ResourceKind, &str)] = &[
    (&[Permission::ListUsers], ResourceKind::UserList, LISTED),
    (&[Permission::ListGroups], ResourceKind::GroupList, LISTED),
    (&[Permission::ListRoles], ResourceKind::RoleList, LISTED),
    (&[Permission::ListPolicies], ResourceKind::PolicyList, LISTED),
    (&[Permission::ListInstanceProfiles], ResourceKind::ProfileList, LISTED),
    (&[Permission::ListVirtualMFADevices], ResourceKind::MfaDeviceList, LISTED),
    (&[Permission::ListOpenIDConnectProviders], ResourceKind::ProviderList, LISTED),
    (
        &[Permission::TagSession],
        ResourceKind::FederatedUser,
        "GetFederationToken takes tags as well (IAM User Guide, id_session-tags)",
    ),
];

const LISTED: &str = "AWS's refusals name the path that is listed, and its policies bound it";

/// Permissions of AWS's services that its reference has none of.
pub const ACTIONS_BEYOND: &[(Permission, &str)] = &[(
    Permission::UpdateOpenIDConnectProvider,
    "it replaces a provider as a whole, which AWS has no operation for",
)];

/// Further permissions that operations need beyond those that AWS's reference has for them.
pub const DEPENDENT_BEYOND: &[(&[Permission], &[Permission], &str)] = &[
    (
        &[
            Permission::CreateInstanceProfile,
            Permission::CreateOpenIDConnectProvider,
            Permission::CreatePolicy,
            Permission::CreateRole,
            Permission::CreateUser,
            Permission::CreateVirtualMFADevice,
        ],
        &[
            Permission::TagInstanceProfile,
            Permission::TagOpenIDConnectProvider,
            Permission::TagPolicy,
            Permission::TagRole,
            Permission::TagUser,
            Permission::TagMFADevice,
        ],
        "tags at creation need the permission to tag (IAM User Guide, access_iam-tags)",
    ),
    (
        &[
            Permission::AssumeRole,
            Permission::AssumeRoleWithWebIdentity,
            Permission::GetFederationToken,
        ],
        &[Permission::TagSession],
        "tags of a session need it (IAM User Guide, id_session-tags)",
    ),
    (
        &[Permission::AssumeRole, Permission::AssumeRoleWithWebIdentity],
        &[Permission::SetSourceIdentity],
        "a source identity needs it (IAM User Guide, id_credentials_temp_control-access_monitor)",
    ),
];

/// Further permissions that AWS's reference has for operations and that they do not need here.
pub const DEPENDENT_NOT_NEEDED: &[(Permission, &str, &str)] = &[(
    Permission::RunInstances,
    "ssm:GetParameters",
    "images are named by their ids, not by parameters",
)];

impl ResourceKind {
    /// The type of resource in AWS's reference; none for what AWS has no type for.
    #[must_use]
    pub const fn documented_type(self) -> Option<&'static str> {
        match self {
            Self::User => Some("user"),
            Self::Group => Some("group"),
            Self::Role => Some("role"),
            Self::Policy => Some("policy"),
            Self::Profile => Some("instance-profile"),
            Self::MfaDevice => Some("mfa"),
            Self::Provider => Some("oidc-provider"),
            Self::FederatedUser => Some("federated-user"),
            Self::Instance => Some("instance"),
            Self::Image => Some("image"),
            Self::Subnet => Some("subnet"),
            Self::SecurityGroup => Some("security-group"),
            Self::NetworkInterface => Some("network-interface"),
            Self::KeyPair => Some("key-pair"),
            Self::Volume => Some("volume"),
            Self::Everything
            | Self::Named
            | Self::UserList
            | Self::GroupList
            | Self::RoleList
            | Self::PolicyList
            | Self::ProfileList
            | Self::MfaDeviceList
            | Self::ProviderList
            | Self::Agent
            | Self::AgentList
            | Self::Session
            | Self::Guardrail
            | Self::Service
            | Self::Keyring
            | Self::OperatedAccount => None,
        }
    }
}
