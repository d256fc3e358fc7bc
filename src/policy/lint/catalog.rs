//! The names that checks know: actions, condition keys, services. What is not here is not complained of,
//! but for keys and actions of the services that are listed in full.
//! Sources: the service models of IAM and STS; IAM User Guide, reference_policies_condition-keys and
//! reference_policies_iam-condition-keys; Service Authorization Reference.

use crate::policy::TRUST_ACTIONS;
use crate::policy::error::{closest, distance};

/// Actions of IAM: the operations of its API, and `PassRole`.
const IAM: &str = "AcceptDelegationRequest AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile \
    AddUserToGroup AssociateDelegationRequest AttachGroupPolicy AttachRolePolicy AttachUserPolicy \
    ChangePassword CreateAccessKey CreateAccountAlias CreateDelegationRequest CreateGroup \
    CreateInstanceProfile CreateLoginProfile CreateOpenIDConnectProvider CreatePolicy \
    CreatePolicyVersion CreateRole CreateSAMLProvider CreateServiceLinkedRole \
    CreateServiceSpecificCredential CreateUser CreateVirtualMFADevice DeactivateMFADevice \
    DeleteAccessKey DeleteAccountAlias DeleteAccountPasswordPolicy DeleteCloudFrontPublicKey \
    DeleteGroup DeleteGroupPolicy DeleteInstanceProfile DeleteLoginProfile \
    DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole \
    DeleteRolePermissionsBoundary DeleteRolePolicy DeleteSAMLProvider DeleteSSHPublicKey \
    DeleteServerCertificate DeleteServiceLinkedRole DeleteServiceSpecificCredential \
    DeleteSigningCertificate DeleteUser DeleteUserPermissionsBoundary DeleteUserPolicy \
    DeleteVirtualMFADevice DetachGroupPolicy DetachRolePolicy DetachUserPolicy \
    DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions \
    DisableOutboundWebIdentityFederation EnableMFADevice \
    EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions \
    EnableOutboundWebIdentityFederation GenerateCredentialReport GenerateOrganizationsAccessReport \
    GenerateServiceLastAccessedDetails GetAccessKeyLastUsed GetAccountAuthorizationDetails \
    GetAccountEmailAddress GetAccountName GetAccountPasswordPolicy GetAccountSummary \
    GetCloudFrontPublicKey GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy \
    GetCredentialReport GetDelegationRequest GetGroup GetGroupPolicy GetHumanReadableSummary \
    GetInstanceProfile GetLoginProfile GetMFADevice GetOpenIDConnectProvider \
    GetOrganizationsAccessReport GetOutboundWebIdentityFederationInfo GetPolicy GetPolicyVersion \
    GetRole GetRolePolicy GetSAMLProvider GetSSHPublicKey GetServerCertificate \
    GetServiceLastAccessedDetails GetServiceLastAccessedDetailsWithEntities \
    GetServiceLinkedRoleDeletionStatus GetUser GetUserPolicy ListAccessKeys ListAccountAliases \
    ListAttachedGroupPolicies ListAttachedRolePolicies ListAttachedUserPolicies \
    ListCloudFrontPublicKeys ListDelegationRequests ListEntitiesForPolicy ListGroupPolicies \
    ListGroups ListGroupsForUser ListInstanceProfileTags ListInstanceProfiles \
    ListInstanceProfilesForRole ListMFADeviceTags ListMFADevices ListOpenIDConnectProviderTags \
    ListOpenIDConnectProviders ListOrganizationsFeatures ListPolicies \
    ListPoliciesGrantingServiceAccess ListPolicyTags ListPolicyVersions ListRolePolicies \
    ListRoleTags ListRoles ListSAMLProviderTags ListSAMLProviders ListSSHPublicKeys \
    ListSTSRegionalEndpointsStatus ListServerCertificateTags ListServerCertificates \
    ListServiceSpecificCredentials ListSigningCertificates ListUserPolicies ListUserTags ListUsers \
    ListVirtualMFADevices PassRole PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy \
    PutUserPermissionsBoundary PutUserPolicy RejectDelegationRequest \
    RemoveClientIDFromOpenIDConnectProvider RemoveRoleFromInstanceProfile RemoveUserFromGroup \
    ResetServiceSpecificCredential ResyncMFADevice SendDelegationToken SetDefaultPolicyVersion \
    SetSTSRegionalEndpointStatus SetSecurityTokenServicePreferences SimulateCustomPolicy \
    SimulatePrincipalPolicy TagInstanceProfile TagMFADevice TagOpenIDConnectProvider TagPolicy \
    TagRole TagSAMLProvider TagServerCertificate TagUser UntagInstanceProfile UntagMFADevice \
    UntagOpenIDConnectProvider UntagPolicy UntagRole UntagSAMLProvider UntagServerCertificate \
    UntagUser UpdateAccessKey UpdateAccountEmailAddress UpdateAccountName \
    UpdateAccountPasswordPolicy UpdateAssumeRolePolicy UpdateCloudFrontPublicKey \
    UpdateDelegationRequest UpdateGroup UpdateLoginProfile \
    UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription UpdateSAMLProvider \
    UpdateSSHPublicKey UpdateServerCertificate UpdateServiceSpecificCredential \
    UpdateSigningCertificate UpdateUser UploadCloudFrontPublicKey UploadSSHPublicKey \
    UploadServerCertificate UploadSigningCertificate";

