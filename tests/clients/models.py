"""Locum beside AWS's service models: every parameter and every field of an answer that the models have.

A path is written as botocore names it for answers and as it goes over the wire for requests; `[]` marks a list.
"""

import functools

import botocore.session

# Parameters that are read although the model of the operation does not have them.
BEYOND = {
    ("iam", "SimulateCustomPolicy", "PolicySourceArn"),
    ("ec2", "DescribeIamInstanceProfileAssociations", "DryRun"),
}

# Where users and instance profiles are shown as in lists.
USERS = ("GetGroupResponse.Users", "ListUsersResponse.Users", "VirtualMFADevice.User")
PROFILES = (
    "ListInstanceProfilesResponse.InstanceProfiles",
    "ListInstanceProfilesForRoleResponse.InstanceProfiles",
    "RoleDetail.InstanceProfileList",
)

# Fields that no answer has, by the reason: `Shape.Member`, or several of them, each within the one before, and before
# them an operation where its answer's shape has no name of its own. What is under a field goes with it. The test fails for a field that is neither seen nor here, and for one that is here and
# seen or is in no model.
NEVER = {
    "sts": {
        "what the minimum size of a token is for": [
            *(
                f"{operation}Response.{field}"
                for operation in (
                    "AssumeRole",
                    "AssumeRoleWithWebIdentity",
                    "GetFederationToken",
                    "GetSessionToken",
                )
                for field in ("SessionTokenSize", "SessionTokenUtilization")
            )
        ],
        "there is no propagation of trusted identities": [
            "AssumeRoleWithWebIdentityResponse.TrustedIdentityPropagationContext"
        ],
    },
    "iam": {
        "there is no console to sign in to": ["Role.MaxSigninSessionDuration", "User.PasswordLastUsed"],
        "there are no role templates": ["Role.SourceRoleTemplate"],
        "virtual MFA devices have none": ["GetMFADeviceResponse.Certifications"],
        "there is no propagation of trusted identities": [
            "GetOpenIDConnectProviderResponse.ContextProvider",
            "GetOpenIDConnectProviderResponse.IdentityCenterInstanceArn",
            "GetOpenIDConnectProviderResponse.IdentityStoreArn",
            "OpenIDConnectProviderListEntry.IsTrustedIdentityPropagationEnabled",
        ],
        "a service-linked role is deleted at once": ["GetServiceLinkedRoleDeletionStatusResponse.Reason"],
        "each resource is a result of its own": ["EvaluationResult.ResourceSpecificResults"],
        "a new profile has no role": ["CreateInstanceProfileResponse.InstanceProfile > InstanceProfile.Roles"],
        "a new role was not used, and a new service-linked role has neither boundary nor tags": [
            "CreateRoleResponse.Role > Role.RoleLastUsed",
            *(
                f"CreateServiceLinkedRoleResponse.Role > Role.{field}"
                for field in ("PermissionsBoundary", "RoleLastUsed", "Tags")
            ),
        ],
        "a new device is nobody's": [
            "CreateVirtualMFADeviceResponse.VirtualMFADevice > VirtualMFADevice.EnableDate",
            "CreateVirtualMFADeviceResponse.VirtualMFADevice > VirtualMFADevice.User",
        ],
        "the seed of a device is told once, when it is made": [
            "ListVirtualMFADevicesResponse.VirtualMFADevices > VirtualMFADevice.Base32StringSeed",
            "ListVirtualMFADevicesResponse.VirtualMFADevices > VirtualMFADevice.QRCodePNG",
        ],
        "GetOpenIDConnectProvider tells them": ["CreateOpenIDConnectProviderResponse.Tags"],
        "no hierarchy of service control policies is simulated": [
            "SimulateCustomPolicy > EvaluationResult.OrganizationsDecisionDetail"
        ],
        "an account has at most one alias": ["ListAccountAliasesResponse.Marker"],
        "as the API's reference says, lists leave them out": [
            *(f"{of} > User.{field}" for of in USERS for field in ("PermissionsBoundary", "Tags")),
            *(
                f"{of} > Role.{field}"
                for of in ("ListRolesResponse.Roles", "InstanceProfile.Roles")
                for field in ("PermissionsBoundary", "RoleLastUsed", "Tags")
            ),
            *(f"{of} > InstanceProfile.Tags" for of in PROFILES),
            "ListVirtualMFADevicesResponse.VirtualMFADevices > VirtualMFADevice.Tags",
            "ListPoliciesResponse.Policies > Policy.Description",
            "ListPoliciesResponse.Policies > Policy.Tags",
            "CreatePolicyVersionResponse.PolicyVersion > PolicyVersion.Document",
            "ListPolicyVersionsResponse.Versions > PolicyVersion.Document",
        ],
    },
    "ec2": {
        "instances are records of what runs elsewhere": [
            "Instance.Architecture",
            "Instance.BootMode",
            "Instance.CapacityBlockId",
            "Instance.CapacityReservationId",
            "Instance.CapacityReservationSpecification",
            "Instance.CpuOptions",
            "Instance.CurrentInstanceBootMode",
            "Instance.ElasticGpuAssociations",
            "Instance.ElasticInferenceAcceleratorAssociations",
            "Instance.EnclaveOptions",
            "Instance.HibernationOptions",
            "Instance.Hypervisor",
            "Instance.InstanceLifecycle",
            "Instance.KernelId",
            "Instance.KeyName",
            "Instance.Licenses",
            "Instance.MaintenanceOptions",
            "Instance.Monitoring",
            "Instance.Operator",
            "Instance.OutpostArn",
            "Instance.Platform",
            "Instance.PlatformDetails",
            "Instance.ProductCodes",
            "Instance.RamdiskId",
            "Instance.SpotInstanceRequestId",
            "Instance.TpmSupport",
            "Instance.UsageOperation",
            "Instance.UsageOperationUpdateTime",
            "Instance.VirtualizationType",
            "Reservation.RequesterId",
        ],
        "there are no disks": [
            "Instance.BlockDeviceMappings",
            "Instance.EbsOptimized",
            "Instance.RootDeviceName",
            "Instance.RootDeviceType",
        ],
        "an instance has one private address and no other network": [
            "Instance.EnaSupport",
            "Instance.Ipv6Address",
            "Instance.NetworkInterfaces",
            "Instance.NetworkPerformanceOptions",
            "Instance.PrivateDnsNameOptions",
            "Instance.PublicIpAddress",
            "Instance.SecondaryInterfaces",
            "Instance.SecurityGroups",
            "Instance.SourceDestCheck",
            "Instance.SriovNetSupport",
            "Instance.SubnetId",
            "Instance.VpcId",
            "Reservation.Groups",
        ],
        "zones and hosts are known by their names": [
            "Placement.Affinity",
            "Placement.AvailabilityZoneId",
            "Placement.GroupId",
            "Placement.GroupName",
            "Placement.HostResourceGroupArn",
            "Placement.PartitionNumber",
            "Placement.SpreadDomain",
        ],
        "not kept": ["Instance.ClientToken", "Instance.StateReason", "Instance.StateTransitionReason"],
    },
}

