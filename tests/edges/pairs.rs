//! What is done over both edges: each operation of the Query protocol with its call of gRPC. An operation that stands
//! in no table has a call of the same name, or the test fails: whoever adds one says here what it is the same as.

/// An operation of both edges.
pub(crate) struct Pair {
    pub(crate) query: &'static str,
    pub(crate) grpc: &'static str,
    /// The field of the call that says what the operation's name says.
    pub(crate) chosen: Option<&'static str>,
}

const fn alias(query: &'static str, grpc: &'static str) -> Pair {
    Pair { query, grpc, chosen: None }
}

const fn of(query: &'static str, grpc: &'static str, chosen: &'static str) -> Pair {
    Pair { query, grpc, chosen: Some(chosen) }
}

const USER: &str = "owner.userName";
const ROLE: &str = "owner.roleName";
const GROUP: &str = "owner.groupName";

/// Operations whose calls have another name; where AWS has one for each kind of entity, gRPC has one for all.
pub(crate) const PAIRS: &[Pair] = &[
    alias("AssociateIamInstanceProfile", "AssociateInstanceProfile"),
    alias("DescribeIamInstanceProfileAssociations", "DescribeInstanceProfileAssociations"),
    alias("DisassociateIamInstanceProfile", "DisassociateInstanceProfile"),
    alias("ReplaceIamInstanceProfileAssociation", "ReplaceInstanceProfileAssociation"),
    alias("RunInstances", "LaunchInstance"),
    alias("TerminateInstances", "TerminateInstance"),
    alias("ListGroupsForUser", "ListGroups"),
    alias("UpdateAssumeRolePolicy", "UpdateTrustPolicy"),
    of("AttachGroupPolicy", "AttachPolicy", GROUP),
    of("AttachRolePolicy", "AttachPolicy", ROLE),
    of("AttachUserPolicy", "AttachPolicy", USER),
    of("DetachGroupPolicy", "DetachPolicy", GROUP),
    of("DetachRolePolicy", "DetachPolicy", ROLE),
    of("DetachUserPolicy", "DetachPolicy", USER),
    of("PutGroupPolicy", "PutInlinePolicy", GROUP),
    of("PutRolePolicy", "PutInlinePolicy", ROLE),
    of("PutUserPolicy", "PutInlinePolicy", USER),
    of("DeleteGroupPolicy", "DeleteInlinePolicy", GROUP),
    of("DeleteRolePolicy", "DeleteInlinePolicy", ROLE),
    of("DeleteUserPolicy", "DeleteInlinePolicy", USER),
    of("PutRolePermissionsBoundary", "PutPermissionsBoundary", ROLE),
    of("PutUserPermissionsBoundary", "PutPermissionsBoundary", USER),
    of("DeleteRolePermissionsBoundary", "DeletePermissionsBoundary", ROLE),
    of("DeleteUserPermissionsBoundary", "DeletePermissionsBoundary", USER),
    of("TagInstanceProfile", "TagEntity", "owner.instanceProfileName"),
    of("TagMFADevice", "TagEntity", "owner.mfaSerialNumber"),
    of("TagOpenIDConnectProvider", "TagEntity", "owner.openIdConnectProviderArn"),
    of("TagPolicy", "TagEntity", "owner.policyArn"),
    of("TagRole", "TagEntity", ROLE),
    of("TagUser", "TagEntity", USER),
    of("UntagInstanceProfile", "UntagEntity", "owner.instanceProfileName"),
    of("UntagMFADevice", "UntagEntity", "owner.mfaSerialNumber"),
    of("UntagOpenIDConnectProvider", "UntagEntity", "owner.openIdConnectProviderArn"),
    of("UntagPolicy", "UntagEntity", "owner.policyArn"),
    of("UntagRole", "UntagEntity", ROLE),
    of("UntagUser", "UntagEntity", USER),
];

