"""Every list comes in pages, by either client."""

from iam import ADMIN, READ, TRUST_EC2, iam
from mfa import code, step

TWO = ("cut1", "cut2")


def of_entities(client, account):
    """Lists of IAM: the first of two entries and a marker, and by the marker the second."""
    do = iam(client)
    made = [do("CreatePolicy", PolicyName=name, PolicyDocument=READ)["Policy"]["Arn"] for name in TWO]
    owners = {kind: {f"{kind}Name": "cut1"} for kind in ("User", "Group", "Role")}
    devices = []
    for name in TWO:
        do("CreateUser", UserName=name)
        do("CreateGroup", GroupName=name)
        do("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST_EC2)
        do("CreateInstanceProfile", InstanceProfileName=name)
        do("AddRoleToInstanceProfile", InstanceProfileName=name, RoleName="cut1")
        do("AddUserToGroup", GroupName=name, UserName="cut1")
        device = do("CreateVirtualMFADevice", VirtualMFADeviceName=name)["VirtualMFADevice"]
        assigned = {"UserName": "cut1", "SerialNumber": device["SerialNumber"]}
        codes = [code(device["Base32StringSeed"], number) for number in (step() - 1, step())]
        do("EnableMFADevice", AuthenticationCode1=codes[0], AuthenticationCode2=codes[1], **assigned)
        devices.append(assigned)
    do("AddUserToGroup", GroupName="cut1", UserName="cut2")
    keys = [do("CreateAccessKey", UserName="cut1")["AccessKey"]["AccessKeyId"] for _ in TWO]
    for kind, owner in owners.items():
        for name, arn in zip(TWO, made):
            do(f"Put{kind}Policy", PolicyName=name, PolicyDocument=READ, **owner)
            do(f"Attach{kind}Policy", PolicyArn=arn, **owner)

    cut(do, "GetGroup", "Users", **owners["Group"])
    cut(do, "ListAccessKeys", "AccessKeyMetadata", **owners["User"])
    cut(do, "ListEntitiesForPolicy", "PolicyGroups", "PolicyRoles", "PolicyUsers", PolicyArn=made[0])
    cut(do, "ListGroups", "Groups")
    cut(do, "ListGroupsForUser", "Groups", **owners["User"])
    cut(do, "ListInstanceProfiles", "InstanceProfiles")
    cut(do, "ListInstanceProfilesForRole", "InstanceProfiles", **owners["Role"])
    cut(do, "ListMFADevices", "MFADevices", **owners["User"])
    cut(do, "ListPolicies", "Policies", Scope="Local")
    cut(do, "ListRoles", "Roles")
    cut(do, "ListUsers", "Users")
    cut(do, "ListVirtualMFADevices", "VirtualMFADevices")
    for kind, owner in owners.items():
        cut(do, f"List{kind}Policies", "PolicyNames", **owner)
        cut(do, f"ListAttached{kind}Policies", "AttachedPolicies", **owner)
    source = {"PolicySourceArn": f"arn:aws:iam::{account}:user/cut1"}
    asked = {"ActionNames": ["s3:GetObject", "s3:PutObject"]}
    cut(do, "SimulatePrincipalPolicy", "EvaluationResults", **source, **asked)

    for key in keys:
        do("DeleteAccessKey", AccessKeyId=key, UserName="cut1")
    for kind, owner in owners.items():
        for name, arn in zip(TWO, made):
            do(f"Delete{kind}Policy", PolicyName=name, **owner)
            do(f"Detach{kind}Policy", PolicyArn=arn, **owner)
    do("RemoveUserFromGroup", GroupName="cut1", UserName="cut2")
    for name, arn, device in zip(TWO, made, devices):
        do("DeactivateMFADevice", **device)
        do("DeleteVirtualMFADevice", SerialNumber=device["SerialNumber"])
        do("RemoveUserFromGroup", GroupName=name, UserName="cut1")
        do("RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName="cut1")
        do("DeleteInstanceProfile", InstanceProfileName=name)
        do("DeletePolicy", PolicyArn=arn)
    for kind in owners:
        for name in TWO:
            do(f"Delete{kind}", **{f"{kind}Name": name})


def cut(do, operation, *lists, **parameters):
    """The first two pages of one entry each, which are not the same."""
    pages, marker = [], {}
    for _ in range(2):
        page = do(operation, MaxItems=1, **parameters, **marker)
        entries = [entry for name in lists for entry in page[name]]
        assert len(entries) == 1, f"{operation}: {page}"
        pages.append(entries)
        marker = {"Marker": page["Marker"]} if page["IsTruncated"] else {}
        assert marker or len(pages) == 2, f"{operation}: {page}"
    assert pages[0] != pages[1], f"{operation}: {pages}"


def of_instances(client, account):
    """Lists of EC2, whose pages have at least five entries."""
    do, ec2 = iam(client), lambda operation, **more: client.call("ec2", operation, **more)
    do("CreateRole", RoleName="cut", AssumeRolePolicyDocument=TRUST_EC2)
    do("AttachRolePolicy", RoleName="cut", PolicyArn=ADMIN)
    do("CreateInstanceProfile", InstanceProfileName="cut")
    do("AddRoleToInstanceProfile", InstanceProfileName="cut", RoleName="cut")
    named = {"IamInstanceProfile": {"Name": "cut"}}
    run = ec2("RunInstances", ImageId="ami-cut", MinCount=6, MaxCount=6, **named)
    wanted = {"MaxResults": 5, "Filters": [{"Name": "image-id", "Values": ["ami-cut"]}]}
    first = ec2("DescribeInstances", **wanted)
    rest = ec2("DescribeInstances", NextToken=first["NextToken"], **wanted)
    assert (len(first["Reservations"]), len(rest["Reservations"])) == (5, 1), (first, rest)
    first = ec2("DescribeIamInstanceProfileAssociations", MaxResults=5)
    assert len(first["IamInstanceProfileAssociations"]) == 5 and first["NextToken"], first
    ec2("TerminateInstances", InstanceIds=[one["InstanceId"] for one in run["Instances"]])


SCENES = [of_entities, of_instances]