# Fields that answers have and that no scene brings about for sure, by the reason.
UNPLAYED = {
    "iam": {
        "uses of roles are recorded every five minutes": ["Role.RoleLastUsed", "RoleDetail.RoleLastUsed"]
    },
}


@functools.cache
def model(service):
    return botocore.session.get_session().get_service_model(service)


def wire_name(service, member, shape):
    """The name that botocore's serializers give a parameter."""
    given = shape.serialization
    if service == "ec2":
        name = given.get("queryName") or given.get("name") or member
        return name if "queryName" in given else name[0].upper() + name[1:]
    return given.get("name", member)


def walk(shape, name, path="", within=()):
    """Every path to a value under a structure, each with the members (`Shape.Member`) that lead to it."""
    for member, inner in shape.members.items():
        step = f"{path}.{name(member, inner)}" if path else name(member, inner)
        owners = (*within, f"{shape.name}.{member}")
        while inner.type_name == "list":
            step, inner = step + "[]", inner.member
        # A structure within itself ends where it begins again.
        if inner.type_name == "structure" and not any(o.startswith(inner.name + ".") for o in owners):
            yield from walk(inner, name, step, owners)
        else:
            yield step, owners


def inputs(service, operation):
    shape = model(service).operation_model(operation).input_shape
    named = lambda member, inner: wire_name(service, member, inner)
    return {path for path, _ in walk(shape, named)} if shape else set()