const IN_ITS_OWNER: &str =
    "gRPC shows it with the entity that it is of, by the permission to read that one";
const WHOLE: &str = "gRPC's UpdateOpenIdConnectProvider sets the whole list";

/// Operations that gRPC has no call for, and why.
pub(crate) const QUERY_ALONE: &[(&str, &str)] = &[
    ("AddClientIDToOpenIDConnectProvider", WHOLE),
    ("RemoveClientIDFromOpenIDConnectProvider", WHOLE),
    ("UpdateOpenIDConnectProviderThumbprint", WHOLE),
    ("GetAccountAuthorizationDetails", "gRPC's lists show entities whole"),
    ("GetContextKeysForCustomPolicy", "gRPC's simulations tell the keys that are missing"),
    ("GetContextKeysForPrincipalPolicy", "gRPC's simulations tell the keys that are missing"),
    ("GetGroupPolicy", IN_ITS_OWNER),
    ("GetRolePolicy", IN_ITS_OWNER),
    ("GetUserPolicy", IN_ITS_OWNER),
    ("GetMFADevice", "gRPC's ListMfaDevices shows devices whole"),
    ("ListAccountAliases", "gRPC's GetAccountSummary shows the alias"),
    ("ListAttachedGroupPolicies", IN_ITS_OWNER),
    ("ListAttachedRolePolicies", IN_ITS_OWNER),
    ("ListAttachedUserPolicies", IN_ITS_OWNER),
    ("ListGroupPolicies", IN_ITS_OWNER),
    ("ListRolePolicies", IN_ITS_OWNER),
    ("ListUserPolicies", IN_ITS_OWNER),
    ("ListInstanceProfileTags", IN_ITS_OWNER),
    ("ListInstanceProfilesForRole", "gRPC's ListInstanceProfiles shows each profile's role"),
    ("ListMFADeviceTags", IN_ITS_OWNER),
    ("ListOpenIDConnectProviderTags", IN_ITS_OWNER),
    ("ListPolicyTags", IN_ITS_OWNER),
    ("ListRoleTags", IN_ITS_OWNER),
    ("ListUserTags", IN_ITS_OWNER),
    ("UpdateRoleDescription", "gRPC's UpdateRole changes the description"),
];

const LOCUMS_OWN: &str = "Locum's own, which AWS has not";

/// Services of gRPC that AWS has nothing of, and why.
pub(crate) const GRPC_ALONE: &[(&str, &str)] = &[
    ("AccountService", LOCUMS_OWN),
    ("AuthorizationService", LOCUMS_OWN),
    ("EventService", LOCUMS_OWN),
    ("GuardrailService", LOCUMS_OWN),
    ("KeyringService", LOCUMS_OWN),
    ("MetadataService", "what AWS does by its own hosts"),
    ("QuotaService", LOCUMS_OWN),
    ("RevocationService", LOCUMS_OWN),
    ("RotationService", LOCUMS_OWN),
    ("CreateAgent", LOCUMS_OWN),
    ("DeleteAgent", LOCUMS_OWN),
    ("DiagnoseInstanceMetadata", LOCUMS_OWN),
    ("ExplainAssumeRole", LOCUMS_OWN),
    ("ListAgents", LOCUMS_OWN),
    ("ValidatePolicy", "AWS's Access Analyzer has it, not IAM"),
    ("WhoCan", LOCUMS_OWN),
    ("UpdateOpenIdConnectProvider", "AWS changes client ids and thumbprints one by one"),
];

/// What a request needs to ask for the same: further parameters of the form, and of the message as JSON; `null` takes a
/// field away.
pub(crate) struct Same {
    pub(crate) query: &'static str,
    pub(crate) form: &'static [(&'static str, &'static str)],
    pub(crate) message: &'static str,
}

