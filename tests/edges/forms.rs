//! How the forms of the two edges' answers differ by design: names of fields, words for values, what is told in full on one
//! edge and by its name on the other, and what one edge alone shows.

/// Fields in lower case: the Query protocol's name, and gRPC's.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("account", "accountid"),
    ("assumerolepolicydocument", "trustpolicy"),
    ("clientidlist", "clientids"),
    ("createdate", "createdat"),
    ("defaultversionid", "version"),
    ("document", "policy"),
    ("enabledate", "enabledat"),
    ("evalactionname", "action"),
    ("evalresourcename", "resource"),
    ("expiration", "expiresat"),
    ("federateduserarn", "arn"),
    ("hostid", "agentname"),
    ("isdefaultversion", "isdefault"),
    ("launchtime", "launchedat"),
    ("maxsessionduration", "maxsession"),
    ("openidconnectproviderarn", "arn"),
    ("packedpolicysize", "packedpolicypercent"),
    ("permissionsboundaryusagecount", "permissionsboundarycount"),
    ("privateipaddress", "privateip"),
    ("thumbprintlist", "thumbprints"),
    ("timestamp", "since"),
    ("updatedate", "updatedat"),
    ("versionid", "version"),
];

/// Words for values: field and word of the Query protocol, then of gRPC, which tells no defaults.
pub(crate) const WORDS: &[(&str, &str, &str, &str)] = &[
    ("evaldecision", "allowed", "verdict", "VERDICT_ALLOW"),
    ("evaldecision", "explicitDeny", "verdict", "VERDICT_EXPLICIT_DENY"),
    ("evaldecision", "implicitDeny", "verdict", "VERDICT_IMPLICIT_DENY"),
    ("httpendpoint", "disabled", "httpendpointdisabled", "true"),
    ("httpendpoint", "enabled", "httpendpointdisabled", ""),
    ("httptokens", "optional", "httptokensoptional", "true"),
    ("httptokens", "required", "httptokensoptional", ""),
    ("instancemetadatatags", "disabled", "instancemetadatatags", ""),
    ("instancemetadatatags", "enabled", "instancemetadatatags", "true"),
    ("name", "running", "state", "INSTANCE_STATE_RUNNING"),
    ("name", "terminated", "state", "INSTANCE_STATE_TERMINATED"),
    // Whether metadata options are in force, which they are at once.
    ("state", "applied", "state", ""),
    ("state", "pending", "state", ""),
    ("state", "associated", "state", "ASSOCIATION_STATE_ASSOCIATED"),
    // AWS tells what goes on, gRPC what is done.
    ("state", "associating", "state", "ASSOCIATION_STATE_ASSOCIATED"),
    ("state", "disassociating", "state", "ASSOCIATION_STATE_DISASSOCIATED"),
    ("status", "Active", "active", "true"),
    ("status", "Inactive", "active", ""),
    ("status", "SUCCEEDED", "status", "DELETION_STATUS_SUCCEEDED"),
];

/// What one edge tells in full and the other in part.
pub(crate) struct Part {
    /// Of which operations.
    pub(crate) operation: &'static str,
    /// The field that holds it.
    pub(crate) name: &'static str,
    /// The fields of it that both tell, and gRPC's names of them.
    pub(crate) kept: &'static [(&'static str, &'static str)],
}

const fn part(
    operation: &'static str,
    name: &'static str,
    kept: &'static [(&'static str, &'static str)],
) -> Part {
    Part { operation, name, kept }
}

/// The profile of an instance, which gRPC tells in its association.
const PROFILE: &[(&str, &str)] =
    &[("instanceprofilearn", "instanceprofilearn"), ("instanceprofileid", "instanceprofileid")];

pub(crate) const PARTS: &[Part] = &[
    part("CreateInstanceProfile", "roles", &[("rolename", "rolename")]),
    part("GetInstanceProfile", "roles", &[("rolename", "rolename")]),
    part("ListInstanceProfiles", "roles", &[("rolename", "rolename")]),
    part("GetGroup", "users", &[("username", "usernames")]),
    part("ListVirtualMFADevices", "user", &[("username", "username")]),
    part("*", "iaminstanceprofile", &[("arn", "instanceprofilearn"), ("id", "instanceprofileid")]),
    part("DescribeInstances", "association", PROFILE),
    part("ModifyInstanceMetadataOptions", "association", &[]),
    part("RunInstances", "association", PROFILE),
    // The key of an instance, with which its agent asks; AWS's hosts have ways of their own.
    part("RunInstances", "identitykey", &[]),
    // With the entities that they are of; AWS has an operation for each.
    part("*", "inlinepolicies", &[]),
    part("Simulate*", "policies", &[]),
    part("Simulate*", "matchedstatements", &[]),
    part("Simulate*", "permissionsboundarydecisiondetail", &[]),
    // The one by one names of the other.
    part("ListEntitiesForPolicy", "policygroups", &[("groupname", "groupname")]),
    part("ListEntitiesForPolicy", "policyroles", &[("rolename", "rolename")]),
    part("ListEntitiesForPolicy", "policyusers", &[("username", "username")]),
];

/// Fields that gRPC tells in two places of one answer, and AWS in one.
pub(crate) const TWICE: &[(&str, &str)] = &[
    // As an option and of the instance.
    ("*", "httptokensoptional"),
    // With a policy and bounded by it.
    ("ListEntitiesForPolicy", "rolename"),
    ("ListEntitiesForPolicy", "username"),
];

