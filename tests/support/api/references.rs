//! What the fields of requests stand for: something of an account (a reference), or a value. One table by the
//! names of fields, which gRPC and the Query protocol share but for their spelling; exceptions stand first. A
//! field that no line of it covers makes the tests fail: whoever adds one says here what it refers to.

/// What a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    AccessKey,
    Account,
    Address,
    Agent,
    Alias,
    Association,
    /// A place in a list: the name of the entry before it.
    Cursor,
    DeletionTask,
    Group,
    InlinePolicy,
    Instance,
    SpareAssociation,
    /// An instance without a profile.
    SpareInstance,
    /// The name of something that is to be made.
    New,
    Path,
    /// A policy whose text names resources.
    Policy,
    PolicyArn,
    Profile,
    ProfileArn,
    /// A profile without a role.
    SpareProfile,
    ProviderArn,
    /// The URL of a provider that is to be made.
    ProviderUrl,
    /// A resource's policy, which names principals.
    ResourcePolicy,
    Role,
    RoleArn,
    /// The reasons of a refusal, sealed.
    Sealed,
    /// A number of the log.
    Sequence,
    Serial,
    ServiceLinkedRole,
    SessionKey,
    /// An idempotency token.
    Token,
    /// A trust policy, which names principals.
    Trust,
    User,
    UserArn,
}