pub(crate) const SAME: &[Same] = &[
    Same {
        query: "AssumeRole",
        form: &[("DurationSeconds", "1800")],
        message: r#"{"tags": [{"key": "team", "value": "x"}], "duration": "1800s"}"#,
    },
    Same {
        query: "GetFederationToken",
        form: &[],
        message: r#"{"tags": [{"key": "team", "value": "x"}]}"#,
    },
    // AWS's default is to keep the version that is in force, gRPC's to put the new one in its place.
    Same { query: "CreatePolicyVersion", form: &[], message: r#"{"defaultKept": true}"# },
    Same {
        query: "CreateRole",
        form: &[("Path", "/made/"), ("MaxSessionDuration", "7200")],
        message: r#"{"path": "/made/", "maxSession": "7200s"}"#,
    },
    Same { query: "CreateUser", form: &[("Path", "/made/")], message: r#"{"path": "/made/"}"# },
    Same {
        query: "DeletePolicyVersion",
        form: &[("VersionId", "v3")],
        message: r#"{"version": 3}"#,
    },
    Same {
        query: "DescribeIamInstanceProfileAssociations",
        form: &[],
        message: r#"{"instanceIds": null}"#,
    },
    Same { query: "ListGroups", form: &[], message: r#"{"userName": null}"# },
    Same { query: "ListPolicies", form: &[("Scope", "Local")], message: r#"{}"# },
    Same {
        query: "ModifyInstanceMetadataOptions",
        form: &[("HttpTokens", "optional"), ("HttpPutResponseHopLimit", "3")],
        message: r#"{"httpTokensOptional": true, "httpPutResponseHopLimit": 3}"#,
    },
    Same {
        query: "RunInstances",
        form: &[
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "team"),
            ("TagSpecification.1.Tag.1.Value", "x"),
        ],
        message: r#"{}"#,
    },
    Same {
        query: "SetDefaultPolicyVersion",
        form: &[("VersionId", "v2")],
        message: r#"{"version": 2}"#,
    },
    Same { query: "UpdateAccessKey", form: &[], message: r#"{"active": true}"# },
    Same {
        query: "UpdateGroup",
        form: &[("NewPath", "/moved/")],
        message: r#"{"newPath": "/moved/"}"#,
    },
    Same {
        query: "UpdateRole",
        form: &[("MaxSessionDuration", "7200")],
        message: r#"{"maxSession": "7200s"}"#,
    },
    Same {
        query: "UpdateUser",
        form: &[("NewPath", "/moved/")],
        message: r#"{"newPath": "/moved/"}"#,
    },
];

/// A value that both edges have to refuse, and where each takes it.
pub(crate) struct Bad {
    pub(crate) what: &'static str,
    pub(crate) parameter: &'static str,
    pub(crate) text: &'static str,
    pub(crate) field: &'static str,
    /// As JSON; `text` where it is none.
    pub(crate) value: Option<&'static str>,
}

const fn bad(
    what: &'static str,
    parameter: &'static str,
    field: &'static str,
    text: &'static str,
    value: Option<&'static str>,
) -> Bad {
    Bad { what, parameter, text, field, value }
}

/// A description, or a value of a tag, that is longer than any may be; in requests it is repeated.
pub(crate) const LONG: &str = "long";

pub(crate) const BAD: &[Bad] = &[
    bad("a long description", "Description", "description", LONG, None),
    bad("a tag of AWS", "Tags.member.1.Key", "tags", "aws:team", Some(r#"{"aws:team": "x"}"#)),
    bad(
        "a tag of AWS",
        "TagSpecification.1.Tag.1.Key",
        "tags",
        "aws:team",
        Some(r#"{"aws:team": "x"}"#),
    ),
    bad("a path without slashes", "Path", "path", "made", None),
    bad("a new path without slashes", "NewPath", "newPath", "made", None),
    bad("a new name with a space", "NewUserName", "newUserName", "a b", None),
    bad("a new name with a space", "NewGroupName", "newGroupName", "a b", None),
    bad("a policy that is none", "PolicyDocument", "policy", "{}", None),
    bad("a trust policy that is none", "AssumeRolePolicyDocument", "trustPolicy", "{}", None),
    bad("a trust policy that is none", "PolicyDocument", "trustPolicy", "{}", None),
    bad("a session policy that is none", "Policy", "policy", "{}", None),
    bad("a session of a minute", "DurationSeconds", "duration", "60", Some(r#""60s""#)),
    bad("sessions of a minute", "MaxSessionDuration", "maxSession", "60", Some(r#""60s""#)),
    bad("a session's name with a space", "RoleSessionName", "roleSessionName", "a b", None),
    bad("an ARN that is none", "PolicyArn", "policyArn", "arn:aws:iam:none-at-all", None),
    bad("a role's ARN that is none", "RoleArn", "roleArn", "arn:aws:iam:none-at-all", None),
    bad(
        "a boundary that is none",
        "PermissionsBoundary",
        "permissionsBoundaryArn",
        "arn:aws:iam:none-at-all",
        None,
    ),
    bad("an address that is none", "PrivateIpAddress", "privateIp", "1.2.3.400", None),
    bad("sixty-five hops", "HttpPutResponseHopLimit", "httpPutResponseHopLimit", "65", Some("65")),
    bad("a code of letters", "AuthenticationCode1", "authenticationCode1", "abcdef", None),
    bad("a provider without TLS", "Url", "url", "http://plain.example.com", None),
    bad(
        "a thumbprint that is none",
        "ThumbprintList.member.1",
        "thumbprints",
        "zz",
        Some(r#"["zz"]"#),
    ),
    bad("an alias with capitals", "AccountAlias", "accountAlias", "An-Alias", None),
    bad("a service that is none", "AWSServiceName", "serviceName", "nobody.example.com", None),
    bad("an instance that is none", "InstanceId", "instanceId", "i-none", None),
    bad("an association that is none", "AssociationId", "associationId", "iip-none", None),
    bad("a key that is none", "AccessKeyId", "accessKeyId", "AK", None),
    bad("a message that is none", "EncodedMessage", "encodedMessage", "none", None),
    bad("a name with a space", "UserName", "userName", "a b", None),
    bad("a name with a space", "UserName", "owner.userName", "a b", None),
    bad("a name with a space", "RoleName", "roleName", "a b", None),
    bad("a name with a space", "RoleName", "owner.roleName", "a b", None),
    bad("a name with a space", "GroupName", "groupName", "a b", None),
    bad("a name with a space", "GroupName", "owner.groupName", "a b", None),
    bad("a name with a space", "PolicyName", "policyName", "a b", None),
    bad("a name with a space", "InstanceProfileName", "instanceProfileName", "a b", None),
    bad("a name with a space", "VirtualMFADeviceName", "virtualMfaDeviceName", "a b", None),
    bad("a name with a space", "Name", "name", "a b", None),
];

/// Refusals that EC2 has another code for, by gRPC's.
pub(crate) const EC2_CODES: &[(&str, &str)] = &[
    ("AccessDenied", "UnauthorizedOperation"),
    ("ValidationError", "InvalidParameterValue"),
    ("ValidationError", "InvalidInstanceID.Malformed"),
    ("ValidationError", "InvalidAssociationID.Malformed"),
    ("NoSuchEntity", "InvalidParameterValue"),
];

/// Refusals that one operation has another code for, by gRPC's.
pub(crate) const CODES: &[(&str, &str, &str)] = &[];

/// Refusals that each edge tells in its own words, by its own names of fields.
pub(crate) const IN_OWN_WORDS: &[&str] = &["ValidationError", "MalformedPolicyDocument"];

/// Operations that are refused on both edges, whatever is asked, and why.
pub(crate) const REFUSED: &[(&str, &str)] = &[(
    "AssumeRoleWithWebIdentity",
    "no provider signs the token: `tests/sts.rs` has one that does",
)];