/// Actions of STS: the operations of its API, and those that a session's tags and identity need.
const STS: &str = "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot \
    DecodeAuthorizationMessage GetAccessKeyInfo GetCallerIdentity GetDelegatedAccessToken \
    GetFederationToken GetServiceBearerToken GetSessionToken GetWebIdentityToken SetContext \
    SetSourceIdentity TagGetWebIdentityToken TagSession";

/// The full names of the actions of a service whose actions are all known.
pub(super) fn actions_of(service: &str) -> Option<impl Iterator<Item = String> + use<>> {
    let (service, names) = match service {
        "iam" => ("iam", IAM),
        "sts" => ("sts", STS),
        _ => return None,
    };
    Some(names.split_whitespace().map(move |name| format!("{service}:{name}")))
}

/// Prefixes of actions, to tell misspelt ones by; not complete.
const SERVICES: &str = "a4b access-analyzer account acm acm-pca airflow amplify apigateway \
    appconfig application-autoscaling appmesh apprunner appstream appsync aps athena \
    auditmanager autoscaling aws-marketplace aws-portal backup batch bedrock billing braket \
    budgets ce chatbot chime cleanrooms cloud9 cloudformation cloudfront cloudhsm cloudsearch \
    cloudtrail cloudwatch codeartifact codebuild codecommit codedeploy codepipeline codestar \
    cognito-identity cognito-idp comprehend config connect cur databrew datasync datazone dax \
    detective devicefarm directconnect dlm dms ds dynamodb ebs ec2 ec2messages ecr ecs eks \
    elasticache elasticbeanstalk elasticfilesystem elasticloadbalancing elasticmapreduce es \
    events execute-api firehose fis fms forecast freetier fsx glacier globalaccelerator glue \
    greengrass guardduty health iam identitystore imagebuilder importexport inspector \
    inspector2 iot kafka kendra kinesis kinesisanalytics kinesisvideo kms lakeformation lambda \
    lex license-manager lightsail locum logs macie2 mediaconvert mobiletargeting mq \
    network-firewall networkmanager notifications oam omics opsworks organizations outposts \
    personalize pi pipes polly pricing quicksight ram rds rds-data rds-db redshift \
    redshift-data rekognition resource-groups route53 route53domains route53resolver s3 \
    s3-object-lambda s3-outposts sagemaker savingsplans scheduler schemas sdb secretsmanager \
    securityhub serverlessrepo servicecatalog servicediscovery servicequotas ses shield signer \
    sns sqs ssm ssmmessages sso states storagegateway sts support swf synthetics tag textract \
    timestream transcribe transfer translate trustedadvisor waf waf-regional wafv2 \
    wellarchitected workspaces xray";

/// The service that a misspelt prefix of an action means.
pub(super) fn meant_service(prefix: &str) -> Option<&'static str> {
    near(prefix, SERVICES.split_whitespace())
}

/// The one of `known` that `given` nearly is; none if it is one itself. Short names differ from each other
/// by little: those of three letters are left alone, one letter may be wrong, and two in long names.
fn near(
    given: &str,
    mut known: impl Iterator<Item = &'static str> + Clone,
) -> Option<&'static str> {
    if given.len() < 4 || known.clone().any(|name| name == given) {
        return None;
    }
    let allowed = if given.len() >= 8 { 2 } else { 1 };
    known.find(|name| differs_in_one_place(given, name, allowed))
}

