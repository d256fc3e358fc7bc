//! The table of permissions: for each action that an operation needs, the kinds of resource that it is judged on, the
//! condition keys that the request brings, and the further actions that the same operation may need. The context of a
//! decision is built from it and in no other way: what a request has and the table does not name reaches no policy.
//!
//! What the resource and the caller bring stands in `resource.rs` and `keys.rs`.
//! Source: Service Authorization Reference, the pages of STS, IAM and Amazon EC2.

mod by_owner;

use super::resource::ResourceKind;

/// What a request tells policies about itself, by groups of keys that come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKeys {
    /// The tags that are to be set.
    RequestTags,
    /// The keys of tags that are to be taken away.
    TagKeys,
    /// The permissions boundary that the entity is to have.
    NewBoundary,
    /// The permissions boundary that the entity has.
    Boundary,
    /// The managed policy that is attached or detached.
    PolicyArn,
    /// The service that a service-linked role is of.
    LinkedService,
    /// Where a role is passed to.
    PassedTo,
    /// The name of a role's session.
    SessionName,
    /// What the trust policy may ask a third party for.
    ExternalId,
    /// That a code of an MFA device came with the request.
    Mfa,
    /// Who stands behind a session.
    SourceIdentity,
    /// The tags that later sessions of the chain inherit.
    TransitiveTagKeys,
    /// What an identity provider says of the holder of its token.
    WebIdentity,
    /// The operation that tags what it makes.
    CreateAction,
    /// The attributes of an instance that are to change.
    Attributes,
    /// The profile that an instance is to have.
    NewInstanceProfile,
    /// The region of EC2 that is asked.
    Region,
}

impl RequestKeys {
    /// The names of the keys. One that ends in a slash or a colon is that of a family: `aws:RequestTag/` and `ISSUER:`.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::RequestTags => &["aws:RequestTag/", "aws:TagKeys"],
            Self::TagKeys => &["aws:TagKeys"],
            Self::NewBoundary | Self::Boundary => &["iam:PermissionsBoundary"],
            Self::PolicyArn => &["iam:PolicyARN"],
            Self::LinkedService => &["iam:AWSServiceName"],
            Self::PassedTo => &["iam:PassedToService", "iam:AssociatedResourceArn"],
            Self::SessionName => &["sts:RoleSessionName"],
            Self::ExternalId => &["sts:ExternalId"],
            Self::Mfa => &["aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge"],
            Self::SourceIdentity => &["sts:SourceIdentity"],
            Self::TransitiveTagKeys => &["sts:TransitiveTagKeys"],
            Self::WebIdentity => &["ISSUER:", "sts:DurationSeconds", "sts:RoleAuthorizedByIdp"],
            Self::CreateAction => &["ec2:CreateAction"],
            Self::Attributes => &["ec2:Attribute", "ec2:Attribute/"],
            Self::NewInstanceProfile => &["ec2:NewInstanceProfile"],
            Self::Region => &["ec2:Region"],
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `service:Action`
    pub action: &'static str,
    /// What it is judged on.
    pub resources: &'static [ResourceKind],
    /// What the request tells policies.
    pub keys: &'static [RequestKeys],
    /// Further permissions that an operation of this name needs when it does what they are for.
    pub dependent: &'static [Permission],
}

macro_rules! permissions {
    ($($name:ident $action:literal [$($kind:ident)*] [$($keys:ident)*] $(=> [$($needs:ident)*])?;)*) => {
        /// An action as policies name it, for everything that Locum's own operations need.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is the action of that name")]
        pub enum Permission {
            $($name,)*
        }

        impl Permission {
            /// Every permission, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What the table says of it.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        action: $action,
                        resources: &[$(ResourceKind::$kind),*],
                        keys: &[$(RequestKeys::$keys),*],
                        dependent: &[$($(Self::$needs),*)?],
                    },)*
                }
            }
        }
    };
}