/// What a field stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A reference that requests always have.
    Refers(Kind),
    /// A reference that requests have only while it is the one that is tried.
    MayRefer(Kind),
    /// A value, as JSON.
    Value(&'static str),
    /// A value that requests do without.
    LeftOut,
    /// A value that goes with the serial number of an MFA device.
    WithSerial(&'static str),
    /// The headers of a request that the caller signed.
    SignedHeaders,
}

use Class::{LeftOut, MayRefer, Refers, SignedHeaders, Value, WithSerial};

const IDENTITY_POLICY: Class = Refers(Kind::Policy);
/// A token of a provider that no account has.
const STRANGERS_JWT: &str = r#""eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL25vYm9keS5leGFtcGxlLm9yZyIsInN1YiI6InMiLCJhdWQiOiJhIiwiZXhwIjo0MDAwMDAwMDAwLCJpYXQiOjF9.AAAA""#;
/// The SHA-256 of nothing.
const NOTHING: &str = r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#;

/// By operation (or message) and field.
const EXCEPTIONS: &[(&str, &str, Class)] = &[
    ("AddRoleToInstanceProfile", "instanceprofilename", Refers(Kind::SpareProfile)),
    ("AssociateIamInstanceProfile", "instanceid", Refers(Kind::SpareInstance)),
    ("AssociateInstanceProfile", "instanceid", Refers(Kind::SpareInstance)),
    ("AssumeRole", "serialnumber", MayRefer(Kind::Serial)),
    ("CreateAccount", "name", Value(r#""other""#)),
    ("CreateAccountAlias", "accountalias", Refers(Kind::New)),
    ("CreateAgent", "agentname", Refers(Kind::New)),
    ("CreateGroup", "groupname", Refers(Kind::New)),
    ("CreateInstanceProfile", "instanceprofilename", Refers(Kind::New)),
    ("CreatePolicy", "policyname", Refers(Kind::New)),
    // An account may have five versions.
    (
        "CreatePolicyVersion",
        "policy",
        Value(
            r#""{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}""#,
        ),
    ),
    (
        "CreatePolicyVersion",
        "policydocument",
        Value(
            r#""{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}""#,
        ),
    ),
    ("Authorize", "action", Value(r#""s3:GetObject""#)),
    ("AuthorizeSignedRequest", "action", Value(r#""s3:GetObject""#)),
    ("AuthorizeSignedRequestRequest", "action", Value(r#""s3:GetObject""#)),
    ("CreateRole", "rolename", Refers(Kind::New)),
    ("CreateServiceLinkedRole", "customsuffix", Refers(Kind::New)),
    ("CreateServiceLinkedRole", "servicename", Value(r#""autoscaling.amazonaws.com""#)),
    ("CreateUser", "username", Refers(Kind::New)),
    ("DeleteServiceLinkedRole", "rolename", Refers(Kind::ServiceLinkedRole)),
    ("DescribeIamInstanceProfileAssociations", "associationid.1", Refers(Kind::Association)),
    ("DescribeIamInstanceProfileAssociations", "filter.1.name", Value(r#""instance-id""#)),
    ("DescribeInstances", "filter.1.name", Value(r#""instance-id""#)),
    ("DescribeInstances", "instanceid.1", Refers(Kind::Instance)),
    ("TerminateInstances", "instanceid.1", Refers(Kind::Instance)),
    ("GetSessionToken", "serialnumber", MayRefer(Kind::Serial)),
    ("ListSessions", "accesskeyid", MayRefer(Kind::SessionKey)),
    ("ListSessions", "instanceid", MayRefer(Kind::Instance)),
    ("ListSessions", "rolename", MayRefer(Kind::Role)),
    ("ListSessions", "username", MayRefer(Kind::User)),
    ("MetadataClient", "useragent", LeftOut),
    ("ProfileReference", "arn", Refers(Kind::ProfileArn)),
    ("ProfileReference", "name", Refers(Kind::Profile)),
    ("PutGuardrail", "kind", Value("1")),
    ("DeleteGuardrail", "kind", Value("1")),
    ("PutGuardrail", "name", Value(r#""rail""#)),
    ("DeleteGuardrail", "name", Value(r#""rail""#)),
    ("GetFederationToken", "name", Value(r#""somebody""#)),
    ("RevokeSession", "accesskeyid", Refers(Kind::SessionKey)),
    ("SignedChunk", "sha256", LeftOut),
    ("SignedChunk", "signature", LeftOut),
    ("SignedHeader", "name", LeftOut),
    ("SignedHeader", "value", LeftOut),
    ("SignedRequest", "bodysha256", Value(NOTHING)),
    ("SignedRequest", "headers", SignedHeaders),
    ("SignedRequest", "method", Value(r#""GET""#)),
    ("SignedRequest", "path", Value(r#""/""#)),
    ("SignedRequest", "query", LeftOut),
    ("SignedRequest", "securetransport", LeftOut),
    ("FollowInvalidations", "service", Value(r#""s3""#)),
    ("SignedRequest", "service", Value(r#""s3""#)),
    ("SignedRequest", "sourceip", LeftOut),
    ("SimulateCustomPolicy", "resourcepolicy", LeftOut),
    ("SimulatePrincipalPolicy", "resourcepolicy", LeftOut),
    ("UpdateAssumeRolePolicy", "policydocument", Refers(Kind::Trust)),
    ("ReplaceIamInstanceProfileAssociation", "associationid", Refers(Kind::SpareAssociation)),
    ("ReplaceInstanceProfileAssociation", "associationid", Refers(Kind::SpareAssociation)),
    ("AssumeRole", "tags", LeftOut),
    ("ExplainAssumeRole", "tags", LeftOut),
    ("GetFederationToken", "tags", LeftOut),
    ("ValidatePolicy", "kind", Value("1")),
    // What a name is changed to: `admitted.rs`.
    ("UpdateUser", "newusername", LeftOut),
    ("UpdateGroup", "newgroupname", LeftOut),
];

/// By field.
const REFERENCES: &[(&str, Class)] = &[
    ("accesskeyid", Refers(Kind::AccessKey)),
    ("accountalias", Refers(Kind::Alias)),
    ("accountid", Refers(Kind::Account)),
    ("additionalpolicies", IDENTITY_POLICY),
    ("agentname", Refers(Kind::Agent)),
    ("associationid", Refers(Kind::Association)),
    ("associationids", Refers(Kind::Association)),
    ("assumerolepolicydocument", Refers(Kind::Trust)),
    ("callerarn", MayRefer(Kind::UserArn)),
    ("clienttoken", MayRefer(Kind::Token)),
    ("deletiontaskid", Refers(Kind::DeletionTask)),
    ("encodedmessage", Refers(Kind::Sealed)),
    ("filter.1.value.1", MayRefer(Kind::Instance)),
    ("fromsequence", MayRefer(Kind::Sequence)),
    ("groupname", Refers(Kind::Group)),
    ("iaminstanceprofile.arn", Refers(Kind::ProfileArn)),
    ("iaminstanceprofile.name", Refers(Kind::Profile)),
    ("idempotencytoken", MayRefer(Kind::Token)),
    ("identitypolicies", IDENTITY_POLICY),
    ("instanceid", Refers(Kind::Instance)),
    ("instanceids", Refers(Kind::Instance)),
    ("instanceprofilename", Refers(Kind::Profile)),
    ("marker", MayRefer(Kind::Cursor)),
    ("mfaserialnumber", Refers(Kind::Serial)),
    ("nexttoken", MayRefer(Kind::Cursor)),
    ("openidconnectproviderarn", Refers(Kind::ProviderArn)),
    ("pagetoken", MayRefer(Kind::Cursor)),
    ("pathprefix", MayRefer(Kind::Path)),
    ("permissionsboundary", Refers(Kind::PolicyArn)),
    ("permissionsboundaryarn", Refers(Kind::PolicyArn)),
    ("placement.hostid", Refers(Kind::Agent)),
    ("policy", IDENTITY_POLICY),
    ("policyarn", Refers(Kind::PolicyArn)),
    ("policyarns", Refers(Kind::PolicyArn)),
    ("policyarns.member.1.arn", Refers(Kind::PolicyArn)),
    ("policydocument", IDENTITY_POLICY),
    ("policyinputlist.member.1", IDENTITY_POLICY),
    ("permissionsboundaries", MayRefer(Kind::Policy)),
    ("permissionsboundarypolicyinputlist.member.1", MayRefer(Kind::Policy)),
    ("policyname", Refers(Kind::InlinePolicy)),
    ("policysourcearn", Refers(Kind::UserArn)),
    ("principal", Refers(Kind::UserArn)),
    ("principalarn", Refers(Kind::UserArn)),
    ("privateip", MayRefer(Kind::Address)),
    ("privateipaddress", MayRefer(Kind::Address)),
    ("resource", Refers(Kind::RoleArn)),
    ("resourceaccount", MayRefer(Kind::Account)),
    ("resourcearns.member.1", Refers(Kind::RoleArn)),
    ("resourceowner", MayRefer(Kind::Account)),
    ("resourcepolicy", MayRefer(Kind::ResourcePolicy)),
    ("resources", Refers(Kind::RoleArn)),
    ("rolearn", Refers(Kind::RoleArn)),
    ("rolearns", Refers(Kind::RoleArn)),
    ("rolename", Refers(Kind::Role)),
    ("serialnumber", Refers(Kind::Serial)),
    ("servicecontrolpolicies", MayRefer(Kind::Policy)),
    ("sessionpolicies", MayRefer(Kind::Policy)),
    ("trustpolicy", Refers(Kind::Trust)),
    ("url", Refers(Kind::ProviderUrl)),
    ("username", Refers(Kind::User)),
    ("virtualmfadevicename", Refers(Kind::New)),
];

/// By field.
const VALUES: &[(&str, Class)] = &[
    ("action", Value(r#""iam:GetRole""#)),
    ("actionnames.member.1", Value(r#""iam:GetRole""#)),
    ("actions", Value(r#""iam:GetRole""#)),
    ("addressranges", Value(r#""192.0.2.0/24""#)),
    ("authenticationcode1", Value(r#""000000""#)),
    ("authenticationcode2", Value(r#""000001""#)),
    ("awsservicename", Value(r#""autoscaling.amazonaws.com""#)),
    ("clientid", Value(r#""app""#)),
    ("clientidlist.member.1", Value(r#""app""#)),
    ("clientids", Value(r#""app""#)),
    ("description", Value(r#""d""#)),
    ("imageid", Value(r#""ami-0abcdef1234567890""#)),
    ("intervalseconds", Value("3600")),
    ("lifetimeseconds", Value("21600")),
    ("maxcount", Value("1")),
    ("mincount", Value("1")),
    ("name", Value(r#""name""#)),
    ("quota", Value(r#""RolesPerAccount""#)),
    ("rolesessionname", Value(r#""session""#)),
    ("status", Value(r#""Active""#)),
    ("tagkeys", Value(r#""team""#)),
    ("tagkeys.member.1", Value(r#""team""#)),
    ("tags", Value(r#"{"team":"x"}"#)),
    ("tags.member.1.key", Value(r#""team""#)),
    ("tags.member.1.value", Value(r#""x""#)),
    ("thumbprintlist.member.1", Value(r#""0123456789012345678901234567890123456789""#)),
    ("thumbprints", Value(r#""0123456789012345678901234567890123456789""#)),
    ("tokencode", WithSerial(r#""000000""#)),
    ("value", Value("5")),
    ("version", Value("1")),
    ("versionid", Value(r#""v1""#)),
    ("webidentitytoken", Value(STRANGERS_JWT)),
];

/// Values that requests do without: pages and waits, choices with a default, further conditions.
const LEFT_OUT: &[&str] = &[
    "active",
    "aftersequence",
    "allaccounts",
    "assignmentstatus",
    "attachedonly",
    "availabilityzone",
    "awsmanaged",
    "batched",
    "before",
    "chained",
    "contextentries",
    "context",
    "defaultkept",
    "dryrun",
    "duration",
    "durationseconds",
    "entityfilter",
    "externalid",
    "furtheractions",
    "hosts",
    "httpendpoint",
    "httpendpointdisabled",
    "httpprotocolipv6",
    "httpputresponsehoplimit",
    "httptokens",
    "httptokensoptional",
    "id",
    "includeconditional",
    "includeended",
    "instancemetadatatags",
    "instancetype",
    "issuedbefore",
    "jwks",
    "jwksurl",
    "key",
    "keyname",
    "kinds",
    "limit",
    "maxitems",
    "maxresults",
    "maxsession",
    "maxsessionduration",
    "metadataoptions",
    "minsequence",
    "newpath",
    "onlyattached",
    "pagesize",
    "path",
    "policyusagefilter",
    "prepareonly",
    "providerid",
    "region",
    "requiredheaders",
    "resourcecontrolpolicies",
    "scope",
    "securitygroupid",
    "seen",
    "setasdefault",
    "sourceidentity",
    "subnetid",
    "tagspecification",
    "transitivetagkeys",
    "version1clients",
];

/// What `field` of `owner` (an operation, or a message within its request) stands for, if the table says so.
pub(crate) fn class_of(owner: &str, field: &str) -> Option<Class> {
    let field: String = field.to_ascii_lowercase().chars().filter(|c| *c != '_').collect();
    let exception = EXCEPTIONS.iter().find(|(of, name, _)| *of == owner && *name == field);
    let by_name = || REFERENCES.iter().chain(VALUES).find(|(name, _)| *name == field);
    exception
        .map(|(.., class)| *class)
        .or_else(|| by_name().map(|(_, class)| *class))
        .or_else(|| LEFT_OUT.contains(&field.as_str()).then_some(LeftOut))
}