/// Whether two names are the same but for one place of at most so many characters. Cheap, because a
/// document may hold thousands of names.
fn differs_in_one_place(a: &str, b: &str, allowed: usize) -> bool {
    if a.len().abs_diff(b.len()) > allowed {
        return false;
    }
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let longer = a.len().max(b.len());
    longer.saturating_sub(same + back) <= allowed
}

/// Services that act as principals, to tell misspelt ones by; not complete.
const PRINCIPALS: &str = "access-analyzer apigateway appsync autoscaling backup batch bedrock budgets \
    cloudformation cloudfront cloudtrail cloudwatch codebuild codedeploy codepipeline \
    cognito-identity cognito-idp config datapipeline delivery.logs directconnect dlm dms ds \
    dynamodb ec2 ec2fleet ecs ecs-tasks edgelambda eks eks-fargate-pods elasticache \
    elasticbeanstalk elasticfilesystem elasticloadbalancing elasticmapreduce events export.rds \
    firehose fsx glue guardduty iot kafka kinesis kinesisanalytics kms lakeformation lambda logs \
    macie mediaconvert monitoring.rds opsworks pipes pods.eks quicksight rds redshift rekognition \
    replicator.lambda rolesanywhere s3 sagemaker scheduler secretsmanager securityhub serverlessrepo \
    ses shield sns spotfleet sqs ssm sso states storagegateway streams.metrics.cloudwatch sts \
    support transfer trustedadvisor vpc-flow-logs wafv2 workspaces";

/// Services that act for customers on other accounts' resources, and name the resource they act for
/// (IAM User Guide, confused-deputy).
const DEPUTIES: [&str; 21] = [
    "apigateway",
    "backup",
    "bedrock",
    "budgets",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "config",
    "delivery.logs",
    "events",
    "firehose",
    "iot",
    "logs",
    "pipes",
    "s3",
    "sagemaker",
    "scheduler",
    "securityhub",
    "ses",
    "sns",
    "vpc-flow-logs",
];

/// The ending of services' names.
const AMAZON: &str = ".amazonaws.com";

/// Whether a service acts for customers on other accounts' resources.
pub(super) fn is_deputy(principal: &str) -> bool {
    principal.strip_suffix(AMAZON).is_some_and(|name| DEPUTIES.contains(&name))
}

/// What a service's misspelt name means; an empty text if it has no form of a service's name and is like
/// none.
pub(super) fn meant_principal(principal: &str) -> Option<String> {
    let endings = [AMAZON, ".amazonaws.com.cn", ".amazon.com", ".aws.internal", ".internal"];
    if let Some(name) = principal.strip_suffix(AMAZON) {
        return near(name, PRINCIPALS.split_whitespace()).map(|name| format!("{name}{AMAZON}"));
    }
    if endings.iter().any(|ending| principal.ends_with(ending)) && !is_service_at_amazon(principal)
    {
        return None;
    }
    let name = principal.split('.').next().unwrap_or_default();
    let known = PRINCIPALS.split_whitespace().find(|known| *known == name);
    let meant = known.or_else(|| near(name, PRINCIPALS.split_whitespace()));
    Some(meant.map(|name| format!("{name}{AMAZON}")).unwrap_or_default())
}

/// `ec2.amazon.com`: a known service with half of the ending.
fn is_service_at_amazon(principal: &str) -> bool {
    let name = principal.strip_suffix(".amazon.com");
    name.is_some_and(|name| PRINCIPALS.split_whitespace().any(|known| known == name))
}

/// What the values of a condition key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    Text,
    Arn,
    Number,
    Date,
    Truth,
    Address,
    /// Seconds since 1970, which number and date operators read.
    Seconds,
}

/// A known condition key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) of: KeyType,
    /// Whether a request may have several values of it.
    pub(super) several: bool,
}

const fn one(name: &'static str, of: KeyType) -> Key {
    Key { name, of, several: false }
}

const fn several(name: &'static str) -> Key {
    Key { name, of: KeyType::Text, several: true }
}

