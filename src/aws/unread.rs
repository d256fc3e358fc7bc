//! Parameters that AWS's service models have and that are not read here. A request that has one is refused by its
//! name, as an answer that passes over what was asked can say "allowed" where AWS says "denied"; or the
//! parameter means nothing where there are no disks, networks or hypervisors, and has no effect.
//!
//! `tests/clients/compatibility.py` compares what is read and what stands here with the newest models: a
//! parameter that is neither, and a line for one that is read or is in no model, fail it.

use serde::Serialize;

use super::api::Api;
use super::form::Node;
use super::shape::Parameter;

/// What becomes of a request with a parameter that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Treatment {
    /// The request is refused.
    Refused,
    /// The request is done as if the parameter were not there.
    WithoutEffect,
}

/// Parameters of service models that are not read, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The operations that have them.
    pub operations: &'static [&'static str],
    /// Their names on the wire, without the numbers of lists: `Placement.Tenancy`. What is under them goes
    /// with them.
    pub parameters: &'static [&'static str],
    /// What becomes of a request.
    pub treatment: Treatment,
    /// Why they are not read.
    pub reason: &'static str,
}

const fn refused(
    operations: &'static [&'static str],
    parameters: &'static [&'static str],
    reason: &'static str,
) -> Unread {
    Unread { operations, parameters, treatment: Treatment::Refused, reason }
}

const fn without_effect(
    operations: &'static [&'static str],
    parameters: &'static [&'static str],
    reason: &'static str,
) -> Unread {
    Unread { operations, parameters, treatment: Treatment::WithoutEffect, reason }
}

/// Every parameter of the service models that is not read.
/// Sources: the API References of STS, IAM and EC2, at the operations that are named.
pub const UNREAD: &[Unread] = &[
    refused(
        &["AssumeRole", "AssumeRoleWithWebIdentity", "GetFederationToken", "GetSessionToken"],
        &["MinimumSessionTokenSize"],
        "session tokens are as long as what they hold",
    ),
    refused(
        &["AssumeRole"],
        &["ProvidedContexts"],
        "there is no provider of trusted contexts whose assertions could be verified",
    ),
    refused(
        &["CreateOpenIDConnectProvider"],
        &["ContextProvider", "IdentityCenterInstanceArn"],
        "there is no propagation of trusted identities",
    ),
    refused(
        &["CreateRole", "UpdateRole"],
        &["MaxSigninSessionDuration"],
        "there is no console to sign in to",
    ),
    refused(
        &["UpdateRole"],
        &["ResetMaxSigninSessionDuration"],
        "there is no console to sign in to",
    ),
    refused(
        &["SimulateCustomPolicy"],
        &["OrderedOrganizationPolicyInputList"],
        "no hierarchy of service control policies is simulated",
    ),
    refused(
        &["SimulatePrincipalPolicy"],
        &["PolicyExclusionList"],
        "policies are simulated as they are attached",
    ),
    refused(
        &["SimulateCustomPolicy", "SimulatePrincipalPolicy"],
        &["ResourceHandlingOption"],
        "the scenarios of EC2 resources are not enforced",
    ),
    refused(
        &["DescribeInstances"],
        &["IncludeManagedResources"],
        "no instance is managed by a service",
    ),
    refused(
        &["TerminateInstances"],
        &["Force", "SkipOsShutdown"],
        "no operating system is shut down",
    ),
    refused(
        &["RunInstances"],
        &[
            "AdditionalInfo",
            "CapacityReservationSpecification",
            "ElasticGpuSpecification",
            "ElasticInferenceAccelerator",
            "InstanceMarketOptions",
            "KernelId",
            "LicenseSpecification",
            "NetworkPerformanceOptions",
            "Operator",
            "RamdiskId",
        ],
        "instances are records of what runs elsewhere",
    ),
    refused(&["RunInstances"], &["LaunchTemplate"], "there are no launch templates"),
    refused(
        &["RunInstances"],
        &[
            "EnablePrimaryIpv6",
            "Ipv6Address",
            "Ipv6AddressCount",
            "NetworkInterface",
            "SecondaryInterface",
        ],
        "an instance has one private address",
    ),
    refused(
        &["RunInstances"],
        &["Placement.AvailabilityZoneId", "Placement.HostResourceGroupArn"],
        "zones and hosts are known by their names",
    ),
    without_effect(
        &["RunInstances"],
        &[
            "Placement.Affinity",
            "Placement.GroupId",
            "Placement.GroupName",
            "Placement.PartitionNumber",
            "Placement.SpreadDomain",
            "Placement.Tenancy",
        ],
        "hosts are placed by whoever runs them",
    ),
    without_effect(
        &["RunInstances"],
        &[
            "BlockDeviceMapping",
            "CpuOptions",
            "CreditSpecification",
            "DisableApiStop",
            "DisableApiTermination",
            "EbsOptimized",
            "EnclaveOptions",
            "HibernationOptions",
            "InstanceInitiatedShutdownBehavior",
            "MaintenanceOptions",
            "Monitoring",
            "PrivateDnsNameOptions",
            "SecurityGroup",
            "UserData",
        ],
        "there are no disks, networks or hypervisors; clients send them as a matter of course",
    ),
];