const WHOLE: &str = "gRPC's lists show entities whole";
const ARN_ALONE: &str = "AWS answers with the ARN alone";
const CONSTANT: &str = "the same in every answer of AWS";
const OTHER: &str = "AWS has an operation of its own for it";
const ASKED: &str = "the request says it";
const NEVER_USED: &str = "AWS's word for a key that was not used yet, which gRPC leaves out";
const RESERVATION: &str = "AWS's form of a launch";
const PLACE: &str = "gRPC tells where an instance is; AWS's caller asked for the region";
const INSTANCE: &str = "gRPC answers with the whole instance";
const DONE: &str = "gRPC answers that it is done";
const TRACE: &str = "gRPC explains in full";

/// Fields that one edge alone shows: the operations, the field, and why.
pub(crate) const ONE_EDGE: &[(&str, &str, &str)] = &[
    ("*", "requestid", "gRPC tells it in a header"),
    ("*", "sequence", "where the log stands, which AWS has not"),
    ("*", "attachedpolicyarns", OTHER),
    ("*", "groupnames", OTHER),
    ("*", "generation", "how often the association was changed, which AWS has not"),
    ("*", "isattachable", CONSTANT),
    ("*", "permissionsboundarytype", CONSTANT),
    ("*", "httpprotocolipv6", CONSTANT),
    ("CreateAccessKey", "username", ASKED),
    ("CreateOpenIDConnectProvider", "clientids", ARN_ALONE),
    ("CreateOpenIDConnectProvider", "createdat", ARN_ALONE),
    ("CreateOpenIDConnectProvider", "tags", ARN_ALONE),
    ("CreateOpenIDConnectProvider", "thumbprints", ARN_ALONE),
    ("CreateOpenIDConnectProvider", "url", ARN_ALONE),
    ("CreatePolicy", "policy", OTHER),
    ("CreatePolicyVersion", "createdat", DONE),
    ("CreateVirtualMFADevice", "createdat", "AWS does not tell it"),
    ("CreateVirtualMFADevice", "otpauthuri", "AWS has it in the image"),
    ("CreateVirtualMFADevice", "qrcodepng", "gRPC tells what it says"),
    ("CreateVirtualMFADevice", "virtualmfadevicename", "AWS has it in the serial number"),
    ("DescribeInstances", "arn", PLACE),
    ("DescribeInstances", "code", "a number for the state"),
    ("DescribeInstances", "ownerid", RESERVATION),
    ("DescribeInstances", "region", PLACE),
    ("DescribeInstances", "reservationid", RESERVATION),
    ("DescribeInstances", "tenancy", "follows from the agent"),
    ("GetAccessKeyLastUsed", "region", NEVER_USED),
    ("GetAccessKeyLastUsed", "servicename", NEVER_USED),
    ("GetAccountSummary", "accountalias", OTHER),
    ("GetOpenIDConnectProvider", "arn", ASKED),
    ("GetOpenIDConnectProvider", "jwks", "keys that a request gave, which AWS has not"),
    ("GetPolicy", "policy", OTHER),
    ("ListAccessKeys", "username", ASKED),
    ("ListGroups*", "usernames", OTHER),
    ("ListInstanceProfiles", "tags", WHOLE),
    ("ListMFADevices", "assigned", WHOLE),
    ("ListMFADevices", "createdat", WHOLE),
    ("ListMFADevices", "tags", WHOLE),
    ("ListMFADevices", "virtualmfadevicename", WHOLE),
    ("ListOpenIDConnectProviders", "clientids", WHOLE),
    ("ListOpenIDConnectProviders", "createdat", WHOLE),
    ("ListOpenIDConnectProviders", "jwks", WHOLE),
    ("ListOpenIDConnectProviders", "tags", WHOLE),
    ("ListOpenIDConnectProviders", "thumbprints", WHOLE),
    ("ListOpenIDConnectProviders", "url", WHOLE),
    ("ListPolicies", "description", WHOLE),
    ("ListPolicies", "policy", WHOLE),
    ("ListPolicies", "tags", WHOLE),
    ("ListPolicyVersions", "policy", WHOLE),
    ("ListRoles", "permissionsboundaryarn", WHOLE),
    ("ListRoles", "tags", WHOLE),
    ("ListUsers", "permissionsboundaryarn", WHOLE),
    ("ListUsers", "tags", WHOLE),
    ("ListVirtualMFADevices", "assigned", WHOLE),
    ("ListVirtualMFADevices", "createdat", WHOLE),
    ("ListVirtualMFADevices", "tags", WHOLE),
    ("ListVirtualMFADevices", "virtualmfadevicename", WHOLE),
    ("ModifyInstanceMetadataOptions", "agentname", INSTANCE),
    ("ModifyInstanceMetadataOptions", "arn", INSTANCE),
    ("ModifyInstanceMetadataOptions", "availabilityzone", INSTANCE),
    ("ModifyInstanceMetadataOptions", "instancetype", INSTANCE),
    ("ModifyInstanceMetadataOptions", "launchedat", INSTANCE),
    ("ModifyInstanceMetadataOptions", "region", INSTANCE),
    ("ModifyInstanceMetadataOptions", "state", INSTANCE),
    ("ModifyInstanceMetadataOptions", "tags", INSTANCE),
    ("RunInstances", "arn", PLACE),
    ("RunInstances", "code", "a number for the state"),
    ("RunInstances", "ownerid", RESERVATION),
    ("RunInstances", "region", PLACE),
    ("RunInstances", "reservationid", RESERVATION),
    ("RunInstances", "tenancy", "follows from the agent"),
    ("Simulate*", "decidedby", TRACE),
    ("Simulate*", "message", TRACE),
    ("TerminateInstances", "code", DONE),
    ("TerminateInstances", "instanceid", DONE),
    ("TerminateInstances", "state", DONE),
];