/// Keys of `aws:`, `iam:` and `sts:` in full, and some of `ec2:`. A name that ends with `/` begins a
/// family: what follows is a tag's key.
const KEYS: [Key; 86] = {
    use KeyType::{Address, Arn, Date, Number, Seconds, Text, Truth};
    [
        one("aws:AssumedRoot", Truth),
        several("aws:CalledVia"),
        one("aws:CalledViaFirst", Text),
        one("aws:CalledViaLast", Text),
        one("aws:ChatbotSourceArn", Arn),
        one("aws:CurrentTime", Date),
        one("aws:Ec2InstanceSourcePrivateIPv4", Address),
        one("aws:Ec2InstanceSourceVpc", Text),
        one("aws:EpochTime", Seconds),
        one("aws:FederatedProvider", Text),
        one("aws:MultiFactorAuthAge", Number),
        one("aws:MultiFactorAuthPresent", Truth),
        one("aws:PrincipalAccount", Text),
        one("aws:PrincipalArn", Arn),
        one("aws:PrincipalIsAWSService", Truth),
        one("aws:PrincipalOrgID", Text),
        several("aws:PrincipalOrgPaths"),
        one("aws:PrincipalServiceName", Text),
        several("aws:PrincipalServiceNamesList"),
        one("aws:PrincipalTag/", Text),
        one("aws:PrincipalType", Text),
        one("aws:Referer", Text),
        one("aws:RequestTag/", Text),
        one("aws:RequestedRegion", Text),
        one("aws:ResourceAccount", Text),
        one("aws:ResourceOrgID", Text),
        several("aws:ResourceOrgPaths"),
        one("aws:ResourceTag/", Text),
        one("aws:SecureTransport", Truth),
        one("aws:SignInSessionArn", Arn),
        one("aws:SourceAccount", Text),
        one("aws:SourceArn", Arn),
        one("aws:SourceIdentity", Text),
        one("aws:SourceIp", Address),
        one("aws:SourceOrgID", Text),
        several("aws:SourceOrgPaths"),
        one("aws:SourceVpc", Text),
        one("aws:SourceVpcArn", Arn),
        one("aws:SourceVpce", Text),
        several("aws:TagKeys"),
        one("aws:TokenIssueTime", Date),
        one("aws:UserAgent", Text),
        one("aws:ViaAWSService", Truth),
        one("aws:VpcSourceIp", Address),
        one("aws:VpceAccount", Text),
        one("aws:VpceOrgID", Text),
        several("aws:VpceOrgPaths"),
        one("aws:userid", Text),
        one("aws:username", Text),
        one("ec2:InstanceProfile", Arn),
        one("ec2:InstanceType", Text),
        one("ec2:Region", Text),
        one("ec2:ResourceTag/", Text),
        one("ec2:RoleDelivery", Number),
        one("ec2:SourceInstanceARN", Arn),
        one("ec2:Subnet", Arn),
        one("ec2:Vpc", Arn),
        one("iam:AWSServiceName", Text),
        one("iam:AssociatedResourceArn", Arn),
        one("iam:DelegationDuration", Number),
        one("iam:DelegationRequestOwner", Arn),
        one("iam:FIDO-FIPS-140-2-certification", Text),
        one("iam:FIDO-FIPS-140-3-certification", Text),
        one("iam:FIDO-certification", Text),
        one("iam:NotificationChannel", Arn),
        one("iam:OrganizationsPolicyId", Text),
        one("iam:PassedToService", Text),
        one("iam:PermissionsBoundary", Arn),
        one("iam:PolicyARN", Arn),
        one("iam:RegisterSecurityKey", Text),
        one("iam:ResourceTag/", Text),
        one("iam:ServiceSpecificCredentialAgeDays", Number),
        one("iam:ServiceSpecificCredentialServiceName", Text),
        one("iam:TemplateArn", Arn),
        one("sts:AWSServiceName", Text),
        one("sts:DurationSeconds", Number),
        one("sts:ExternalId", Text),
        several("sts:IdentityTokenAudience"),
        one("sts:RequestContext/", Text),
        several("sts:RequestContextProviders"),
        one("sts:RoleAuthorizedByIdp", Truth),
        one("sts:RoleSessionName", Text),
        one("sts:SigningAlgorithm", Text),
        one("sts:SourceIdentity", Text),
        one("sts:TaskPolicyArn", Arn),
        several("sts:TransitiveTagKeys"),
    ]
};