permissions! {
    // IAM. Source: Service Authorization Reference, Actions, resources, and condition keys for AWS Identity and Access Management.
    AddClientIDToOpenIDConnectProvider "iam:AddClientIDToOpenIDConnectProvider" [Provider] [];
    AddRoleToInstanceProfile "iam:AddRoleToInstanceProfile" [Profile] [] => [PassRole];
    AddUserToGroup "iam:AddUserToGroup" [Group] [];
    AttachGroupPolicy "iam:AttachGroupPolicy" [Group] [PolicyArn];
    AttachRolePolicy "iam:AttachRolePolicy" [Role] [Boundary PolicyArn];
    AttachUserPolicy "iam:AttachUserPolicy" [User] [Boundary PolicyArn];
    CreateAccessKey "iam:CreateAccessKey" [User] [];
    CreateAccountAlias "iam:CreateAccountAlias" [Everything] [];
    CreateGroup "iam:CreateGroup" [Group] [];
    CreateInstanceProfile "iam:CreateInstanceProfile" [Profile] [RequestTags] => [TagInstanceProfile];
    CreateOpenIDConnectProvider "iam:CreateOpenIDConnectProvider" [Provider] [RequestTags] => [TagOpenIDConnectProvider];
    CreatePolicy "iam:CreatePolicy" [Policy] [RequestTags] => [TagPolicy];
    CreatePolicyVersion "iam:CreatePolicyVersion" [Policy] [];
    CreateRole "iam:CreateRole" [Role] [RequestTags NewBoundary] => [TagRole];
    CreateServiceLinkedRole "iam:CreateServiceLinkedRole" [Role] [LinkedService];
    CreateUser "iam:CreateUser" [User] [RequestTags NewBoundary] => [TagUser];
    CreateVirtualMFADevice "iam:CreateVirtualMFADevice" [MfaDevice] [RequestTags] => [TagMFADevice];
    DeactivateMFADevice "iam:DeactivateMFADevice" [User] [];
    DeleteAccessKey "iam:DeleteAccessKey" [User] [];
    DeleteAccountAlias "iam:DeleteAccountAlias" [Everything] [];
    DeleteGroup "iam:DeleteGroup" [Group] [];
    DeleteGroupPolicy "iam:DeleteGroupPolicy" [Group] [];
    DeleteInstanceProfile "iam:DeleteInstanceProfile" [Profile] [];
    DeleteOpenIDConnectProvider "iam:DeleteOpenIDConnectProvider" [Provider] [];
    DeletePolicy "iam:DeletePolicy" [Policy] [];
    DeletePolicyVersion "iam:DeletePolicyVersion" [Policy] [];
    DeleteRole "iam:DeleteRole" [Role] [Boundary];
    DeleteRolePermissionsBoundary "iam:DeleteRolePermissionsBoundary" [Role] [Boundary];
    DeleteRolePolicy "iam:DeleteRolePolicy" [Role] [Boundary];
    DeleteServiceLinkedRole "iam:DeleteServiceLinkedRole" [Role] [LinkedService];
    DeleteUser "iam:DeleteUser" [User] [];
    DeleteUserPermissionsBoundary "iam:DeleteUserPermissionsBoundary" [User] [Boundary];
    DeleteUserPolicy "iam:DeleteUserPolicy" [User] [Boundary];
    DeleteVirtualMFADevice "iam:DeleteVirtualMFADevice" [MfaDevice] [];
    DetachGroupPolicy "iam:DetachGroupPolicy" [Group] [PolicyArn];
    DetachRolePolicy "iam:DetachRolePolicy" [Role] [Boundary PolicyArn];
    DetachUserPolicy "iam:DetachUserPolicy" [User] [Boundary PolicyArn];
    EnableMFADevice "iam:EnableMFADevice" [User] [];
    GetAccessKeyLastUsed "iam:GetAccessKeyLastUsed" [User] [];
    GetAccountAuthorizationDetails "iam:GetAccountAuthorizationDetails" [Everything] [];
    GetAccountSummary "iam:GetAccountSummary" [Everything] [];
    GetContextKeysForCustomPolicy "iam:GetContextKeysForCustomPolicy" [Everything] [];
    GetContextKeysForPrincipalPolicy "iam:GetContextKeysForPrincipalPolicy" [User Role Group] [];
    GetGroup "iam:GetGroup" [Group] [];
    GetGroupPolicy "iam:GetGroupPolicy" [Group] [];
    GetInstanceProfile "iam:GetInstanceProfile" [Profile] [];
    GetMFADevice "iam:GetMFADevice" [User] [];
    GetOpenIDConnectProvider "iam:GetOpenIDConnectProvider" [Provider] [];
    GetPolicy "iam:GetPolicy" [Policy] [];
    GetPolicyVersion "iam:GetPolicyVersion" [Policy] [];
    GetRole "iam:GetRole" [Role] [Boundary];
    GetRolePolicy "iam:GetRolePolicy" [Role] [];
    GetServiceLinkedRoleDeletionStatus "iam:GetServiceLinkedRoleDeletionStatus" [Role] [];
    GetUser "iam:GetUser" [User] [];
    GetUserPolicy "iam:GetUserPolicy" [User] [];
    ListAccessKeys "iam:ListAccessKeys" [User] [];
    ListAccountAliases "iam:ListAccountAliases" [Everything] [];
    ListAttachedGroupPolicies "iam:ListAttachedGroupPolicies" [Group] [];
    ListAttachedRolePolicies "iam:ListAttachedRolePolicies" [Role] [];
    ListAttachedUserPolicies "iam:ListAttachedUserPolicies" [User] [];
    ListEntitiesForPolicy "iam:ListEntitiesForPolicy" [Policy] [];
    ListGroupPolicies "iam:ListGroupPolicies" [Group] [];
    ListGroups "iam:ListGroups" [GroupList] [];
    ListGroupsForUser "iam:ListGroupsForUser" [User] [];
    ListInstanceProfileTags "iam:ListInstanceProfileTags" [Profile] [];
    ListInstanceProfiles "iam:ListInstanceProfiles" [ProfileList] [];
    ListInstanceProfilesForRole "iam:ListInstanceProfilesForRole" [Role] [];
    ListMFADeviceTags "iam:ListMFADeviceTags" [MfaDevice] [];
    ListMFADevices "iam:ListMFADevices" [User] [];
    ListOpenIDConnectProviderTags "iam:ListOpenIDConnectProviderTags" [Provider] [];
    ListOpenIDConnectProviders "iam:ListOpenIDConnectProviders" [ProviderList] [];
    ListPolicies "iam:ListPolicies" [PolicyList] [];
    ListPolicyTags "iam:ListPolicyTags" [Policy] [];
    ListPolicyVersions "iam:ListPolicyVersions" [Policy] [];
    ListRolePolicies "iam:ListRolePolicies" [Role] [];
    ListRoleTags "iam:ListRoleTags" [Role] [];
    ListRoles "iam:ListRoles" [RoleList] [];
    ListUserPolicies "iam:ListUserPolicies" [User] [];
    ListUserTags "iam:ListUserTags" [User] [];
    ListUsers "iam:ListUsers" [UserList] [];
    ListVirtualMFADevices "iam:ListVirtualMFADevices" [MfaDeviceList] [];
    PassRole "iam:PassRole" [Role] [PassedTo];
    PutGroupPolicy "iam:PutGroupPolicy" [Group] [];
    PutRolePermissionsBoundary "iam:PutRolePermissionsBoundary" [Role] [NewBoundary];
    PutRolePolicy "iam:PutRolePolicy" [Role] [Boundary];
    PutUserPermissionsBoundary "iam:PutUserPermissionsBoundary" [User] [NewBoundary];
    PutUserPolicy "iam:PutUserPolicy" [User] [Boundary];
    RemoveClientIDFromOpenIDConnectProvider "iam:RemoveClientIDFromOpenIDConnectProvider" [Provider] [];
    RemoveRoleFromInstanceProfile "iam:RemoveRoleFromInstanceProfile" [Profile] [];
    RemoveUserFromGroup "iam:RemoveUserFromGroup" [Group] [];
    ResyncMFADevice "iam:ResyncMFADevice" [User] [];
    SetDefaultPolicyVersion "iam:SetDefaultPolicyVersion" [Policy] [];
    SimulateCustomPolicy "iam:SimulateCustomPolicy" [Everything] [];
    SimulatePrincipalPolicy "iam:SimulatePrincipalPolicy" [User Role Group] [];
    TagInstanceProfile "iam:TagInstanceProfile" [Profile] [RequestTags];
    TagMFADevice "iam:TagMFADevice" [MfaDevice] [RequestTags];
    TagOpenIDConnectProvider "iam:TagOpenIDConnectProvider" [Provider] [RequestTags];
    TagPolicy "iam:TagPolicy" [Policy] [RequestTags];
    TagRole "iam:TagRole" [Role] [RequestTags];
    TagUser "iam:TagUser" [User] [RequestTags];
    UntagInstanceProfile "iam:UntagInstanceProfile" [Profile] [TagKeys];
    UntagMFADevice "iam:UntagMFADevice" [MfaDevice] [TagKeys];
    UntagOpenIDConnectProvider "iam:UntagOpenIDConnectProvider" [Provider] [TagKeys];
    UntagPolicy "iam:UntagPolicy" [Policy] [TagKeys];
    UntagRole "iam:UntagRole" [Role] [TagKeys];
    UntagUser "iam:UntagUser" [User] [TagKeys];
    UpdateAccessKey "iam:UpdateAccessKey" [User] [];
    UpdateAssumeRolePolicy "iam:UpdateAssumeRolePolicy" [Role] [Boundary];
    UpdateGroup "iam:UpdateGroup" [Group] [];
    UpdateOpenIDConnectProviderThumbprint "iam:UpdateOpenIDConnectProviderThumbprint" [Provider] [];
    UpdateOpenIDConnectProvider "iam:UpdateOpenIDConnectProvider" [Provider] [];
    UpdateRole "iam:UpdateRole" [Role] [Boundary];
    UpdateRoleDescription "iam:UpdateRoleDescription" [Role] [Boundary];
    UpdateUser "iam:UpdateUser" [User] [];
    // STS. Source: the same for AWS Security Token Service. GetCallerIdentity and GetSessionToken need no permission.
    AssumeRole "sts:AssumeRole" [Role] [RequestTags SessionName ExternalId Mfa SourceIdentity TransitiveTagKeys] => [TagSession SetSourceIdentity];
    AssumeRoleWithWebIdentity "sts:AssumeRoleWithWebIdentity" [Role] [RequestTags SessionName SourceIdentity TransitiveTagKeys WebIdentity] => [TagSession SetSourceIdentity];
    DecodeAuthorizationMessage "sts:DecodeAuthorizationMessage" [Everything] [];
    GetAccessKeyInfo "sts:GetAccessKeyInfo" [Everything] [];
    GetFederationToken "sts:GetFederationToken" [FederatedUser] [RequestTags] => [TagSession];
    SetSourceIdentity "sts:SetSourceIdentity" [Role] [RequestTags SessionName ExternalId Mfa SourceIdentity TransitiveTagKeys WebIdentity];
    TagSession "sts:TagSession" [Role FederatedUser] [RequestTags SessionName ExternalId Mfa SourceIdentity TransitiveTagKeys WebIdentity];
    // EC2. Source: the same for Amazon EC2.
    AssociateIamInstanceProfile "ec2:AssociateIamInstanceProfile" [Instance] [NewInstanceProfile Region] => [PassRole];
    CreateTags "ec2:CreateTags" [Instance] [RequestTags CreateAction Region];
    DescribeIamInstanceProfileAssociations "ec2:DescribeIamInstanceProfileAssociations" [Everything] [Region];
    DescribeInstances "ec2:DescribeInstances" [Everything] [Region];
    DisassociateIamInstanceProfile "ec2:DisassociateIamInstanceProfile" [Instance] [Region];
    ModifyInstanceMetadataOptions "ec2:ModifyInstanceMetadataOptions" [Instance] [Attributes Region];
    ReplaceIamInstanceProfileAssociation "ec2:ReplaceIamInstanceProfileAssociation" [Instance] [NewInstanceProfile Region] => [PassRole];
    RunInstances "ec2:RunInstances" [Instance Image Subnet SecurityGroup NetworkInterface KeyPair Volume] [RequestTags Region] => [CreateTags PassRole];
    TerminateInstances "ec2:TerminateInstances" [Instance] [Region];
    // Locum's own.
    AuthenticateRequest "locum:AuthenticateRequest" [Everything] [];
    Authorize "locum:Authorize" [Everything] [];
    CreateAccount "locum:CreateAccount" [OperatedAccount] [];
    CreateAgent "locum:CreateAgent" [Agent] [];
    CreateDocumentKey "locum:CreateDocumentKey" [Everything] [];
    DeleteAccount "locum:DeleteAccount" [OperatedAccount] [];
    DeleteAgent "locum:DeleteAgent" [Agent] [];
    DeleteGuardrail "locum:DeleteGuardrail" [Guardrail] [];
    DeleteQuota "locum:DeleteQuota" [OperatedAccount] [];
    DisableAccount "locum:DisableAccount" [OperatedAccount] [];
    EnableAccount "locum:EnableAccount" [OperatedAccount] [];
    GetAccount "locum:GetAccount" [OperatedAccount] [];
    GetQuota "locum:GetQuota" [OperatedAccount] [];
    GetRotation "locum:GetRotation" [Everything] [];
    GrantVerification "locum:GrantVerification" [Everything Service] [];
    ListAccounts "locum:ListAccounts" [OperatedAccount] [];
    ListAgents "locum:ListAgents" [AgentList] [];
    ListGuardrails "locum:ListGuardrails" [Guardrail] [];
    ListKeyring "locum:ListKeyring" [Keyring] [];
    ListQuotas "locum:ListQuotas" [OperatedAccount] [];
    ListSessions "locum:ListSessions" [Everything] [];
    PutAddressRanges "locum:PutAddressRanges" [OperatedAccount] [];
    PutGuardrail "locum:PutGuardrail" [Guardrail] [];
    PutQuota "locum:PutQuota" [OperatedAccount] [];
    PutRotationSettings "locum:PutRotationSettings" [Everything Instance] [];
    ReadEvents "locum:ReadEvents" [OperatedAccount] [];
    RecordMetadataUsage "locum:RecordMetadataUsage" [Everything] [];
    RecordUses "locum:RecordUses" [Everything] [];
    ReloadKeyring "locum:ReloadKeyring" [Keyring] [];
    RetireKeyringVersion "locum:RetireKeyringVersion" [Keyring] [];
    RevokeSessions "locum:RevokeSessions" [Session Instance Role User] [];
    RewrapAccountKey "locum:RewrapAccountKey" [OperatedAccount] [];
    RotateAllCredentials "locum:RotateAllCredentials" [OperatedAccount] [];
    RotateCredentials "locum:RotateCredentials" [Everything Instance] [];
    RotateKeyring "locum:RotateKeyring" [Keyring] [];
    ValidatePolicy "locum:ValidatePolicy" [Everything] [];
    VerifyIdentityToken "locum:VerifyIdentityToken" [Everything] [];
    WhoCan "locum:WhoCan" [Named] [];
}

impl Permission {
    /// `service:Action`
    #[must_use]
    pub const fn action(self) -> &'static str {
        self.row().action
    }
}