/// The operation's parameter that a request is refused for, if there is one: it has a name that is not among what
/// is `read`, and the table does not let it pass.
pub(super) fn refused_parameter(
    api: Api,
    action: &str,
    parameters: &Node,
    read: &[Parameter],
) -> Option<String> {
    under(api, action, parameters, read, "")
}

/// The same for what is under `path`.
fn under(api: Api, action: &str, node: &Node, read: &[Parameter], path: &str) -> Option<String> {
    node.names().find_map(|name| {
        let full = || if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let Some(parameter) = read.iter().find(|parameter| parameter.name == name) else {
            return Some(full()).filter(|full| is_refused(api, action, full));
        };
        if parameter.parts.is_empty() {
            return None;
        }
        let (inner, full) = (node.field(name)?, full());
        let within = |node| under(api, action, node, parameter.parts, &full);
        if parameter.is_list {
            // What is no list is refused when it is read.
            return inner
                .items()
                .unwrap_or_default()
                .into_iter()
                .find_map(|(_, item)| within(item));
        }
        within(inner)
    })
}

/// Whether a parameter that is not read has the request refused. What no model has is refused by EC2 (EC2 API
/// Reference, Error codes, `UnknownParameter`) and passed over by STS and IAM, which have no code for it.
fn is_refused(api: Api, action: &str, parameter: &str) -> bool {
    let found = UNREAD.iter().find(|unread| {
        unread.operations.contains(&action) && unread.parameters.contains(&parameter)
    });
    match found.map(|unread| unread.treatment) {
        Some(Treatment::Refused) => true,
        Some(Treatment::WithoutEffect) => false,
        None => api == Api::Ec2,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::aws::api::{Operation, operations};
    use crate::aws::fault::Fault;
    use crate::aws::form::decode;

    fn operation(name: &str) -> Operation {
        operations().into_iter().find(|operation| operation.name == name).unwrap()
    }

    /// The parameter that a request is refused for.
    fn refused_for(action: &str, form: &str) -> Option<String> {
        let mut parameters = BTreeMap::new();
        decode(form, &mut parameters).unwrap();
        let Operation { service, name, parameters: read, .. } = operation(action);
        let api = Api::of_scope(service).unwrap();
        refused_parameter(api, name, &Node::tree(parameters).unwrap(), read)
    }

    /// Protects answers: what a model has and this build does not read is refused by its name, with any value
    /// or none, and never passed over.
    #[test]
    fn parameters_of_the_models_that_are_not_read_are_refused() {
        let levels =
            "OrderedOrganizationPolicyInputList.member.1.ServiceControlPolicyInputList.member.1";
        let ordered = format!("ActionNames.member.1=a%3Ab&PolicyInputList.member.1=x&{levels}=x");
        let refused = [
            ("SimulateCustomPolicy", ordered.as_str(), "OrderedOrganizationPolicyInputList"),
            (
                "SimulateCustomPolicy",
                "OrderedOrganizationPolicyInputList=",
                "OrderedOrganizationPolicyInputList",
            ),
            (
                "SimulatePrincipalPolicy",
                "PolicyExclusionList.member.1.PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FP",
                "PolicyExclusionList",
            ),
            ("SimulatePrincipalPolicy", "PolicyExclusionList=", "PolicyExclusionList"),
            ("AssumeRole", "ProvidedContexts.member.1.ProviderArn=x", "ProvidedContexts"),
            ("GetSessionToken", "MinimumSessionTokenSize=4096", "MinimumSessionTokenSize"),
            ("CreateRole", "RoleName=r&MaxSigninSessionDuration=3600", "MaxSigninSessionDuration"),
            (
                "CreateOpenIDConnectProvider",
                "ContextProvider.SubjectSourceKey=s",
                "ContextProvider",
            ),
            ("RunInstances", "LaunchTemplate.LaunchTemplateId=lt-1", "LaunchTemplate"),
            (
                "RunInstances",
                "Placement.HostId=h&Placement.HostResourceGroupArn=a",
                "Placement.HostResourceGroupArn",
            ),
        ];
        for (action, form, name) in refused {
            assert_eq!(refused_for(action, form).as_deref(), Some(name), "{action} {form}");
        }
    }

    /// Protects clients: what is read and what has no effect is taken, at any depth; and what no model has, as
    /// AWS does by service.
    #[test]
    fn other_parameters_are_taken() {
        let taken = [
            ("SimulateCustomPolicy", "PolicySourceArn=x&Nonsense=1&Nonsense.member.1=2"),
            ("SimulateCustomPolicy", "ContextEntries.member.1.ContextKeyType=string"),
            ("GetCallerIdentity", "action=GetUser"),
            ("CreateRole", "Tags.member.1.Key=k&Tags.member.1.Nonsense=v"),
            (
                "RunInstances",
                "KeyName=k&UserData=dQ&BlockDeviceMapping.1.Ebs.VolumeSize=8&Placement.Tenancy=default",
            ),
            ("RunInstances", "TagSpecification.1.Tag.1.Key=k&IamInstanceProfile.Name=p"),
        ];
        for (action, form) in taken {
            assert_eq!(refused_for(action, form), None, "{action} {form}");
        }
        let unknown = [
            ("RunInstances", "Nonsense=1", "Nonsense"),
            ("RunInstances", "Placement.Nonsense=1", "Placement.Nonsense"),
            ("RunInstances", "TagSpecification.2.Tag.1.Name=k", "TagSpecification.Tag.Name"),
            ("DescribeInstances", "KeyName=k", "KeyName"),
        ];
        for (action, form, name) in unknown {
            assert_eq!(refused_for(action, form).as_deref(), Some(name), "{action} {form}");
        }
    }

    /// Protects callers: the answer names the parameter, with a code that the service has.
    #[test]
    fn the_answer_names_the_parameter() {
        let told = |api| {
            let fault = Fault::parameter(api, "PolicyExclusionList");
            (fault.code(api), fault.status(api).as_u16(), fault.body(api, false, "id"))
        };
        let (code, status, body) = told(Api::Iam);
        assert_eq!((code, status), ("ValidationError", 400));
        assert!(
            body.contains("The parameter PolicyExclusionList is not supported here."),
            "{body}"
        );
        let (code, status, body) = told(Api::Ec2);
        assert_eq!((code, status), ("UnknownParameter", 400));
        assert!(body.contains("The parameter PolicyExclusionList is not recognized"), "{body}");
    }

    /// Protects the table: each line is for an operation that is answered, and for nothing that is read.
    #[test]
    fn the_table_and_what_is_read_do_not_overlap() {
        for unread in UNREAD {
            for (action, path) in
                unread.operations.iter().flat_map(|a| unread.parameters.iter().map(move |p| (a, p)))
            {
                let (mut parts, mut read) =
                    (path.split('.').peekable(), operation(action).parameters);
                while let Some(part) = parts.next() {
                    let found = read.iter().find(|parameter| parameter.name == part);
                    assert_eq!(found.is_some(), parts.peek().is_some(), "{action} {path}");
                    read = found.map_or(&[], |parameter| parameter.parts);
                }
            }
        }
    }
}