def outputs(service, operation):
    """Every path of an answer with the operation and the members that lead to it."""
    shape = model(service).operation_model(operation).output_shape
    return dict(walk(shape, lambda member, _: member, within=(operation,))) if shape else {}


def read(parameters, path=""):
    """The paths of what `locum operations` tells as read."""
    for parameter in parameters:
        step = f"{path}.{parameter['name']}" if path else parameter["name"]
        step += "[]" if parameter["is_list"] else ""
        if parameter["parts"]:
            yield from read(parameter["parts"], step)
        else:
            yield step


def covers(entry, path):
    """Whether a path is that of an entry, or under it."""
    path = path.replace("[]", "")
    return path == entry or path.startswith(entry + ".")


def unread(told, operation):
    """The entries of the table of what is not read: parameter and entry."""
    return [
        (parameter, entry)
        for entry in told["unread"]
        if operation in entry["operations"]
        for parameter in entry["parameters"]
    ]


def compare_parameters(told, service, operations):
    """What of the parameters is not as it should be."""
    wrong = []
    known = {o["name"]: o["parameters"] for o in told["operations"] if o["service"] == service}
    for name in sorted(set(known) ^ set(operations)):
        wrong.append(f"{service} {name} is answered and not among `locum operations`, or the reverse")
    for name in sorted(set(known) & set(operations)):
        wanted, taken = inputs(service, name), set(read(known[name]))
        passed = [parameter for parameter, _ in unread(told, name)]
        for path in sorted(wanted - taken):
            if not any(covers(entry, path) for entry in passed):
                wrong.append(f"{service} {name} does not read {path}: read it or put it into src/aws/unread.rs")
        for path in sorted(taken - wanted):
            if (service, name, path) not in BEYOND:
                wrong.append(f"{service} {name} reads {path}, which its model does not have")
        for entry in passed:
            if not any(covers(entry, path) for path in wanted - taken):
                wrong.append(f"{service} {name}: {entry} of src/aws/unread.rs is read or not in the model")
    for service_, name, path in sorted(BEYOND):
        if service_ == service and path not in set(read(known.get(name, []))) - inputs(service, name):
            wrong.append(f"{service} {name}: {path} is not beyond the model")
    return wrong


def is_never(entry, owners):
    """Whether everything that an entry names leads to a value."""
    return all(member in owners for member in entry.split(" > "))


def compare_fields(recorder, service, operations):
    """What of the fields of answers is not as it should be."""
    wrong, used = [], set()
    never, unplayed = (
        [entry for entries in table.get(service, {}).values() for entry in entries]
        for table in (NEVER, UNPLAYED)
    )
    listed = never + unplayed
    for name in operations:
        seen = recorder.seen.get((service, name), set())
        for path, owners in outputs(service, name).items():
            found = [entry for entry in listed if is_never(entry, owners)]
            used.update(found)
            if path in seen:
                denied = [entry for entry in found if entry in never]
                wrong += [f"{service} {name} answers {path}, and {entry} is among NEVER" for entry in denied]
            elif not found:
                wrong.append(f"{service} {name} never answered {path}")
    wrong += [f"{service}: {entry} is listed as never answered and is in no model" for entry in listed if entry not in used]
    return wrong


def fields(answer, path=""):
    """The paths of the values in an answer. A list that is empty has nothing under it."""
    for name, value in answer.items():
        step = f"{path}.{name}" if path else name
        yield from values(value, step)


def values(value, path):
    if isinstance(value, list):
        for inner in value:
            yield from values(inner, path + "[]")
    elif isinstance(value, dict):
        # Maps are values in the models; their entries are paths that no model has.
        yield path
        yield from fields(value, path)
    else:
        yield path