/// What is known of a condition key.
pub(super) enum Known {
    /// It is listed.
    Yes(Key),
    /// It is a multi-valued key of a service whose keys are not all listed.
    List,
    /// It is of a service whose keys are not listed.
    NoMatter,
    /// A family of keys, without the tag's key.
    NoTag(&'static str),
    /// There is no such key; perhaps this one is meant.
    No(Option<String>),
}

/// What is known of the key `written`.
pub(super) fn key(written: &str) -> Known {
    // A provider's claim: its issuer, which may have a path, and the claim.
    if let Some((_, claim)) = written.split_once(':').filter(|(issuer, _)| issuer.contains('.')) {
        let several = LIST_CLAIMS.iter().any(|list| list.eq_ignore_ascii_case(claim));
        return if several { Known::List } else { Known::NoMatter };
    }
    let (base, tag) = match written.split_once('/') {
        Some((base, tag)) => (format!("{base}/"), Some(tag)),
        None => (written.to_owned(), None),
    };
    let named = |name: &str| KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(name));
    match named(&base) {
        Some(_) if tag == Some("") => return Known::NoTag("a tag's key follows the `/`"),
        Some(key) => return Known::Yes(*key),
        None if named(&format!("{base}/")).is_some() => {
            return Known::NoTag("it is a family of keys: a `/` and a tag's key follow");
        }
        None => {}
    }
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let meant = |name: &str| {
        let meant = closest(name, &names)?;
        let tag = if meant.ends_with('/') { tag.unwrap_or_default() } else { "" };
        Some(format!("{meant}{tag}"))
    };
    let Some((service, name)) = base.split_once(':') else {
        return Known::No(meant(&format!("aws:{base}")));
    };
    match service.to_ascii_lowercase().as_str() {
        "aws" | "iam" | "sts" => Known::No(meant(&base)),
        "ec2" => match KEYS.iter().find(|key| differs_in_one_place(key.name, &base, 1)) {
            Some(key) => Known::No(Some(key.name.to_owned())),
            None => Known::NoMatter,
        },
        // `asw:SourceIp`: a global key under a service that is none.
        other if distance(other, "aws") <= 2 && named(&format!("aws:{name}")).is_some() => {
            Known::No(Some(format!("aws:{name}{}", tag.unwrap_or_default())))
        }
        _ if LISTS.contains(&base.to_ascii_lowercase().as_str()) => Known::List,
        _ => Known::NoMatter,
    }
}

/// Multi-valued keys of other services; not complete (Service Authorization Reference, keys of a type `ArrayOf...`).
const LISTS: [&str; 7] = [
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "kms:encryptioncontextkeys",
    "kms:grantoperations",
    "kms:resourcealiases",
    "license-manager:resourcetagkeys",
    "route53:changeresourcerecordsetsactions",
];

/// Claims of every OpenID Connect provider that are multi-valued (IAM User Guide, reference_policies_iam-condition-keys,
/// "Available keys for AWS OIDC federation").
const LIST_CLAIMS: [&str; 2] = ["amr", "oaud"];

/// Keys that only some actions' requests have.
const LIMITED: [(&str, &[&str]); 7] = [
    ("sts:externalid", &["sts:AssumeRole"]),
    ("sts:rolesessionname", &TRUST_ACTIONS),
    (
        "sts:transitivetagkeys",
        &[
            "sts:TagSession",
            "sts:AssumeRole",
            "sts:AssumeRoleWithSAML",
            "sts:AssumeRoleWithWebIdentity",
            "sts:GetFederationToken",
        ],
    ),
    (
        "sts:sourceidentity",
        &[
            "sts:SetSourceIdentity",
            "sts:AssumeRole",
            "sts:AssumeRoleWithSAML",
            "sts:AssumeRoleWithWebIdentity",
        ],
    ),
    ("iam:passedtoservice", &["iam:PassRole"]),
    ("iam:associatedresourcearn", &["iam:PassRole"]),
    (
        "iam:policyarn",
        &[
            "iam:AttachGroupPolicy",
            "iam:AttachRolePolicy",
            "iam:AttachUserPolicy",
            "iam:DetachGroupPolicy",
            "iam:DetachRolePolicy",
            "iam:DetachUserPolicy",
        ],
    ),
];

/// The only actions whose requests have a key, if they are few. `key` is in lower case.
pub(super) fn actions_with(key: &str) -> Option<&'static [&'static str]> {
    LIMITED.iter().find(|(name, _)| *name == key).map(|(_, actions)| *actions)
}

/// Services of the ARNs that a service's actions act on, where they are few.
pub(super) fn arn_services(service: &str) -> Option<&'static [&'static str]> {
    Some(match service {
        "iam" => &["iam"],
        // A role or user of IAM, or a session.
        "sts" => &["iam", "sts"],
        "s3" => &["s3", "s3-object-lambda", "s3express", "s3-outposts"],
        "dynamodb" => &["dynamodb"],
        "sqs" => &["sqs"],
        "sns" => &["sns"],
        "lambda" => &["lambda"],
        "kms" => &["kms"],
        "secretsmanager" => &["secretsmanager"],
        _ => return None,
    })
}
